//! What stops a plugin, and how that is told.
//!
//! Each limit ends in a failure whose code names the limit and whose message names the plugin and the value. The flags here
//! are set where a limit is met, because what the plugin does next (a trap, mostly) no longer tells why.

use super::engine::{MOST_CORE_INSTANCES, MOST_MEMORIES, MOST_TABLE_ELEMENTS, MOST_TABLES};
use super::manifest::Manifest;
use super::services::StepError;
use super::settings::StepLimits;
use crate::domain::plugin::{GrantedLimits, Usage};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};

/// Largest random value that a plugin may ask for in one call, in bytes.
pub(super) const MOST_RANDOM_BYTES: u64 = 64 << 10;
/// Resources (requests, streams, …) that a plugin may hold at once.
pub(super) const MOST_RESOURCES: usize = 1_000;
/// Bytes that one call from a plugin to the host, or one answer, may carry.
pub(super) const MOST_CALL_BYTES: usize = 16 << 20;
/// In-memory size of one set of HTTP headers.
pub(super) const MOST_HEADER_BYTES: usize = 64 << 10;

/// A request has more headers than [`MOST_HEADER_BYTES`] allows. It ends the call.
#[derive(Debug, thiserror::Error)]
#[error("the headers are more than {MOST_HEADER_BYTES} bytes")]
pub(super) struct HeadersOverLimit;

/// What may be used, as the server and the plugin's manifest together say.
pub(super) fn effective(limits: &StepLimits, manifest: &Manifest) -> StepLimits {
    let asked = manifest.limits;
    let wall = asked.wall().unwrap_or(Duration::MAX);
    StepLimits {
        cpu: asked.cpu().map_or(limits.cpu, |cpu| cpu.min(limits.cpu)),
        wall: wall.min(limits.wall),
        delivery_wall: wall.min(limits.delivery_wall),
        cancel_wall: wall.min(limits.cancel_wall),
        memory_bytes: asked
            .memory_bytes()
            .map_or(limits.memory_bytes, |bytes| bytes.min(limits.memory_bytes)),
        ..limits.clone()
    }
}

/// The same, and no more than a project's grant allows.
pub(super) fn granted(limits: &StepLimits, grant: &GrantedLimits) -> StepLimits {
    let time = |granted: Option<u32>, own: Duration| {
        granted.map_or(own, |seconds| own.min(Duration::from_secs(seconds.into())))
    };
    let size = |granted: Option<u32>, unit: usize, own: usize| {
        let granted = granted.and_then(|size| usize::try_from(size).ok());
        granted.map_or(own, |size| own.min(size.saturating_mul(unit)))
    };
    const KIB: usize = 1 << 10;
    StepLimits {
        cpu: time(grant.cpu_seconds, limits.cpu),
        wall: time(grant.wall_seconds, limits.wall),
        delivery_wall: time(grant.wall_seconds, limits.delivery_wall),
        cancel_wall: time(grant.wall_seconds, limits.cancel_wall),
        memory_bytes: size(grant.memory_mebibytes, 1 << 20, limits.memory_bytes),
        log_bytes: size(grant.log_kibibytes, KIB, limits.log_bytes),
        response_bytes: size(grant.response_kibibytes, KIB, limits.response_bytes),
        http_request_bytes: size(grant.http_request_kibibytes, KIB, limits.http_request_bytes),
        http_response_bytes: size(
            grant.http_response_kibibytes,
            KIB,
            limits.http_response_bytes,
        ),
        http_total_bytes: limits.http_total_bytes,
        http_requests_at_once: size(grant.http_requests_at_once, 1, limits.http_requests_at_once),
    }
}

/// What happened to a call outside of the plugin's own code.
#[derive(Default)]
pub(super) struct Signals {
    memory_is_refused: AtomicBool,
    /// The size of a table that was refused; 0: none was.
    refused_elements: AtomicUsize,
    cpu_is_spent: AtomicBool,
    stopped: AtomicBool,
    reason: Mutex<Option<StepError>>,
    ended: Notify,
    /// Of polls that are over.
    computed_nanos: AtomicU64,
    /// Its thread's computing time when the present poll began.
    poll_nanos: AtomicU64,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    memory_bytes: AtomicU64,
}

