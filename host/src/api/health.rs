//! Whether this server answers, for whoever watches it. Open to all: it tells nothing else.

use super::{ApiError, ApiState};
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

/// The process answers.
pub(super) async fn show_live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The database answers too.
pub(super) async fn show_ready(State(state): State<ApiState>) -> Result<Json<Value>, ApiError> {
    state.store.has_projects().await?;
    Ok(Json(json!({"status": "ok"})))
}
