//! Traces for a collector of OpenTelemetry: request → job → task → step → outgoing call.
//!
//! A span is told when it is over, with the ids that [`domain::trace`](crate::domain::trace) gives it, so nothing is held
//! open between the steps of a job and no host needs to know what another one began. Telling is putting it into a queue
//! of bounded length; where the collector does not keep up, spans are dropped and counted, and nothing waits for them.
//!
//! Off unless an address is set. Called by api, runner and notifier; sent by [`Exporter`].

mod export;
mod messages;

pub use export::{Exporter, TracesError};

use crate::domain::time::Timestamp;
use crate::domain::trace::{SpanId, TraceContext};
use crate::metrics::Metrics;
use tokio::sync::mpsc;

/// Spans that wait to be sent.
const MOST_QUEUED: usize = 8_192;

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Internal,
    /// A request that was answered here.
    Server,
    /// A call that was made from here.
    Client,
    /// A job: made by one process, run by another.
    Consumer,
}

/// Something that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub name: String,
    pub kind: SpanKind,
    pub context: TraceContext,
    pub parent: Option<SpanId>,
    pub from: Timestamp,
    pub to: Timestamp,
    /// No secrets, no bodies.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, where it did.
    pub failure: Option<String>,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Where spans are told; cloning it is cheap. By default nobody listens.
#[derive(Clone, Debug, Default)]
pub struct Tracer {
    queue: Option<mpsc::Sender<Span>>,
    metrics: Metrics,
}

impl Tracer {
    /// With what takes the spans.
    #[must_use]
    pub fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(MOST_QUEUED);
        let queue = Some(queue);
        (Self { queue, metrics }, spans)
    }

    /// Whether anybody listens. Where nobody does, ids need not be made.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Tells a span, if its trace is recorded.
    pub fn tell(&self, span: impl FnOnce() -> Span, context: TraceContext) {
        let Some(queue) = &self.queue else { return };
        if context.is_sampled && queue.try_send(span()).is_err() {
            self.metrics.spans_dropped(1);
        }
    }
}
