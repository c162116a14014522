//! `/orchestrations/{id}/notifications`: the whole list of subscriptions, read and replaced.

use super::auth::Caller;
use super::body::JsonArray;
use super::orchestrations::save;
use super::paths::IdText;
use super::read::{check, read_notifications};
use super::{ApiError, ApiState};
use crate::domain::ids::OrchestrationId;
use crate::domain::notification::Notification;
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
    check_configurations(&state, &caller, &notifications, "").await?;
    let change = OrchestrationChange {
        notifications: Some(notifications),
        ..OrchestrationChange::default()
    };
    let updated = save(&state, &caller, id, change).await?;
    Ok((StatusCode::ACCEPTED, Json(&updated.revision.notifications)).into_response())
}

/// Whether notifications of a list at `path` fit what the plugins that deliver them want.
///
/// # Errors
/// [`ApiError::Invalid`] with every fault.
pub(super) async fn check_configurations(
    state: &ApiState,
    caller: &Caller,
    notifications: &[Notification],
    path: &str,
) -> Result<(), ApiError> {
    let faults = state
        .registry
        .check_notifications(caller.project, notifications, path);
    faults.await?.into_result(()).map_err(ApiError::Invalid)
}
