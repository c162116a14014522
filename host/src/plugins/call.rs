//! One call of a plugin: its store, its two budgets, and what its end means.
//!
//! The store is made for the call and dropped whole after it. Time that the plugin computes is measured, and looked at by
//! ticks of the engine, time in all by a timer around the call. Whatever ends the call is turned into a failure here, with the
//! limit, its value and the plugin in its message.

use super::component::Loaded;
use super::contract::v0_1::BadAnswer;
use super::engine::{MOST_STACK_BYTES, MOST_TABLE_ELEMENTS, too_many_parts};
use super::limits::{
    HeadersOverLimit, MOST_CALL_BYTES, MOST_HEADER_BYTES, MOST_RANDOM_BYTES, MOST_RESOURCES,
    Signals, cpu_budget,
};
use super::output::cut;
use super::rehearsal::World;
use super::remedy::{FIXED, Limit};
use super::services::{StepError, StepServices};
use super::state::CallState;
use crate::domain::plugin::Usage;
use crate::domain::step::{Failure, FailureKind, MOST_STATE_BYTES};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap};
use wasmtime_wasi::{I32Exit, ResourceTableError};

/// Bytes of a plugin's standard error that its failure's message shows.
const SHOWN_TAIL_BYTES: usize = 600;

pub(super) fn store(engine: &Engine, plugin: &Loaded, state: CallState) -> Store<CallState> {
    let signals = Arc::clone(&state.signals);
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(MOST_CALL_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(cpu_budget(plugin.limits.cpu, signals));
    store
}

/// Waits for the call within its time.
pub(super) async fn bounded<T>(
    plugin: &Loaded,
    signals: &Signals,
    wall: Limit,
    tail: impl FnOnce() -> String,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, StepError> {
    let remedy = plugin.remedy(wall);
    let wall = match wall {
        Limit::DeliveryWall => plugin.limits.delivery_wall,
        Limit::CancelWall => plugin.limits.cancel_wall,
        _ => plugin.limits.wall,
    };
    let ended = tokio::select! {
        biased;
        () = signals.ended() => None,
        answered = tokio::time::timeout(wall, Metered { call: Box::pin(call), signals }) => Some(answered),
    };
    if let Some(reason) = signals.take_reason() {
        return Err(reason);
    }
    match ended {
        Some(Ok(Ok(answer))) => Ok(answer),
        Some(Ok(Err(error))) => Err(explain(plugin, signals, &error, &tail())),
        Some(Err(_)) => Err(stopped(
            "TIME_LIMIT",
            format!(
                "{} was stopped after {wall:?}, the time limit of one call ({remedy})",
                who(plugin)
            ),
        )),
        None => Err(StepError::Abandoned("the call was ended".to_owned())),
    }
}

/// Counts the time in which the call is at work: while it waits for the host, it is not polled.
struct Metered<'a, F> {
    call: Pin<Box<F>>,
    signals: &'a Signals,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.signals.begin_computing();
        let polled = self.call.as_mut().poll(context);
        self.signals.end_computing();
        polled
    }
}

/// Tells what a step used when the call is over, however it ended.
pub(super) struct TellUsage<T: HearUsage + ?Sized> {
    told: Arc<T>,
    signals: Arc<Signals>,
}

/// Who is told.
pub(super) trait HearUsage {
    fn hear(&self, usage: Usage, memory_bytes: u64);
}

impl HearUsage for dyn StepServices {
    fn hear(&self, usage: Usage, memory_bytes: u64) {
        self.used(usage);
        self.held_memory(memory_bytes);
    }
}

impl HearUsage for dyn World {
    fn hear(&self, usage: Usage, memory_bytes: u64) {
        self.delivery_used(usage, memory_bytes);
    }
}

impl<T: HearUsage + ?Sized> TellUsage<T> {
    pub(super) fn of(told: Arc<T>, signals: Arc<Signals>) -> Self {
        Self { told, signals }
    }
}

impl<T: HearUsage + ?Sized> Drop for TellUsage<T> {
    fn drop(&mut self) {
        self.told
            .hear(self.signals.usage(), self.signals.memory_bytes());
    }
}

/// What an answer that breaks the contract means.
pub(super) fn bad_answer(plugin: &Loaded, answer: BadAnswer) -> StepError {
    let who = who(plugin);
    match answer {
        BadAnswer::NotResumable => stopped(
            "NOT_RESUMABLE",
            format!("{who} asked to wait, but does not export what a waiting task is resumed with"),
        ),
        BadAnswer::ResponseTooLarge { bytes } => stopped(
            "RESPONSE_LIMIT",
            format!(
                "{who} answered with a response of {bytes} bytes; the response limit is {} ({})",
                plugin.limits.response_bytes,
                plugin.remedy(Limit::Response)
            ),
        ),
        BadAnswer::StateTooLarge { bytes } => stopped(
            "STATE_LIMIT",
            format!(
                "{who} asked to wait with a state of {bytes} bytes; the state limit is {MOST_STATE_BYTES} ({FIXED})"
            ),
        ),
        BadAnswer::NotJson(why) => stopped(
            "BAD_ANSWER",
            format!("{who} answered with a response that is not JSON: {why}"),
        ),
    }
}

