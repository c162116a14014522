//! `orchestrator plugin test`: plays a plugin's scenarios through, each once without trouble, once with the host dying after
//! every step of the task, or attempt at the delivery, and once for each with the host dying in it; for a task, also before each save. All of these have to end as
//! the scenario says.

mod attempts;
mod credentials;
mod delivery;
mod event;
mod play;
mod scenario;
mod script;
mod task;

use super::compiled::CacheArgs;
use super::project::Component;
use crate::domain::plugin::Usage;
use crate::domain::time::Timestamp;
use crate::plugins::{Kind, Manifest};
use anyhow::{Context as _, bail};
use attempts::DeliveryStage;
use chrono::{DateTime, Utc};
use event::DeliveryScenario;
use play::Stage;
use scenario::Scenario;
use script::Exchange;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// When scenarios begin that do not say it.
const START: &str = "2026-01-01T00:00:00Z";

#[derive(Clone, Debug, clap::Args)]
pub(super) struct TestArgs {
    /// The folder of a plugin that was built, or a component
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// A scenario file, repeatable [default: all in the folder's scenarios/]
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let component = Component::find(&args.plugin)?;
    let manifest = Manifest::of_component(&component.bytes)?;
    let files = match args.scenario.as_slice() {
        [] => scenarios(&args.plugin)?,
        given => given.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut failures = 0_usize;
    for file in &files {
        failures += match manifest.kind {
            Kind::Task => {
                let scenario = Scenario::read(file)?;
                let start = start(scenario.task.time.as_deref(), file)?;
                writeln!(out, "{}", file.display())?;
                let stage = Stage {
                    component: &component.bytes,
                    cache: &args.cache,
                    scenario: &scenario,
                    start,
                    runtime: &runtime,
                };
                task::play_all(&stage, manifest.restart, out)?
            }
            Kind::Delivery => {
                let scenario = DeliveryScenario::read(file)?;
                let start = start(scenario.event.time.as_deref(), file)?;
                writeln!(out, "{}", file.display())?;
                let stage = DeliveryStage {
                    component: &component.bytes,
                    cache: &args.cache,
                    scenario: &scenario,
                    start,
                    runtime: &runtime,
                };
                delivery::play_all(&stage, out)?
            }
        };
    }
    let count = files.len();
    if failures > 0 {
        let (played, failed) = (counted(count, "scenario"), counted(failures, "failure"));
        writeln!(out, "{played}, {failed}")?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "{} passed", counted(count, "scenario"))?;
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

fn scenarios(plugin: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let dir = plugin.join("scenarios");
    let listed = fs::read_dir(&dir).with_context(|| {
        format!(
            "there are no scenarios in {}: name one with --scenario",
            dir.display()
        )
    })?;
    let mut files = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{} holds no scenario (*.toml)", dir.display());
    }
    files.sort();
    Ok(files)
}

fn start(given: Option<&str>, file: &Path) -> anyhow::Result<Timestamp> {
    let text = given.unwrap_or(START);
    let time = DateTime::parse_from_rfc3339(text)
        .with_context(|| format!("{}: time is {text:?}, not one like {START}", file.display()))?;
    Ok(Timestamp::from_datetime(time.with_timezone(&Utc)))
}

fn print_usage(usage: Usage, memory_bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        " {:>8.2} ms CPU {:>6.1} MiB memory {:>6} B sent {:>6} B received",
        usage.cpu_micros as f64 / 1e3,
        memory_bytes as f64 / f64::from(1 << 20),
        usage.sent_bytes,
        usage.received_bytes,
    )
}

/// What was asked for and answered, then what the plugin wrote.
fn print_happenings(
    exchanges: &[Exchange],
    lines: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    for exchange in exchanges {
        writeln!(out, "    {exchange}")?;
    }
    for line in lines {
        writeln!(out, "    {}", printable(line))?;
    }
    Ok(())
}

/// A plugin's line must not act on the terminal.
fn printable(line: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    line.chars().map(visible).collect()
}

fn print_faults(wrong: &[String], out: &mut dyn Write) -> io::Result<usize> {
    for fault in wrong {
        writeln!(out, "  FAILED: {fault}")?;
    }
    Ok(wrong.len())
}
