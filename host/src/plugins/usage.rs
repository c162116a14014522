//! What one call of a plugin uses, counted where it is used.

use super::limits::Signals;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What one call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in which the plugin, or the host for it, was at work rather than waiting.
    pub cpu: Duration,
    /// The most linear memory of all the plugin's modules together.
    pub memory_bytes: usize,
    /// Bodies of its requests.
    pub sent_bytes: usize,
    /// Bodies of the answers to them.
    pub received_bytes: usize,
}

/// Counts while a call runs.
#[derive(Debug, Default)]
pub(super) struct Meter {
    cpu_nanos: AtomicU64,
    memory_bytes: AtomicUsize,
    sent_bytes: AtomicUsize,
    received_bytes: AtomicUsize,
}

impl Meter {
    /// Memory never shrinks: what was added is the most that there was.
    pub(super) fn add_memory(&self, bytes: usize) {
        self.memory_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn add_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            cpu: Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed)),
            memory_bytes: self.memory_bytes.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
        }
    }
}

/// A future whose time at work is counted.
pub(super) struct Metered<F> {
    future: Pin<Box<F>>,
    signals: Arc<Signals>,
}

impl<F> Metered<F> {
    pub(super) fn new(future: F, signals: &Arc<Signals>) -> Self {
        Self {
            future: Box::pin(future),
            signals: Arc::clone(signals),
        }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let start = Instant::now();
        let polled = self.future.as_mut().poll(context);
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let meter = &self.signals.meter;
        meter.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
        polled
    }
}
