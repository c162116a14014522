//! `/quotas`: a project's own limits, and what it uses of them.

use super::auth::Caller;
use super::shapes::print_quotas;
use super::{ApiError, ApiState};
use axum::extract::State;
use axum::response::Response;

pub(super) async fn show_quotas(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let usage = state.store.read_use(caller.project, now).await?;
    Ok(print_quotas(&usage.ok_or(ApiError::Unauthorized)?, now))
}
