//! What waits in the database, as one look at it tells; shown only where there was one.
//!
//! Counts are bounded ([`MOST_COUNTED`]): a scrape costs the same however much there is, and who is that far behind needs no
//! exact number. Every host of a database shows the same values: take the maximum, not the sum.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What is counted, is counted up to this.
pub const MOST_COUNTED: u32 = 100_000;

/// What waits, and for how long it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs that wait, for a runner or behind another job of their orchestration.
    pub jobs_waiting: u64,
    /// Those of them that a runner may take.
    pub jobs_ready: u64,
    pub jobs_processing: u64,
    pub oldest_waiting: Duration,
    pub oldest_ready: Duration,
    /// Tasks between two steps.
    pub tasks_waiting: u64,
    /// Those of them whose time has come.
    pub tasks_due: u64,
    /// Schedules whose time has come.
    pub schedules_due: u64,
    /// How late the latest of them is.
    pub schedule_overdue: Duration,
    /// Deliveries that are to be tried, or tried again.
    pub deliveries_pending: u64,
    pub deliveries_due: u64,
    pub delivery_overdue: Duration,
    /// Servers of this database with a lease.
    pub hosts: u64,
}

/// The last look.
#[derive(Debug, Default)]
pub(super) struct Shown(Mutex<Option<Backlog>>);

impl Shown {
    pub(super) fn show(&self, backlog: Option<Backlog>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = backlog;
    }
}

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let shown = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(backlog) = shown else { return Ok(()) };
        let mut count = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        count(
            "orchestrator_jobs_waiting",
            "Jobs that wait, for a runner or behind another job of their orchestration, up to 100000",
            backlog.jobs_waiting,
        )?;
        count(
            "orchestrator_jobs_ready",
            "Waiting jobs that a runner may take, up to 100000",
            backlog.jobs_ready,
        )?;
        count(
            "orchestrator_jobs_processing",
            "Jobs that have begun and not ended, up to 100000",
            backlog.jobs_processing,
        )?;
        count(
            "orchestrator_tasks_waiting",
            "Tasks between two steps, up to 100000",
            backlog.tasks_waiting,
        )?;
        count(
            "orchestrator_tasks_due",
            "Tasks between two steps whose time has come, of the first 100000 that wait",
            backlog.tasks_due,
        )?;
        count(
            "orchestrator_schedules_due",
            "Schedules whose time has come, up to 100000",
            backlog.schedules_due,
        )?;
        count(
            "orchestrator_deliveries_pending",
            "Deliveries of notifications that are to be tried, or tried again, up to 100000",
            backlog.deliveries_pending,
        )?;
        count(
            "orchestrator_deliveries_due",
            "Deliveries whose time has come, of the first 100000 that are pending",
            backlog.deliveries_due,
        )?;
        count(
            "orchestrator_hosts_alive",
            "Servers of this database whose lease holds",
            backlog.hosts,
        )?;
        let mut age = |name: &str, help: &str, value: Duration| {
            let gauge = ConstGauge::new(value.as_secs_f64());
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        age(
            "orchestrator_oldest_waiting_job_age_seconds",
            "How long the oldest waiting job has waited; 0 where none waits",
            backlog.oldest_waiting,
        )?;
        age(
            "orchestrator_oldest_ready_job_age_seconds",
            "How long ago the oldest job was made that a runner may take; 0 where there is none",
            backlog.oldest_ready,
        )?;
        age(
            "orchestrator_schedule_overdue_seconds",
            "How late the most overdue schedule is; 0 where none is",
            backlog.schedule_overdue,
        )?;
        age(
            "orchestrator_delivery_overdue_seconds",
            "How late the most overdue delivery is; 0 where none is",
            backlog.delivery_overdue,
        )
    }
}
