//! `/orchestrations/{id}/tasks`: the whole list, read and replaced.

use super::auth::Caller;
use super::body::JsonArray;
use super::orchestrations::save;
use super::paths::IdText;
use super::read::{TaskIds, check, read_tasks};
use super::{ApiError, ApiState};
use crate::domain::ids::OrchestrationId;
use crate::domain::task::Task;
use crate::store::OrchestrationChange;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn list_tasks(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let orchestration = state.store.read_orchestration(caller.project, id).await?;
    Ok(Json(&orchestration.ok_or(ApiError::NotFound)?.revision.tasks).into_response())
}

pub(super) async fn replace_tasks(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
    JsonArray(body): JsonArray,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let tasks = check(|faults| read_tasks(&body, "", TaskIds::Kept, faults))?;
    check_parameters(&state, &caller, &tasks, "").await?;
    let change = OrchestrationChange {
        tasks: Some(tasks),
        ..OrchestrationChange::default()
    };
    let updated = save(&state, &caller, id, change).await?;
    Ok((StatusCode::ACCEPTED, Json(&updated.revision.tasks)).into_response())
}

/// Whether tasks of a list at `path` fit what the plugins that run them want.
///
/// # Errors
/// [`ApiError::Invalid`] with every fault.
pub(super) async fn check_parameters(
    state: &ApiState,
    caller: &Caller,
    tasks: &[Task],
    path: &str,
) -> Result<(), ApiError> {
    let faults = state.registry.check_tasks(caller.project, tasks, path);
    faults.await?.into_result(()).map_err(ApiError::Invalid)
}
