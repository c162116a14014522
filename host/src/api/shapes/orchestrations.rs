//! How an orchestration looks. The list form is the detail form without `tasks`.

use super::TokenShape;
use crate::api::addresses::Base;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::Status;
use crate::domain::notification::Notification;
use crate::domain::orchestration::{ExecutedJob, Orchestration};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// An ordered list of tasks, and when it runs. Lists leave `tasks` out.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Orchestration")]
pub(in crate::api) struct OrchestrationShape<'a> {
    id: OrchestrationId,
    name: &'a str,
    crontab_record: Option<&'a str>,
    created_time: Timestamp,
    last_scheduled_time: Option<Timestamp>,
    next_scheduled_time: Option<Timestamp>,
    active: bool,
    token: TokenShape<'a>,
    #[schemars(extend("format" = "uri"))]
    uri: String,
    last_executed_job: Option<ExecutedJobShape>,
    notifications: &'a [Notification],
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a [Task]>,
}

/// The newest job that has started.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ExecutedJob")]
pub(in crate::api) struct ExecutedJobShape {
    id: JobId,
    status: Status,
    created_time: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

pub(in crate::api) fn print_orchestration(orchestration: &Orchestration, base: &Base) -> Response {
    let mut shape = shape(orchestration, base);
    shape.tasks = Some(&orchestration.revision.tasks);
    Json(shape).into_response()
}

pub(in crate::api) fn print_orchestrations(
    orchestrations: &[Orchestration],
    base: &Base,
) -> Response {
    let shapes: Vec<_> = orchestrations.iter().map(|one| shape(one, base)).collect();
    Json(shapes).into_response()
}

fn shape<'a>(orchestration: &'a Orchestration, base: &Base) -> OrchestrationShape<'a> {
    OrchestrationShape {
        id: orchestration.id,
        name: &orchestration.name,
        crontab_record: orchestration.crontab_record.as_deref(),
        created_time: orchestration.created_at,
        last_scheduled_time: orchestration.last_scheduled_at,
        next_scheduled_time: orchestration.next_scheduled_at,
        active: orchestration.active,
        token: TokenShape::of(&orchestration.token),
        uri: base.orchestration(orchestration.id),
        last_executed_job: orchestration.last_executed_job.as_ref().map(executed_job),
        notifications: &orchestration.revision.notifications,
        tasks: None,
    }
}

fn executed_job(job: &ExecutedJob) -> ExecutedJobShape {
    ExecutedJobShape {
        id: job.id,
        status: job.status,
        created_time: job.created_at,
        start_time: job.start_at,
        end_time: job.end_at,
    }
}
