//! Whether this server answers and does its work, for whoever watches it. Open to all: it tells nothing else.

use super::{ApiError, ApiState};
use crate::domain::role::Role;
use crate::domain::tick::LATE_AFTER;
use crate::domain::time::Timestamp;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// How a server is.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Health")]
pub(super) struct HealthShape {
    #[schemars(extend("enum" = ["ok", "overdue"]))]
    status: &'static str,
    /// When the oldest schedule that is overdue was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_since: Option<Timestamp>,
}

impl HealthShape {
    fn of(due_since: Option<Timestamp>) -> Json<Self> {
        let status = if due_since.is_some() { "overdue" } else { "ok" };
        Json(Self { status, due_since })
    }
}

/// The process answers.
pub(super) async fn show_live() -> Json<HealthShape> {
    HealthShape::of(None)
}

/// The database answers too, and no schedule is overdue: one that nobody fires is the failure that nobody notices. It is
/// a failure of the servers that fire schedules: the others go on to be ready for what is theirs.
pub(super) async fn show_ready(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let due = state.store.next_due_time().await?;
    let fires = state.settings.roles.has(Role::Scheduler);
    match due.filter(|due| fires && state.clock.now().since(*due) > LATE_AFTER) {
        None => Ok(HealthShape::of(None).into_response()),
        Some(due) => {
            let body = HealthShape::of(Some(due));
            let retry_after = [(header::RETRY_AFTER, "5")];
            Ok((StatusCode::SERVICE_UNAVAILABLE, retry_after, body).into_response())
        }
    }
}
