//! From the domain's types to the contract's: what a plugin is told.

use super::delivery::orchestrator::delivery::types as event_types;
use super::task::orchestrator::host::checkpoints;
use super::task::orchestrator::task::types::{Certainty, Context, Wake};
use crate::domain::event::{Event, FailedTask};
use crate::domain::notification::Channel;
use crate::domain::step::{Checkpoint, StepContext};
use std::time::Duration;

pub(super) fn context(context: &StepContext) -> Context {
    Context {
        orchestration_id: id(context.orchestration_id.0),
        job_id: id(context.job_id.0),
        run_id: context.run_id.clone(),
        task_id: context.task_id.clone(),
        attempt: context.attempt,
        step: context.step,
        idempotency_key: context.idempotency_key.clone(),
        certainty: if context.is_in_doubt {
            Certainty::InDoubt
        } else {
            Certainty::Fresh
        },
        component: context.component.clone(),
        component_url: context.component_url.clone(),
        action: context.action.clone(),
        components_url: context.components_url.clone(),
        parameters: context.parameters.clone(),
        config: context.config.clone(),
        remaining_ms: context
            .deadline
            .map(|deadline| u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX)),
        extra: Vec::new(),
    }
}

pub(super) fn checkpoint(state: Checkpoint) -> checkpoints::Checkpoint {
    checkpoints::Checkpoint {
        format: state.format,
        data: state.data,
    }
}

pub(super) fn wake(is_recovery: bool) -> Wake {
    if is_recovery {
        Wake::Recovery
    } else {
        Wake::Timer
    }
}

pub(super) fn event(event: &Event) -> event_types::Event {
    let job = &event.job;
    event_types::Event {
        delivery_id: event.message_id.clone(),
        attempt: event.attempt,
        kind: match event.channel {
            Channel::Error => event_types::EventKind::Error,
            Channel::Waiting => event_types::EventKind::Waiting,
            Channel::Processing => event_types::EventKind::Processing,
            Channel::Success => event_types::EventKind::Success,
            Channel::Warning => event_types::EventKind::Warning,
            Channel::Recovery => event_types::EventKind::Recovery,
        },
        incident: event.incident.clone(),
        time: event.time.to_iso(),
        email: (!event.address.is_empty()).then(|| event.address.clone()),
        config: event.config.clone(),
        parameters: event.parameters.clone(),
        orchestration: event_types::Orchestration {
            id: id(event.orchestration_id.0),
            name: event.orchestration_name.clone(),
            url: event.orchestration_url.clone(),
        },
        job: event_types::Job {
            id: id(job.id.0),
            run_id: job.id.to_string(),
            status: job.status.as_str().to_owned(),
            initialized_by: job.initialized_by.as_str().to_owned(),
            created_time: job.created_at.to_iso(),
            start_time: job.start_at.map(|time| time.to_iso()),
            end_time: job.end_at.map(|time| time.to_iso()),
            url: job.url.clone(),
        },
        failed_tasks: event.failed_tasks.iter().map(failed_task).collect(),
        expected_seconds: event.expected.as_ref().map(Duration::as_secs),
        actual_seconds: event.actual.as_ref().map(Duration::as_secs),
        extra: Vec::new(),
    }
}

fn failed_task(task: &FailedTask) -> event_types::FailedTask {
    event_types::FailedTask {
        task_id: task.task_id.clone(),
        component: task.component.clone(),
        status: task.status.as_str().to_owned(),
        message: task.message.clone(),
    }
}

/// Ids are positive.
fn id(id: i64) -> u64 {
    u64::try_from(id).unwrap_or_default()
}
