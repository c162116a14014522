//! Jobs: made in three ways, read, cancelled, and watched by their events.

use super::job_headers;
use crate::api::openapi::failures::{
    IDEMPOTENCY_CONFLICT, INACTIVE, JOB_NOT_WAITING, JOB_VALIDATION, NOT_FOUND, OVER_DAILY_QUOTA,
    TOO_MANY_STREAMS,
};
use crate::api::openapi::operation::{Group, JSON, Operation};
use crate::api::read::{
    Nothing, RunBody, RunCallBody, event_parameters, page_parameters, search_parameters,
};
use crate::api::shapes::{EventShape, FoundJobShape, JobShape, UsageShape};
use serde_json::json;

const JOBS: Group = Group("Jobs");
const EVENTS: Group = Group("Events");
type Job = JobShape<'static>;
type FoundJob = FoundJobShape<'static>;
type Event = EventShape<'static>;
const STREAM: &str = "text/event-stream";

pub(super) fn operations() -> Vec<Operation> {
    let of_orchestration =
        |path, id, summary| JOBS.call(path, id, summary).id("id", "The orchestration.");
    let of_job = |path, id, summary| JOBS.call(path, id, summary).id("id", "The job.");
    let made = [IDEMPOTENCY_CONFLICT, OVER_DAILY_QUOTA];
    vec![
        of_orchestration(
            "GET /orchestrations/{id}/jobs",
            "listJobs",
            "The jobs of an orchestration",
        )
        .with(page_parameters())
        .gives::<[Job]>(200, "Jobs, newest first, without their tasks.", "jobs")
        .counted(),
        of_orchestration(
            "POST /orchestrations/{id}/jobs",
            "createJob",
            "Run an orchestration by hand",
        )
        .says("One that is not active may be run this way, too.")
        .with(job_headers())
        .may_take::<RunBody>(JSON, "newJob")
        .gives::<Job>(201, "The new job, which waits.", "job")
        .fails(&made)
        .fails(&[JOB_VALIDATION]),
        of_orchestration(
            "POST /orchestrations/{id}/trigger",
            "triggerOrchestration",
            "Run an orchestration as it is configured",
        )
        .with(job_headers())
        .may_take::<Nothing>(JSON, "nothing")
        .gives::<Job>(202, "The new job, which waits.", "job")
        .fails(&made)
        .fails(&[INACTIVE]),
        JOBS.call(
            "POST /run",
            "runOrchestration",
            "Run an orchestration as a component",
        )
        .says("The component form of creating a job: it makes an orchestration usable as a task of another one.")
        .with(job_headers())
        .takes::<RunCallBody>("runCall")
        .gives::<Job>(202, "The new job, which waits.", "job")
        .fails(&made)
        .fails(&[JOB_VALIDATION, NOT_FOUND]),
        JOBS.call("GET /jobs", "findJobs", "Jobs of all orchestrations")
            .says(
                "A page with a filter looks at a bounded number of jobs: with `X-Next-Before`, a short page \
                 is not the last one.",
            )
            .with(search_parameters())
            .gives::<[FoundJob]>(200, "Jobs, newest first, without their results.", "foundJobs")
            .may_have_header(
                "X-Next-Before",
                "Where the next page begins; absent on the last one.",
                &json!({"type": "integer", "format": "int64", "minimum": 1}),
            ),
        of_job("GET /jobs/{id}", "readJob", "A job").gives::<Job>(200, "The job.", "endedJob"),
        of_job("DELETE /jobs/{id}", "cancelJob", "Cancel a waiting job")
            .gives_nothing(204, "It is cancelled.")
            .fails(&[JOB_NOT_WAITING]),
        of_job("GET /jobs/{id}/usage", "readJobUsage", "What a job has used")
            .gives::<UsageShape<'static>>(200, "One entry per task that has run.", "usage"),
        EVENTS
            .call("GET /jobs/{id}/events", "listJobEvents", "The events of a job")
            .says(
                "A page, or with `Accept: text/event-stream` a stream from the job's beginning to its \
                 end. One that is continued after that has no content.",
            )
            .id("id", "The job.")
            .with(event_parameters())
            .gives::<[Event]>(200, "Events, oldest first.", "events")
            .or::<String>(STREAM, "")
            .gives_nothing(204, "The job has ended, and all of its events were sent.")
            .fails(&[TOO_MANY_STREAMS]),
        EVENTS
            .call("GET /events", "listEvents", "The events of the project")
            .says("A page, or with `Accept: text/event-stream` a stream that begins now.")
            .with(event_parameters())
            .gives::<[Event]>(200, "Events, oldest first.", "events")
            .or::<String>(STREAM, "")
            .fails(&[TOO_MANY_STREAMS]),
    ]
}
