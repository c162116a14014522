//! The jobs of an orchestration, those of the project that match, and one job.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::paths::IdText;
use super::read::{JobQuery, PageQuery, check, read_run};
use super::runs::{RunCall, RunRequest, make_job};
use super::shapes::{print_found_jobs, print_job, print_jobs, print_usage};
use super::{ApiError, ApiState, NEXT_BEFORE, TOTAL_COUNT};
use crate::domain::ids::{JobId, OrchestrationId};
use crate::store::Cancelled;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub(super) async fn list_jobs(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    page: PageQuery,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let found = state
        .store
        .list_jobs(caller.project, id, page.limit, page.offset)
        .await?;
    let found = found.ok_or(ApiError::NotFound)?;
    let total = [(TOTAL_COUNT, HeaderValue::from(found.total))];
    Ok((total, print_jobs(&found.jobs, &base)).into_response())
}

/// Over all orchestrations of the project.
pub(super) async fn find_jobs(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    query: JobQuery,
) -> Result<Response, ApiError> {
    let found = state
        .store
        .find_jobs(
            caller.project,
            &query.search,
            query.before,
            query.limit,
            state.clock.now(),
        )
        .await?;
    let answer = print_found_jobs(&found.jobs, &base);
    Ok(match found.next {
        Some(next) => ([(NEXT_BEFORE, HeaderValue::from(next.0))], answer).into_response(),
        None => answer,
    })
}

pub(super) async fn create_job(
    State(state): State<ApiState>,
    run: RunRequest,
    id: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let wishes = check(|faults| read_run(&body, faults))?;
    make_job(&state, run, RunCall::Jobs, id, wishes).await
}

pub(super) async fn read_job(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(JobId::from_text)?;
    let job = state.store.read_job(caller.project, id).await?;
    Ok(print_job(&job.ok_or(ApiError::NotFound)?, &base))
}

pub(super) async fn read_usage(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(JobId::from_text)?;
    let job = state.store.read_job(caller.project, id).await?;
    Ok(print_usage(&job.ok_or(ApiError::NotFound)?))
}

pub(super) async fn cancel_job(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<StatusCode, ApiError> {
    let job = id.read(JobId::from_text)?;
    match caller
        .store(&state)
        .cancel_job(caller.project, job, state.clock.now())
        .await?
    {
        Cancelled::Done => {
            state.runner.poke();
            state.events.poke();
            Ok(StatusCode::NO_CONTENT)
        }
        Cancelled::NotFound => Err(ApiError::NotFound),
        Cancelled::NotWaiting(status) => Err(ApiError::JobNotWaiting { job, status }),
    }
}
