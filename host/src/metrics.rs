//! What this process counts, for whoever operates it: the only room that knows the names of metrics.
//!
//! Counting is an addition in memory: no statement, and no lock that is held over anything. Each room tells what happened in its own words, after it has become true; values that only the
//! database has (what waits, what is overdue) are read when somebody asks, see [`Backlog`].
//!
//! Labels are of a bounded set, whatever tenants do: no ids, no names of theirs. Codes and plugins that are not the server's
//! own are `other`. Called by most rooms; printed by `api/scrape.rs`.

mod backlog;
mod families;
mod process;

pub use backlog::{Backlog, MOST_COUNTED};

use crate::domain::job::Status;
use crate::domain::role::Roles;
use crate::domain::tick::TickOutcome;
use families::{Code, Families, Limit, Outcome, Plugin, PluginOutcome, Pool, Request, Route};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The counts of this process; cloning it is cheap, and all clones are the same counts.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Families>);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// A job that is over: in what status, and how long it ran; one that was cancelled never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobEnd {
    pub status: Status,
    pub ran: Option<Duration>,
}

/// How an attempt to deliver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempted {
    Delivered,
    /// It is tried again.
    Retried,
    GivenUp,
}

/// Connections to the database, of those that read or of those that write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    pub idle: usize,
    pub in_use: usize,
}

/// Shows a step as running, until it is dropped.
#[derive(Debug)]
pub struct RunningStep(Metrics);

impl Drop for RunningStep {
    fn drop(&mut self) {
        self.0.0.steps_running.dec();
    }
}

/// The name of a plugin as a label: a project's own names are its own.
fn plugin(builtin: Option<&str>) -> Plugin {
    Plugin {
        plugin: builtin.unwrap_or(families::OTHER).to_owned(),
    }
}

impl Metrics {
    /// A request was answered. `route` is the template of its address; `None` where it led nowhere.
    pub fn request_answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        let method = families::known_method(method);
        let route = Route {
            route: route.unwrap_or(families::OTHER).to_owned(),
            method,
        };
        let seconds = self.0.request_seconds.get_or_create(&route);
        seconds.observe(took.as_secs_f64());
        drop(seconds);
        let request = Request {
            route: route.route,
            method,
            status,
        };
        self.0.requests.get_or_create(&request).inc();
    }

    /// A request was refused or failed, with one of the API's codes.
    pub fn request_refused(&self, code: &'static str) {
        self.0.refused.get_or_create(&Code { code }).inc();
    }

    /// It was refused for a limit of requests: whose.
    pub fn request_limited(&self, limit: &'static str) {
        self.0.limited.get_or_create(&Limit { limit }).inc();
    }

    pub fn job_ended(&self, end: JobEnd) {
        let outcome = Outcome {
            outcome: end.status.as_str(),
        };
        self.0.jobs_ended.get_or_create(&outcome).inc();
        if let Some(ran) = end.ran {
            let seconds = self.0.job_seconds.get_or_create(&outcome);
            seconds.observe(ran.as_secs_f64());
        }
    }

    /// A task has ended; `builtin` is its plugin's id, where that came with the server.
    pub fn task_ended(&self, builtin: Option<&str>, status: Status, ran: Duration) {
        let labels = PluginOutcome {
            plugin: plugin(builtin).plugin,
            outcome: status.as_str(),
        };
        let seconds = self.0.task_seconds.get_or_create(&labels);
        seconds.observe(ran.as_secs_f64());
    }

    /// Until what this returns is dropped.
    #[must_use]
    pub fn step_begun(&self) -> RunningStep {
        self.0.steps_running.inc();
        RunningStep(self.clone())
    }

    /// A step is over: what it computed, and how long it took in all.
    pub fn step_ended(&self, builtin: Option<&str>, cpu: Duration, wall: Duration) {
        let labels = plugin(builtin);
        let seconds = self.0.step_cpu_seconds.get_or_create(&labels);
        seconds.observe(cpu.as_secs_f64());
        drop(seconds);
        let seconds = self.0.step_seconds.get_or_create(&labels);
        seconds.observe(wall.as_secs_f64());
    }

    /// A task has failed with this code; `None`: what it called answered so.
    pub fn task_failed(&self, code: Option<&str>) {
        let code = code.map_or("none", families::known_code);
        self.0.failures.get_or_create(&Code { code }).inc();
    }

    pub fn delivery_attempted(&self, builtin: Option<&str>, end: Attempted, took: Duration) {
        let labels = plugin(builtin);
        let seconds = self.0.delivery_seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
        drop(seconds);
        let labels = PluginOutcome {
            plugin: labels.plugin,
            outcome: match end {
                Attempted::Delivered => "delivered",
                Attempted::Retried => "retried",
                Attempted::GivenUp => "given-up",
            },
        };
        self.0.delivery_attempts.get_or_create(&labels).inc();
    }

    /// Ticks were settled by the scheduler.
    pub fn ticks_settled(&self, outcome: TickOutcome, count: u64) {
        let outcome = Outcome {
            outcome: outcome.as_str(),
        };
        self.0.ticks.get_or_create(&outcome).inc_by(count);
    }

    /// A schedule was fired so long after it was due.
    pub fn tick_fired(&self, late: Duration) {
        self.0.tick_late_seconds.observe(late.as_secs_f64());
    }

    /// A write has begun so long after it was asked for.
    pub fn write_waited(&self, waited: Duration) {
        self.0.write_wait_seconds.observe(waited.as_secs_f64());
    }

    /// The result of a step came after another host had taken it over.
    pub fn result_refused(&self) {
        self.0.results_refused.inc();
    }

    /// This host was declared dead by another one.
    pub fn host_lease_lost(&self) {
        self.0.leases_lost.inc();
    }

    /// Work of hosts that fell silent was given back by this one.
    pub fn work_taken_back(&self, pieces: u64) {
        self.0.work_taken_back.inc_by(pieces);
    }

    /// Spans of traces that nobody was told: the collector did not keep up, or was away.
    pub fn spans_dropped(&self, count: u64) {
        self.0.spans_dropped.inc_by(count);
    }

    /// What this process is. Told once, at start.
    pub fn started(&self, roles: &Roles, step_slots: usize) {
        families::set(&self.0.step_slots, step_slots);
        for role in roles.iter() {
            let role = families::RoleName {
                role: role.as_str(),
            };
            self.0.roles.get_or_create(&role).set(1);
        }
    }

    /// Streams of events that are open now.
    pub fn show_streams(&self, open: usize) {
        families::set(&self.0.streams, open);
    }

    /// The database's connections now, and writes that wait for their commit to begin.
    pub fn show_connections(&self, read: PoolUse, write: PoolUse, queued: usize) {
        for (pool, of) in [("read", read), ("write", write)] {
            for (state, count) in [("idle", of.idle), ("in-use", of.in_use)] {
                let pool = Pool { pool, state };
                families::set(&self.0.connections.get_or_create(&pool), count);
            }
        }
        families::set(&self.0.writes_queued, queued);
    }

    /// What waits now; `None`: the database does not say, and nothing is shown.
    pub fn show_backlog(&self, backlog: Option<Backlog>) {
        self.0.database_up.set(i64::from(backlog.is_some()));
        self.0.backlog.show(backlog);
    }

    /// All of it in the OpenMetrics text format, which Prometheus reads.
    ///
    /// # Errors
    /// None that memory allows.
    pub fn print(&self) -> Result<String, fmt::Error> {
        self.0.print()
    }
}

#[cfg(test)]
mod tests;
