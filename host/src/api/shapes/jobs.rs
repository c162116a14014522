//! How a job looks, its results among the rest. The list form leaves `tasks` out.

use super::TokenShape;
use crate::api::addresses::Base;
use crate::domain::ids::{JobId, OrchestrationId, TokenId};
use crate::domain::job::{Initiator, InitiatorToken, Job, Status, TaskRun};
use crate::domain::phases;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::rc::Rc;

/// One execution of an orchestration. Lists leave `tasks` out.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Job")]
pub(in crate::api) struct JobShape<'a> {
    id: JobId,
    orchestration_id: OrchestrationId,
    created_time: Timestamp,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    status: Status,
    is_finished: bool,
    initialized_by: Initiator,
    token: TokenShape<'a>,
    initiator_token: Option<InitiatorShape<'a>>,
    results: Option<ResultsShape>,
    notifications_emails: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a [Task]>,
    /// The job's number is its run's number.
    run_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<&'a str>,
    #[schemars(extend("format" = "uri"))]
    uri: String,
    /// The same address, so that the orchestrator is a component that can be polled.
    #[schemars(extend("format" = "uri"))]
    url: String,
}

/// The token of the call that made a job.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InitiatorToken")]
pub(in crate::api) struct InitiatorShape<'a> {
    id: TokenId,
    description: &'a str,
    user_agent: Option<&'a str>,
}

/// `phases` groups the entries of `tasks`.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "JobResults")]
pub(in crate::api) struct ResultsShape {
    #[schemars(with = "Vec<EntryShape<'_>>")]
    tasks: Vec<Printed>,
    #[schemars(with = "Vec<Vec<EntryShape<'_>>>")]
    phases: Vec<Vec<Printed>>,
}

/// An entry, printed once for the two lists that it is in. Cloning it is cheap.
#[derive(Clone)]
struct Printed(Rc<serde_json::Result<Box<RawValue>>>);

impl Serialize for Printed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            Ok(text) => text.serialize(serializer),
            Err(error) => Err(S::Error::custom(error)),
        }
    }
}

/// The task as configured, and what became of it.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TaskResult")]
pub(in crate::api) struct EntryShape<'a> {
    #[serde(flatten)]
    task: &'a Task,
    /// The job's number, a dot, and a number of its own.
    #[schemars(regex(pattern = "^[0-9]+\\.[0-9]+$"))]
    run_id: String,
    status: Status,
    start_time: Timestamp,
    end_time: Option<Timestamp>,
    /// Whole seconds; `null` while it runs.
    duration: Option<u64>,
    /// The last JSON that the component answered.
    response: Option<&'a RawValue>,
    /// Stable name of what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

pub(in crate::api) fn print_job(job: &Job, base: &Base) -> Response {
    let tasks = job.tasks();
    let mut shape = shape(job, &tasks, base);
    shape.tasks = Some(&tasks);
    Json(shape).into_response()
}

pub(in crate::api) fn print_jobs(jobs: &[Job], base: &Base) -> Response {
    let tasks: Vec<_> = jobs.iter().map(Job::tasks).collect();
    let shapes = jobs
        .iter()
        .zip(&tasks)
        .map(|(job, tasks)| shape(job, tasks, base));
    Json(shapes.collect::<Vec<_>>()).into_response()
}

fn shape<'a>(job: &'a Job, tasks: &'a [Task], base: &Base) -> JobShape<'a> {
    let uri = base.job(job.id);
    JobShape {
        id: job.id,
        orchestration_id: job.orchestration_id,
        created_time: job.created_at,
        start_time: job.start_at,
        end_time: job.end_at,
        status: job.status,
        is_finished: job.status.is_finished(),
        initialized_by: job.initialized_by,
        token: TokenShape::of(&job.token),
        initiator_token: job.initiator.as_ref().map(initiator),
        results: job.start_at.map(|_| results(job, tasks)),
        notifications_emails: &job.notifications_emails,
        tasks: None,
        run_id: job.id,
        parent_run_id: job.parent_run_id.as_deref(),
        url: uri.clone(),
        uri,
    }
}

pub(super) fn initiator(token: &InitiatorToken) -> InitiatorShape<'_> {
    InitiatorShape {
        id: token.id,
        description: &token.description,
        user_agent: token.user_agent.as_deref(),
    }
}

/// Only tasks that have started have an entry, and only phases with an entry are listed.
fn results(job: &Job, tasks: &[Task]) -> ResultsShape {
    let in_range = |range: std::ops::Range<usize>| {
        let runs = job
            .task_runs
            .iter()
            .filter(move |run| range.contains(&run.position));
        let entries = runs.filter_map(|run| Some(entry(job.id, tasks.get(run.position)?, run)));
        entries
            .map(|entry| Printed(Rc::new(to_raw_value(&entry))))
            .collect::<Vec<_>>()
    };
    let mut phases: Vec<_> = phases::ranges(tasks).into_iter().map(in_range).collect();
    phases.retain(|phase| !phase.is_empty());
    ResultsShape {
        tasks: phases.concat(),
        phases,
    }
}

fn entry<'a>(job: JobId, task: &'a Task, run: &'a TaskRun) -> EntryShape<'a> {
    EntryShape {
        task,
        run_id: format!("{job}.{}", run.id),
        status: run.status,
        start_time: run.start_at,
        end_time: run.end_at,
        duration: run.end_at.map(|end| end.since(run.start_at).as_secs()),
        response: run.response.as_deref(),
        code: run.error_code.as_deref(),
        message: run.message.as_deref(),
    }
}
