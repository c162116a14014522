//! `/orchestrations/{id}/notifications`: the whole list of subscriptions, read and replaced.

use super::auth::Caller;
use super::body::JsonArray;
use super::orchestrations::save;
use super::paths::IdText;
use super::read::{check, read_notifications};
use super::{ApiError, ApiState};
use crate::domain::ids::OrchestrationId;
use crate::store::OrchestrationChange;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn list_notifications(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let orchestration = state.store.read_orchestration(caller.project, id).await?;
    Ok(Json(
        &orchestration
            .ok_or(ApiError::NotFound)?
            .revision
            .notifications,
    )
    .into_response())
}

pub(super) async fn replace_notifications(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
    JsonArray(body): JsonArray,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let notifications = check(|faults| read_notifications(&body, "", faults))?;
    let change = OrchestrationChange {
        notifications: Some(notifications),
        ..OrchestrationChange::default()
    };
    let updated = save(&state, &caller, id, change).await?;
    Ok((StatusCode::ACCEPTED, Json(&updated.revision.notifications)).into_response())
}
