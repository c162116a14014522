//! How a job looks in a list over all orchestrations: without its tasks and their results, and with what these come to.

use super::TokenShape;
use super::jobs::{InitiatorShape, initiator};
use crate::api::addresses::Base;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::{Initiator, Status};
use crate::domain::time::Timestamp;
use crate::store::FoundJob;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// A job in a list over all orchestrations.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FoundJob")]
pub(in crate::api) struct FoundJobShape<'a> {
    id: JobId,
    orchestration_id: OrchestrationId,
    orchestration_name: &'a str,
    created_time: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    status: Status,
    is_finished: bool,
    initialized_by: Initiator,
    token: TokenShape<'a>,
    initiator_token: Option<InitiatorShape<'a>>,
    progress: ProgressShape,
    run_id: JobId,
    #[schemars(extend("format" = "uri"))]
    uri: String,
    #[schemars(extend("format" = "uri"))]
    url: String,
}

/// How many of a job's tasks are over.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "JobProgress")]
struct ProgressShape {
    /// Those that this job runs, unless it ends before.
    tasks: usize,
    ended: u64,
    failed: u64,
}

pub(in crate::api) fn print_found_jobs(found: &[FoundJob], base: &Base) -> Response {
    let shape = |one| shape(one, base);
    Json(found.iter().map(shape).collect::<Vec<_>>()).into_response()
}

fn shape<'a>(found: &'a FoundJob, base: &Base) -> FoundJobShape<'a> {
    let job = &found.job;
    let active = job.tasks().iter().filter(|task| task.active).count();
    FoundJobShape {
        id: job.id,
        orchestration_id: job.orchestration_id,
        orchestration_name: &found.orchestration_name,
        created_time: job.created_at,
        start_time: job.start_at,
        end_time: job.end_at,
        status: job.status,
        is_finished: job.status.is_finished(),
        initialized_by: job.initialized_by,
        token: TokenShape::of(&job.token),
        initiator_token: job.initiator.as_ref().map(initiator),
        progress: ProgressShape {
            tasks: active,
            ended: found.ended_tasks,
            failed: found.failed_tasks,
        },
        run_id: job.id,
        uri: base.job(job.id),
        url: base.job(job.id),
    }
}
