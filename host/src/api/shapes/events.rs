//! How an event looks, in a list and in a stream.

use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job_event::{EventKind, JobEvent};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// Something that happened to a job or one of its tasks.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Event")]
pub(in crate::api) struct EventShape<'a> {
    /// Its place among all events: what `after` and `Last-Event-ID` take.
    #[schemars(regex(pattern = "^[0-9]+-[0-9]+$"))]
    id: String,
    #[schemars(extend("enum" = ["job", "task", "log", "limit"]))]
    event: &'static str,
    /// With milliseconds.
    #[schemars(extend("format" = "date-time"))]
    time: String,
    job_id: JobId,
    orchestration_id: OrchestrationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// As much of a task as tells it from others.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EventTask")]
pub(in crate::api) struct TaskShape<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component_url: Option<&'a str>,
    phase: Option<&'a str>,
}

fn shape(event: &JobEvent) -> EventShape<'_> {
    let label = event.label.as_str();
    let is_line = event.kind == EventKind::Log;
    let has_status = matches!(event.kind, EventKind::Job | EventKind::Task);
    EventShape {
        id: event.cursor.to_string(),
        event: event.kind.as_str(),
        time: event.at.to_iso_milliseconds(),
        job_id: event.job_id,
        orchestration_id: event.orchestration_id,
        task: event.task.as_ref().map(|task| TaskShape {
            id: &task.id,
            component: task.component.as_deref(),
            component_url: task.component_url.as_deref(),
            phase: task.phase.as_deref(),
        }),
        status: has_status.then_some(label),
        level: is_line.then_some(label),
        code: event.code.as_deref(),
        message: event.message.as_deref(),
    }
}

pub(in crate::api) fn print_events(events: &[JobEvent]) -> Response {
    let shapes: Vec<_> = events.iter().map(shape).collect();
    Json(shapes).into_response()
}

/// An event of a stream: its id, its name and the same JSON, in one line.
pub(in crate::api) fn print_frame(event: &JobEvent) -> String {
    let shape = shape(event);
    // It always serialises: texts and numbers.
    let data = serde_json::to_string(&shape).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", shape.id, shape.event)
}