fn explain(plugin: &Loaded, signals: &Signals, error: &wasmtime::Error, tail: &str) -> StepError {
    let who = who(plugin);
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return StepError::Abandoned("there is no room for one more plugin instance".to_owned());
    }
    if signals.cpu_is_spent() {
        let message = format!(
            "{who} was stopped after computing for {:?}, the CPU limit of one call ({})",
            plugin.limits.cpu,
            plugin.remedy(Limit::Cpu)
        );
        return stopped("CPU_LIMIT", message);
    }
    if signals.memory_is_refused() {
        let limit = plugin.limits.memory_bytes;
        let message = format!(
            "{who} wanted more than {limit} bytes of memory, the memory limit of one call ({})",
            plugin.remedy(Limit::Memory)
        );
        return stopped("MEMORY_LIMIT", with_tail(message, tail));
    }
    if let Some(elements) = signals.refused_elements() {
        let message = format!(
            "{who} wanted a table of {elements} elements; the table limit is {MOST_TABLE_ELEMENTS} ({FIXED})"
        );
        return stopped("TABLE_LIMIT", with_tail(message, tail));
    }
    if let Some(full) = error.downcast_ref::<ResourceTableError>() {
        return stopped(
            "RESOURCE_LIMIT",
            format!(
                "{who} wanted more than {MOST_RESOURCES} open resources, the limit of one call ({FIXED}): {full}"
            ),
        );
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return stopped(
            "TRAP",
            with_tail(
                format!("{who} exited with code {} in the middle of a call", exit.0),
                tail,
            ),
        );
    }
    let message = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            return stopped(
                "STACK_LIMIT",
                with_tail(
                    format!(
                        "{who} called itself too deeply: its stack of {MOST_STACK_BYTES} bytes is used up, the stack limit of one call ({FIXED})"
                    ),
                    tail,
                ),
            );
        }
        Some(trap) => format!("{who} trapped: {trap}"),
        // The chain without a backtrace, which is of no use to whoever reads this.
        None => {
            let root = error.root_cause().to_string();
            if root.contains("fuel allocated for hostcalls") {
                let message = format!(
                    "{who} moved more than {MOST_CALL_BYTES} bytes in one call, the data limit of one call of the host ({FIXED})"
                );
                return stopped("DATA_LIMIT", message);
            }
            if error.is::<HeadersOverLimit>() || root.contains("total size of fields exceeds limit")
            {
                let message = format!(
                    "{who} made headers of more than {MOST_HEADER_BYTES} bytes, the header limit of one request ({FIXED})"
                );
                return stopped("HEADER_LIMIT", message);
            }
            if root.contains("requested len") && root.contains("exceeds limit") {
                let message = format!(
                    "{who} asked for more than {MOST_RANDOM_BYTES} random bytes at once, the random limit ({FIXED}): {root}"
                );
                return stopped("RANDOM_LIMIT", message);
            }
            if let Some(parts) = too_many_parts(&root) {
                return stopped("INSTANCE_LIMIT", format!("{who} {parts}"));
            }
            format!("{who} failed: {root}")
        }
    };
    stopped("TRAP", with_tail(message, tail))
}

fn with_tail(message: String, tail: &str) -> String {
    if tail.is_empty() {
        return message;
    }
    // The end of it is what matters.
    let start = tail.ceil_char_boundary(tail.len().saturating_sub(SHOWN_TAIL_BYTES));
    let shown = tail.get(start..).unwrap_or_default();
    let shown: String = cut(shown, SHOWN_TAIL_BYTES)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{message}; its last words: {shown}")
}

fn who(plugin: &Loaded) -> String {
    format!("plugin {} {}", plugin.manifest.id, plugin.manifest.version)
}

fn stopped(code: &str, message: String) -> StepError {
    StepError::Failed(Failure::new(FailureKind::Internal, code, message))
}

/// What a call of a task's function on a delivery means, and the other way round.
pub(super) fn wrong_kind(loaded: &Loaded, wanted: &str) -> StepError {
    let message = format!("plugin {} is not of the kind {wanted}", loaded.manifest.id);
    stopped("WRONG_KIND", message)
}
