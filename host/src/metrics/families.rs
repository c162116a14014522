//! The names of all metrics, what they mean, and the labels that they may have.
//!
//! Each name stands here once and in full, so that it is found from a dashboard. Counters are printed with `_total`.

use super::backlog::Shown;
use super::process::Process;
use crate::domain::tick::TickOutcome;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use std::fmt;

/// Whatever is not the server's own.
pub(super) const OTHER: &str = "other";

/// The codes with which the server itself, or a plugin that came with it, ends a task. A plugin may use any word.
const CODES: &[&str] = &[
    "ADDRESS_REFUSED",
    "BAD_ADDRESS",
    "BAD_ANSWER",
    "BAD_CONFIGURATION",
    "BAD_PARAMETERS",
    "BAD_RESPONSE",
    "BAD_STATE",
    "COMPONENT_NOT_ALLOWED",
    "COMPONENT_UNAVAILABLE",
    "CPU_LIMIT",
    "DATA_LIMIT",
    "HEADER_LIMIT",
    "INSTANCE_LIMIT",
    "IN_DOUBT",
    "MEMORY_LIMIT",
    "MISSING_VALUE",
    "NOT_HTTPS",
    "NOT_RESUMABLE",
    "NO_ANSWER",
    "NO_CREDENTIAL",
    "NO_PLUGIN",
    "PARAMETERS_TOO_LARGE",
    "PLUGIN_AWAITS_GRANT",
    "PLUGIN_FAILURE",
    "PLUGIN_GONE",
    "PLUGIN_UNUSABLE",
    "RANDOM_LIMIT",
    "REMOTE_ERROR",
    "RESOURCE_LIMIT",
    "RESPONSE_LIMIT",
    "RESPONSE_TOO_LARGE",
    "STACK_LIMIT",
    "STATE_LIMIT",
    "TABLE_LIMIT",
    "TIMEOUT",
    "TIME_LIMIT",
    "TOKEN_UNUSABLE",
    "TOO_MANY_ATTEMPTS",
    "TRAP",
    "WRONG_KIND",
];

/// Whose requests are limited, in the words of `api/limits.rs`.
const LIMITS: [&str; 3] = ["token", "address", "address without a valid token"];

/// What the scheduler makes of ticks; pauses are settled where schedules are changed.
const SETTLED: [TickOutcome; 4] = [
    TickOutcome::Fired,
    TickOutcome::CaughtUp,
    TickOutcome::Missed,
    TickOutcome::Skipped,
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];

/// The word itself, as one that lives for ever, where it is known.
fn known(words: &[&'static str], word: &str) -> &'static str {
    let found = words.iter().find(|known| **known == word);
    found.copied().unwrap_or(OTHER)
}

pub(super) fn known_code(code: &str) -> &'static str {
    known(CODES, code)
}

pub(super) fn known_method(method: &str) -> &'static str {
    known(METHODS, method)
}

