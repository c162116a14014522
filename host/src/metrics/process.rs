//! This process as the kernel sees it, read from `/proc` when somebody asks, under the names that all exporters use.
//!
//! What cannot be read is left out.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::fs;

/// `USER_HZ`: the same on all of Linux, whatever its tick.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self` says.
#[derive(Debug, Default, PartialEq)]
struct Figures {
    cpu_seconds: Option<f64>,
    threads: Option<i64>,
    start_seconds: Option<f64>,
    resident_bytes: Option<i64>,
    virtual_bytes: Option<i64>,
    open_files: Option<i64>,
    most_files: Option<i64>,
}

impl Figures {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").ok();
        Self {
            open_files: open.and_then(|open| i64::try_from(open.count()).ok()),
            ..Self::of(
                &text("/proc/self/stat"),
                &text("/proc/self/status"),
                &text("/proc/self/limits"),
                &text("/proc/stat"),
            )
        }
    }

    fn of(stat: &str, status: &str, limits: &str, system: &str) -> Self {
        // The name of the program, in parentheses, may hold anything.
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split(' ').collect();
        let number = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok());
        let cpu = number(11).zip(number(12));
        let booted = system
            .lines()
            .find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let number = line.split_whitespace().next()?;
            Some(number.parse::<i64>().ok()?.saturating_mul(1_024))
        };
        let files = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        Self {
            cpu_seconds: cpu.map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            threads: fields.get(17).and_then(|text| text.parse().ok()),
            start_seconds: booted
                .zip(number(19))
                .map(|(booted, ticks)| booted + ticks / TICKS_PER_SECOND),
            resident_bytes: kibibytes("VmRSS:"),
            virtual_bytes: kibibytes("VmSize:"),
            open_files: None,
            most_files: files.and_then(|line| line.split_whitespace().next()?.parse().ok()),
        }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let figures = Figures::read();
        if let Some(seconds) = figures.cpu_seconds {
            let counter = ConstCounter::new(seconds);
            let help = "Computing time of this process";
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                help,
                None,
                kind,
            )?)?;
        }
        if let Some(seconds) = figures.start_seconds {
            let gauge = ConstGauge::new(seconds);
            let help = "When this process started, in seconds since 1970";
            let kind = gauge.metric_type();
            gauge.encode(encoder.encode_descriptor(
                "process_start_time_seconds",
                help,
                None,
                kind,
            )?)?;
        }
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Memory of this process that is in RAM",
                figures.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Address space of this process",
                figures.virtual_bytes,
            ),
            (
                "process_open_fds",
                "Open files and connections",
                figures.open_files,
            ),
            (
                "process_max_fds",
                "Most open files and connections",
                figures.most_files,
            ),
            ("process_threads", "Threads", figures.threads),
        ] {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                let kind = gauge.metric_type();
                gauge.encode(encoder.encode_descriptor(name, help, None, kind)?)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_also_of_a_program_with_an_odd_name() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 12 0 1000 99 8 1 1 1";
        let status = "Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t     512 kB\n";
        let limits = "Limit Soft Hard Units\nMax open files            1024                 4096                 files\n";

        let figures = Figures::of(stat, status, limits, "cpu 1\nbtime 1700000000\n");

        let expected = Figures {
            cpu_seconds: Some(3.0),
            threads: Some(12),
            start_seconds: Some(1_700_000_010.0),
            resident_bytes: Some(512 << 10),
            virtual_bytes: Some(2 << 20),
            open_files: None,
            most_files: Some(1_024),
        };
        assert_eq!(figures, expected);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(Figures::of("", "", "", ""), Figures::default());
    }
}
