//! `/operator/projects`: made with their first token, limited, disabled, deleted.

use super::Operator;
use crate::api::body::JsonObject;
use crate::api::paths::IdText;
use crate::api::read::{check, read_new_project, read_project_change};
use crate::api::shapes::{print_new_project, print_project, print_projects};
use crate::api::{ApiError, ApiState};
use crate::domain::ids::ProjectId;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(in crate::api) async fn list_projects(
    State(state): State<ApiState>,
    _operator: Operator,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    Ok(print_projects(&state.store.list_tenants(now).await?, now))
}

pub(in crate::api) async fn read_project(
    State(state): State<ApiState>,
    _operator: Operator,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(ProjectId::from_text)?;
    let now = state.clock.now();
    let found = state.store.read_tenant(id, now).await?;
    Ok(print_project(&found.ok_or(ApiError::NotFound)?, now))
}

/// The answer holds the master token, which is shown this once.
pub(in crate::api) async fn create_project(
    State(state): State<ApiState>,
    operator: Operator,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let (name, limits) = check(|faults| read_new_project(&body, faults))?;
    let (master, secret) = state.tokens.new_master_token()?;
    let now = state.clock.now();
    let made = operator
        .store(&state)
        .create_tenant(name, limits, master, now)
        .await?;
    let made = made.ok_or(ApiError::NotFound)?;
    tracing::info!(project = %made.id, "operator: project created");
    let printed = print_new_project(&made, &secret, now);
    Ok((StatusCode::CREATED, printed).into_response())
}

pub(in crate::api) async fn change_project(
    State(state): State<ApiState>,
    operator: Operator,
    id: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(ProjectId::from_text)?;
    let change = check(|faults| read_project_change(&body, faults))?;
    let is_disabled = change.is_disabled;
    let now = state.clock.now();
    let changed = operator
        .store(&state)
        .change_tenant(id, change, now)
        .await?;
    let changed = changed.ok_or(ApiError::NotFound)?;
    tracing::info!(project = %id, is_disabled, "operator: project changed");
    state.scheduler.poke();
    state.runner.poke();
    Ok(print_project(&changed, now))
}

/// For everybody it is gone when this is answered; what there was of it is removed in the background.
pub(in crate::api) async fn delete_project(
    State(state): State<ApiState>,
    operator: Operator,
    id: IdText,
) -> Result<StatusCode, ApiError> {
    let id = id.read(ProjectId::from_text)?;
    if !operator
        .store(&state)
        .delete_tenant(id, state.clock.now())
        .await?
    {
        return Err(ApiError::NotFound);
    }
    tracing::info!(project = %id, "operator: project deleted");
    Ok(StatusCode::NO_CONTENT)
}
