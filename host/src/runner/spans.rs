//! Spans of steps, of their tasks and jobs, and of the calls that leave in them.
//!
//! Whoever ends the last task of a job tells the job's span: the ids of all of them follow from the job (`domain/trace.rs`).

use super::Runner;
use super::services::Services;
use crate::domain::job::{Job, Status};
use crate::domain::time::Timestamp;
use crate::domain::trace::JobTrace;
use crate::metrics::JobEnd;
use crate::plugins::BegunCall;
use crate::store::{LeasedStep, StepEnd};
use crate::traces::{Span, SpanKind};
use std::sync::atomic::Ordering;

impl Runner {
    /// The spans of a job; `None`: neither whoever asked for it nor this server traces.
    pub(super) fn trace_of(&self, job: &Job) -> Option<JobTrace> {
        let installation = &self.settings.installation;
        let is_traced = job.trace.is_some() || self.tracer.is_on();
        is_traced.then(|| JobTrace::of(installation, job.id, job.trace))
    }

    /// Tells a step whose end is recorded, and with it what it ended. `over` is from its begin to that end.
    pub(super) fn tell_spans(
        &self,
        leased: &LeasedStep,
        end: &StepEnd,
        over: (Timestamp, Timestamp),
        job_end: Option<JobEnd>,
    ) {
        let Some(trace) = self.trace_of(&leased.job).filter(|_| self.tracer.is_on()) else {
            return;
        };
        let ((from, to), run) = (over, leased.lease.run);
        let (task, step) = (trace.task(run), trace.step(run, leased.lease.epoch));
        let (failure, ended) = match end {
            StepEnd::Done {
                status,
                error_code,
                message,
                ..
            } => (
                failure(*status, error_code.as_deref(), message.as_deref()),
                true,
            ),
            StepEnd::Wait { .. } => (None, false),
            StepEnd::Abandoned { .. } => (Some("it is to be repeated".to_owned()), false),
        };
        let of_step = || Span {
            name: "step".to_owned(),
            kind: SpanKind::Internal,
            context: step,
            parent: Some(task.span),
            from,
            to,
            attributes: vec![
                ("orchestrator.step", i64::from(leased.step).into()),
                ("orchestrator.attempt", i64::from(leased.attempt).into()),
                ("orchestrator.host", leased.lease.host.0.into()),
            ],
            failure: failure.clone(),
        };
        self.tracer.tell(of_step, step);
        if ended {
            let of_task = || Span {
                name: format!("task {}", leased.task.target()),
                kind: SpanKind::Internal,
                context: task,
                parent: Some(trace.job().span),
                from: leased.start_at,
                to,
                attributes: vec![
                    ("orchestrator.task", leased.task.id.clone().into()),
                    ("orchestrator.run", run.0.into()),
                ],
                failure: failure.clone(),
            };
            self.tracer.tell(of_task, task);
        }
        if let Some(job_end) = job_end {
            self.tracer
                .tell(|| job_span(&leased.job, trace, job_end, to), trace.job());
        }
    }
}

fn job_span(job: &Job, trace: JobTrace, end: JobEnd, to: Timestamp) -> Span {
    let waited = job.start_at.unwrap_or(to).since(job.created_at);
    let waited = i64::try_from(waited.as_millis()).unwrap_or(i64::MAX);
    Span {
        name: "job".to_owned(),
        kind: SpanKind::Consumer,
        context: trace.job(),
        parent: trace.parent,
        from: job.created_at,
        to,
        attributes: vec![
            ("orchestrator.project", job.project_id.0.into()),
            ("orchestrator.orchestration", job.orchestration_id.0.into()),
            ("orchestrator.job", job.id.0.into()),
            ("orchestrator.status", end.status.as_str().into()),
            ("orchestrator.waited_ms", waited.into()),
        ],
        failure: failure(end.status, None, None),
    }
}

fn failure(status: Status, code: Option<&str>, message: Option<&str>) -> Option<String> {
    (status == Status::Error).then(|| match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => status.as_str().to_owned(),
    })
}

impl Services {
    /// The next of the step's calls.
    pub(super) fn next_call(&self) -> Option<BegunCall> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let trace = self.trace?;
        Some(BegunCall {
            context: trace.call(self.lease.run, self.lease.epoch, number),
            at: self.runner.pause.clock.now(),
        })
    }

    pub(super) fn tell_call(
        &self,
        call: BegunCall,
        method: &str,
        origin: &str,
        answer: Result<u16, String>,
    ) {
        let Some(trace) = self.trace else { return };
        let span = || {
            let mut attributes = vec![
                ("http.request.method", method.into()),
                ("server.address", origin.into()),
            ];
            if let Ok(status) = answer {
                attributes.push(("http.response.status_code", i64::from(status).into()));
            }
            Span {
                name: method.to_owned(),
                kind: SpanKind::Client,
                context: call.context,
                parent: Some(trace.step(self.lease.run, self.lease.epoch).span),
                from: call.at,
                to: self.runner.pause.clock.now(),
                attributes,
                failure: match answer {
                    Ok(status) if status < 400 => None,
                    Ok(status) => Some(status.to_string()),
                    Err(why) => Some(why),
                },
            }
        };
        self.runner.tracer.tell(span, call.context);
    }
}
