//! What the tasks of a job have used so far.

use crate::domain::job::{Job, Status};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// What a job has used so far.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "JobUsage")]
pub(in crate::api) struct UsageShape<'a> {
    tasks: Vec<TaskUsageShape<'a>>,
}

/// What one of its tasks has used.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TaskUsage")]
pub(in crate::api) struct TaskUsageShape<'a> {
    id: &'a str,
    run_id: String,
    status: Status,
    cpu_milliseconds: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

/// One entry per task that has run.
pub(in crate::api) fn print_usage(job: &Job) -> Response {
    let entries = job.task_runs.iter().filter_map(|run| {
        let task = job.revision.tasks.get(run.position)?;
        Some(TaskUsageShape {
            id: &task.id,
            run_id: format!("{}.{}", job.id, run.id),
            status: run.status,
            cpu_milliseconds: run.usage.cpu_micros.div_ceil(1_000),
            sent_bytes: run.usage.sent_bytes,
            received_bytes: run.usage.received_bytes,
        })
    });
    Json(UsageShape {
        tasks: entries.collect(),
    })
    .into_response()
}
