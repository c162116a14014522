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

use super::auth::Visitor;
use super::{ApiError, ApiState};
use crate::domain::audit::Actor;
use crate::store::Store;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::net::IpAddr;

/// The header that carries the operator's token.
const OPERATOR_HEADER: &str = "x-operator-token";

/// Whoever presented the operator's token.
#[derive(Debug)]
pub(super) struct Operator {
    /// Where the request comes from.
    address: IpAddr,
}

impl Operator {
    /// The store, which notes changes as the operator's.
    fn store(&self, state: &ApiState) -> Store {
        state.store.on_behalf_of(Actor {
            token: None,
            address: self.address.to_string(),
        })
    }
}

impl FromRequestParts<ApiState> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let token = state.settings.operator_token.as_ref();
        let token = token.ok_or(ApiError::NotFound)?;
        let Ok(Visitor { address, .. }) = Visitor::from_request_parts(parts, state).await;
        let presented = parts.headers.get(OPERATOR_HEADER);
        let presented = presented.and_then(|value| value.to_str().ok());
        let presented = presented.map(str::trim);
        let now = state.clock.now();
        let limiter = &state.limiter;
        let admitted = limiter.admit_token(presented.unwrap_or_default(), address, now)?;
        if presented.is_some_and(|presented| token.is(presented)) {
            limiter.note_valid(admitted, now);
            Ok(Self { address })
        } else {
            limiter.note_refused(presented, address, now);
            Err(ApiError::OperatorUnauthorized)
        }
    }
}
