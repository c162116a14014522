//! Traces: which request, job, task, step or call something belongs to, by the ids of W3C Trace Context.
//!
//! The ids of a job's spans follow from the job itself: any host can name them, whoever began it, and nothing is kept but
//! what the request brought. What is sent to whom is in `traces`.

use super::ids::{JobId, TaskRunId};
use sha2::{Digest, Sha256};
use std::fmt;

/// A span.
pub type SpanId = [u8; 8];

/// A place in a trace: what `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: [u8; 16],
    pub span: SpanId,
    /// Whether whoever began the trace wants it recorded.
    pub is_sampled: bool,
}

impl TraceContext {
    /// From the header's value; `None` where it is none, which is as if there were no header.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = unhex::<1>(parts.next()?)?;
        let trace = unhex::<16>(parts.next()?)?;
        let span = unhex::<8>(parts.next()?)?;
        let [flags] = unhex::<1>(parts.next()?)?;
        // Later versions may say more; this one does not.
        let is_whole = parts.next().is_none() || version != [0];
        let is_valid = version != [0xff] && trace != [0; 16] && span != [0; 8];
        (is_whole && is_valid).then_some(Self {
            trace,
            span,
            is_sampled: flags & 1 == 1,
        })
    }

    /// A span of the same trace.
    #[must_use]
    pub fn with_span(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// The trace's id, in 32 hexadecimal digits.
    #[must_use]
    pub fn trace_text(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.trace))
    }
}

/// As the header's value.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(
            f,
            "00-{}-{}-{flags:02x}",
            self.trace_text(),
            hex::encode(self.span)
        )
    }
}

/// The spans of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobTrace {
    job: TraceContext,
    /// The request for it, or what made that request; the scheduler's jobs have none.
    pub parent: Option<SpanId>,
}

impl JobTrace {
    /// `request` is what was kept of the request for it; the scheduler's jobs have a trace of their own.
    #[must_use]
    pub fn of(installation: &str, job: JobId, request: Option<TraceContext>) -> Self {
        let number = job.0.to_le_bytes();
        let trace = request.map_or_else(
            || digest("trace", &[installation.as_bytes(), &number]),
            |request| request.trace,
        );
        Self {
            job: TraceContext {
                trace,
                span: digest("job", &[&trace, &number]),
                is_sampled: request.is_none_or(|request| request.is_sampled),
            },
            parent: request.map(|request| request.span),
        }
    }

    /// The job's own span.
    #[must_use]
    pub fn job(&self) -> TraceContext {
        self.job
    }

    #[must_use]
    pub fn task(&self, run: TaskRunId) -> TraceContext {
        self.below("task", &[&run.0.to_le_bytes()])
    }

    /// `epoch` counts the leases of a task: each is a step, or one more attempt at it.
    #[must_use]
    pub fn step(&self, run: TaskRunId, epoch: i64) -> TraceContext {
        self.below("step", &[&run.0.to_le_bytes(), &epoch.to_le_bytes()])
    }

    /// The calls of a step are numbered.
    #[must_use]
    pub fn call(&self, run: TaskRunId, epoch: i64, number: u64) -> TraceContext {
        let parts = [
            run.0.to_le_bytes(),
            epoch.to_le_bytes(),
            number.to_le_bytes(),
        ];
        self.below("call", &[parts.as_flattened()])
    }

    /// An attempt to deliver a notification of the job.
    #[must_use]
    pub fn delivery(&self, delivery: i64, attempt: u32) -> TraceContext {
        self.below(
            "delivery",
            &[&delivery.to_le_bytes(), &attempt.to_le_bytes()],
        )
    }

    fn below(&self, what: &str, parts: &[&[u8]]) -> TraceContext {
        let mut all: Vec<&[u8]> = vec![&self.job.trace];
        all.extend(parts);
        self.job.with_span(digest(what, &all))
    }
}

/// The same for the same parts; never all zeros, but once in more lives than there will be.
fn digest<const N: usize>(what: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new();
    hash.update(what.as_bytes());
    for part in parts {
        hash.update([0]);
        hash.update(part);
    }
    let mut bytes = [0; N];
    for (byte, value) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = value;
    }
    bytes
}

/// Exactly so many lower-case digits.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_printed_as_it_was() {
        let context = TraceContext::parse(TEXT).expect("a context");

        assert!(context.is_sampled);
        assert_eq!(context.to_string(), TEXT);
        assert_eq!(context.trace_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = TEXT.replace("00-4", "01-4") + "-more";
        assert_eq!(TraceContext::parse(&later), Some(context));
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for text in [
            String::new(),
            TEXT.to_uppercase(),
            TEXT.replace("00-4", "ff-4"),
            format!("{TEXT}-more"),
            TEXT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            TEXT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            TEXT.replace("-01", "-1"),
            TEXT.replace("-01", ""),
            TEXT.replace("4736-", "473ü-"),
        ] {
            assert_eq!(TraceContext::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn spans_of_a_job_are_the_same_on_every_host_and_differ_from_each_other() {
        let request = TraceContext::parse(TEXT);
        let trace = |job| JobTrace::of("here", JobId(job), request);
        let one = trace(7);

        assert_eq!(one, trace(7));
        assert_eq!(one.job().trace, request.expect("a context").trace);
        assert_eq!(one.parent, request.map(|request| request.span));
        let spans = [
            one.job().span,
            trace(8).job().span,
            one.task(TaskRunId(7)).span,
            one.step(TaskRunId(7), 1).span,
            one.step(TaskRunId(7), 2).span,
            one.call(TaskRunId(7), 1, 0).span,
            one.call(TaskRunId(7), 1, 1).span,
            one.delivery(7, 1).span,
        ];
        let different: std::collections::BTreeSet<_> = spans.iter().collect();
        assert_eq!(different.len(), spans.len());
        let scheduled = JobTrace::of("here", JobId(7), None);
        assert_eq!(scheduled.parent, None);
        assert_ne!(
            scheduled.job().trace,
            JobTrace::of("there", JobId(7), None).job().trace
        );
    }
}
