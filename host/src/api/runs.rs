//! The calls that start an orchestration: `/run`, which makes it a component like any other, `/trigger`, and what both
//! share with the creation of a job by hand.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::paths::IdText;
use super::read::{RunBody, check, read_config, read_run};
use super::shapes::print_job;
use super::{ApiError, ApiState};
use crate::domain::ids::OrchestrationId;
use crate::domain::job::Initiator;
use crate::store::{CreatedJob, NewJob};
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// Names the run of which a call is part.
const RUN_ID_HEADER: &str = "x-kbc-runid";
/// Longest run id that is kept, in characters.
const MOST_RUN_ID_CHARACTERS: usize = 255;

/// What a call that starts an orchestration brings besides its body.
pub(super) struct RunRequest {
    caller: Caller,
    base: Base,
    parent_run_id: Option<String>,
}

impl FromRequestParts<ApiState> for RunRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Ok(base) = Base::from_request_parts(parts, state).await;
        let header = parts
            .headers
            .get(RUN_ID_HEADER)
            .filter(|value| !value.is_empty());
        let parent_run_id = match header.map(|value| value.to_str()) {
            None => None,
            Some(Ok(text)) if text.len() <= MOST_RUN_ID_CHARACTERS => Some(text.to_owned()),
            Some(_) => {
                let reason =
                    format!("must be ASCII text of at most {MOST_RUN_ID_CHARACTERS} characters");
                return Err(ApiError::fault("X-KBC-RunId", reason));
            }
        };
        Ok(Self {
            caller,
            base,
            parent_run_id,
        })
    }
}

pub(super) async fn run_orchestration(
    State(state): State<ApiState>,
    run: RunRequest,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let (id, wishes) = check(|faults| (read_config(&body, faults), read_run(&body, faults)))?;
    let id = id.ok_or(ApiError::NotFound)?;
    make_job(
        &state,
        run,
        id,
        Initiator::Manually,
        wishes,
        StatusCode::ACCEPTED,
    )
    .await
}

/// Runs all tasks as configured; the body asks for nothing.
pub(super) async fn trigger_orchestration(
    State(state): State<ApiState>,
    run: RunRequest,
    id: IdText,
    _body: JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    make_job(
        &state,
        run,
        id,
        Initiator::Trigger,
        RunBody::default(),
        StatusCode::ACCEPTED,
    )
    .await
}

/// Creates a job and prints it with `status`.
pub(super) async fn make_job(
    state: &ApiState,
    run: RunRequest,
    orchestration_id: OrchestrationId,
    initialized_by: Initiator,
    wishes: RunBody,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let new = NewJob {
        project_id: run.caller.project,
        orchestration_id,
        initialized_by,
        initiator: Some(run.caller.into_initiator()),
        notifications_emails: wishes.notifications_emails,
        tasks: wishes.tasks,
        parent_run_id: run.parent_run_id,
    };
    match state.store.create_job(new, state.clock.now()).await? {
        CreatedJob::Created(job) => {
            state.runner.poke();
            Ok((status, print_job(&job, &run.base)).into_response())
        }
        CreatedJob::NotFound => Err(ApiError::NotFound),
        CreatedJob::Inactive => Err(ApiError::Inactive),
        CreatedJob::TasksDiffer(message) => Err(ApiError::TasksDiffer(message)),
    }
}
