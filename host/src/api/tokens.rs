//! `/v2/storage/tokens/verify`: what a token is, told to its bearer.

use super::addresses::Base;
use super::auth::{Caller, presented_secret};
use super::shapes::print_token;
use super::{ApiError, ApiState};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

pub(super) async fn verify_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let secret = presented_secret(&headers).ok_or(ApiError::Unauthorized)?;
    let owner = state
        .store
        .read_project(caller.project)
        .await?
        .ok_or(ApiError::Unauthorized)?;
    Ok(print_token(
        &caller.token,
        secret,
        &owner,
        state.clock.now(),
        &base,
    ))
}