pub(super) fn set(gauge: &Gauge, value: usize) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) route: String,
    pub(super) method: &'static str,
    pub(super) status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) route: String,
    pub(super) method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Code {
    pub(super) code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Limit {
    pub(super) limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Plugin {
    pub(super) plugin: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PluginOutcome {
    pub(super) plugin: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Pool {
    pub(super) pool: &'static str,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RoleName {
    pub(super) role: &'static str,
}

/// From half a millisecond to ten seconds: what somebody waits for.
fn short() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ])
}

/// From a tenth of a second to a day: what runs by itself.
fn long() -> Histogram {
    Histogram::new([
        0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
    ])
}

/// From a tenth of a millisecond to an hour: computing time and duration of a step.
fn step() -> Histogram {
    Histogram::new([
        0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 900.0, 3_600.0,
    ])
}

type Histograms<L> = Family<L, Histogram>;

pub(super) struct Families {
    registry: Registry,
    pub(super) requests: Family<Request, Counter>,
    pub(super) request_seconds: Histograms<Route>,
    pub(super) refused: Family<Code, Counter>,
    pub(super) limited: Family<Limit, Counter>,
    pub(super) streams: Gauge,
    pub(super) jobs_ended: Family<Outcome, Counter>,
    pub(super) job_seconds: Histograms<Outcome>,
    pub(super) task_seconds: Histograms<PluginOutcome>,
    pub(super) failures: Family<Code, Counter>,
    pub(super) steps_running: Gauge,
    pub(super) step_slots: Gauge,
    pub(super) step_cpu_seconds: Histograms<Plugin>,
    pub(super) step_seconds: Histograms<Plugin>,
    pub(super) delivery_attempts: Family<PluginOutcome, Counter>,
    pub(super) delivery_seconds: Histograms<Plugin>,
    pub(super) ticks: Family<Outcome, Counter>,
    pub(super) tick_late_seconds: Histogram,
    pub(super) connections: Family<Pool, Gauge>,
    pub(super) writes_queued: Gauge,
    pub(super) write_wait_seconds: Histogram,
    pub(super) database_up: Gauge,
    pub(super) results_refused: Counter,
    pub(super) leases_lost: Counter,
    pub(super) work_taken_back: Counter,
    pub(super) spans_dropped: Counter,
    pub(super) roles: Family<RoleName, Gauge>,
    pub(super) backlog: std::sync::Arc<Shown>,
}

/// Registers and hands back, so that a family is written where its name is.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Families {
    fn default() -> Self {
        let mut registry = Registry::default();
        let limited = Family::<Limit, Counter>::default();
        for limit in LIMITS {
            // There from the start: else nobody sees the first ones grow.
            drop(limited.get_or_create(&Limit { limit }));
        }
        let ticks = Family::<Outcome, Counter>::default();
        for outcome in SETTLED {
            drop(ticks.get_or_create(&Outcome {
                outcome: outcome.as_str(),
            }));
        }
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("orchestrator_build", "The version of this server", build);
        let backlog = std::sync::Arc::<Shown>::default();
        registry.register_collector(Box::new(std::sync::Arc::clone(&backlog)));
        registry.register_collector(Box::new(Process));
        let r = &mut registry;
        Self {
            requests: add(
                r,
                "orchestrator_http_requests",
                "Requests that the API has answered, by the template of their address",
                Family::default(),
            ),
            request_seconds: add(
                r,
                "orchestrator_http_request_duration_seconds",
                "From a request's head to its answer's head",
                Family::new_with_constructor(short as fn() -> Histogram),
            ),
            refused: add(
                r,
                "orchestrator_http_refusals",
                "Requests that were refused or failed, by the code that they were told",
                Family::default(),
            ),
            limited: add(
                r,
                "orchestrator_http_rate_limited",
                "Requests that were refused because of too many, by whose: of a token, of an address, or of an address without a valid token",
                limited,
            ),
            streams: add(
                r,
                "orchestrator_event_streams",
                "Streams of events that are open",
                Gauge::default(),
            ),
            jobs_ended: add(
                r,
                "orchestrator_jobs_ended",
                "Jobs that ended here, by outcome",
                Family::default(),
            ),
            job_seconds: add(
                r,
                "orchestrator_job_duration_seconds",
                "From a job's start to its end, by outcome",
                Family::new_with_constructor(long as fn() -> Histogram),
            ),
            task_seconds: add(
                r,
                "orchestrator_task_duration_seconds",
                "From a task's start to its end, its waiting between steps included",
                Family::new_with_constructor(long as fn() -> Histogram),
            ),
            failures: add(
                r,
                "orchestrator_task_failures",
                "Tasks that failed, by code: traps and limits of plugins among them; codes of plugins' own are `other`, and what was answered so is `none`",
                Family::default(),
            ),
            steps_running: add(
                r,
                "orchestrator_steps_running",
                "Steps that run now",
                Gauge::default(),
            ),
            step_slots: add(
                r,
                "orchestrator_step_slots",
                "Most steps at once: the setting workers",
                Gauge::default(),
            ),
            step_cpu_seconds: add(
                r,
                "orchestrator_step_cpu_seconds",
                "Computing time of a step",
                Family::new_with_constructor(step as fn() -> Histogram),
            ),
            step_seconds: add(
                r,
                "orchestrator_step_duration_seconds",
                "From a step's lease to its recorded end",
                Family::new_with_constructor(step as fn() -> Histogram),
            ),
            delivery_attempts: add(
                r,
                "orchestrator_delivery_attempts",
                "Attempts to deliver a notification",
                Family::default(),
            ),
            delivery_seconds: add(
                r,
                "orchestrator_delivery_duration_seconds",
                "How long an attempt to deliver took",
                Family::new_with_constructor(short as fn() -> Histogram),
            ),
            ticks: add(
                r,
                "orchestrator_ticks",
                "Times at which a schedule was due, by what the scheduler made of them",
                ticks,
            ),
            tick_late_seconds: add(
                r,
                "orchestrator_tick_lateness_seconds",
                "From the time at which a schedule was due to its job",
                long(),
            ),
            connections: add(
                r,
                "orchestrator_database_connections",
                "Connections to the database",
                Family::default(),
            ),
            writes_queued: add(
                r,
                "orchestrator_database_writes_queued",
                "Writes that wait for the embedded database",
                Gauge::default(),
            ),
            write_wait_seconds: add(
                r,
                "orchestrator_database_write_wait_seconds",
                "From the wish for a write to its begin: for a connection, or for the writes before it",
                short(),
            ),
            database_up: add(
                r,
                "orchestrator_database_up",
                "1 where the database answered this scrape; 0 where it did not, and what waits is not shown",
                Gauge::default(),
            ),
            results_refused: add(
                r,
                "orchestrator_results_refused",
                "Results of steps that came too late: another host had taken the step over",
                Counter::default(),
            ),
            leases_lost: add(
                r,
                "orchestrator_host_leases_lost",
                "How often this host was declared dead, because it had fallen silent",
                Counter::default(),
            ),
            work_taken_back: add(
                r,
                "orchestrator_work_taken_back",
                "Steps and deliveries of hosts that fell silent, given back by this one",
                Counter::default(),
            ),
            spans_dropped: add(
                r,
                "orchestrator_spans_dropped",
                "Spans of traces that were not sent: the collector did not keep up, or was away",
                Counter::default(),
            ),
            roles: add(
                r,
                "orchestrator_role",
                "1 for each role that this server has",
                Family::default(),
            ),
            backlog,
            registry,
        }
    }
}

impl Families {
    pub(super) fn print(&self) -> Result<String, fmt::Error> {
        let mut printed = String::with_capacity(16 << 10);
        text::encode(&mut printed, &self.registry)?;
        Ok(printed)
    }
}
