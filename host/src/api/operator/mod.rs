//! `/operator/…`: projects, and their tokens, managed by whoever runs the server.
//!
//! Its callers present the operator's token, which no project has. A server that was given none has no such calls: they
//! answer like any address that does not exist. Every change is logged.

mod projects;
mod tokens;

pub(super) use projects::{
    change_project, create_project, delete_project, list_projects, read_project,
};
pub(super) use tokens::{create_token, list_tokens, revoke_token, rotate_token};

use super::{ApiError, ApiState};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// The header that carries the operator's token.
const OPERATOR_HEADER: &str = "x-operator-token";

/// Whoever presented the operator's token.
#[derive(Debug)]
pub(super) struct Operator;

impl FromRequestParts<ApiState> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let token = state.settings.operator_token.as_ref();
        let token = token.ok_or(ApiError::NotFound)?;
        let presented = parts.headers.get(OPERATOR_HEADER);
        let presented = presented.and_then(|value| value.to_str().ok());
        if presented.is_some_and(|presented| token.is(presented.trim())) {
            Ok(Self)
        } else {
            Err(ApiError::OperatorUnauthorized)
        }
    }
}