impl Signals {
    /// Whatever the call answers, this is its result. The plugin may go on until it returns, but sends nothing more.
    pub(super) fn stop(&self, reason: StepError) {
        let mut kept = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(reason);
        self.stopped.store(true, Ordering::Release);
    }

    /// The same, and the plugin is ended where it is.
    pub(super) fn end_now(&self, reason: StepError) {
        self.stop(reason);
        self.ended.notify_one();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(super) fn take_reason(&self) -> Option<StepError> {
        if !self.is_stopped() {
            return None;
        }
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    pub(super) fn begin_computing(&self) {
        let now = nanos(thread_time());
        self.poll_nanos.store(now, Ordering::Relaxed);
    }

    /// On the thread on which it began.
    pub(super) fn end_computing(&self) {
        let time = nanos(self.computing());
        self.computed_nanos.fetch_add(time, Ordering::Relaxed);
    }

    /// In the present poll.
    fn computing(&self) -> Duration {
        let begun = Duration::from_nanos(self.poll_nanos.load(Ordering::Relaxed));
        thread_time().saturating_sub(begun)
    }

    /// In all, within a poll.
    fn computed_so_far(&self) -> Duration {
        let before = self.computed_nanos.load(Ordering::Relaxed);
        Duration::from_nanos(before).saturating_add(self.computing())
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns how many there were before.
    pub(super) fn add_received(&self, bytes: usize) -> usize {
        let before = self
            .received_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        usize::try_from(before).unwrap_or(usize::MAX)
    }

    /// Memory never shrinks: what was added is the most that there was.
    fn add_memory(&self, bytes: usize) {
        self.memory_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The most memory that the call has had.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// What the call has used so far.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            cpu_micros: self.computed_nanos.load(Ordering::Relaxed) / 1_000,
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn memory_is_refused(&self) -> bool {
        self.memory_is_refused.load(Ordering::Relaxed)
    }

    pub(super) fn refused_elements(&self) -> Option<usize> {
        let elements = self.refused_elements.load(Ordering::Relaxed);
        (elements > 0).then_some(elements)
    }

    pub(super) fn cpu_is_spent(&self) -> bool {
        self.cpu_is_spent.load(Ordering::Relaxed)
    }
}

/// Computing time of this thread: what it waits for a core, because others compute, does not count.
pub(super) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Memory and tables of one call.
pub(super) struct Limiter {
    left_bytes: usize,
    pub(super) signals: std::sync::Arc<Signals>,
}

impl Limiter {
    pub(super) fn new(memory_bytes: usize, signals: std::sync::Arc<Signals>) -> Self {
        Self {
            left_bytes: memory_bytes,
            signals,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = desired.saturating_sub(current);
        match self.left_bytes.checked_sub(wanted) {
            Some(left) => {
                self.left_bytes = left;
                self.signals.add_memory(wanted);
                Ok(true)
            }
            None => {
                self.signals
                    .memory_is_refused
                    .store(true, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let is_refused = desired > MOST_TABLE_ELEMENTS;
        if is_refused {
            let refused = &self.signals.refused_elements;
            refused.store(desired, Ordering::Relaxed);
        }
        Ok(!is_refused)
    }

    fn instances(&self) -> usize {
        usize::try_from(MOST_CORE_INSTANCES).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(MOST_TABLES).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        usize::try_from(MOST_MEMORIES).unwrap_or(usize::MAX)
    }
}

/// What the engine does at each tick of a computing plugin: let others run, until the budget is spent. What counts is the
/// time that the call's thread has computed in it, in the plugin and for it; while it waits it is not asked.
pub(super) fn cpu_budget<T>(
    cpu: Duration,
    signals: std::sync::Arc<Signals>,
) -> impl FnMut(StoreContextMut<'_, T>) -> wasmtime::Result<UpdateDeadline> + Send + Sync + 'static
{
    move |_| {
        if signals.computed_so_far() >= cpu {
            signals.cpu_is_spent.store(true, Ordering::Relaxed);
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Yield(1))
    }
}
