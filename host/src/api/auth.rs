//! Who calls: the header `X-StorageApi-Token`, and what its token may do.

use super::addresses::{Connection, client_address};
use super::{ApiError, ApiState};
use crate::domain::audit::Actor;
use crate::domain::ids::{ProjectId, TokenId};
use crate::domain::job::InitiatorToken;
use crate::domain::orchestration::TokenReference;
use crate::registry::Registry;
use crate::store::{Store, Token};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use std::net::IpAddr;

/// The header that carries a token's secret.
const TOKEN_HEADER: &str = "x-storageapi-token";
/// Sent by browser clients, which cannot set their `User-Agent`.
const OTHER_USER_AGENT: &str = "x-user-agent";
/// Longest user agent that is kept, in characters.
const MOST_USER_AGENT_CHARACTERS: usize = 1_000;

/// A request's token, valid at the time of the request.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) token: Token,
    /// The token's project: all that this caller may see.
    pub(super) project: ProjectId,
    /// Where the request comes from.
    address: IpAddr,
    user_agent: Option<String>,
    secret: Secret,
}

/// What the caller presented; it does not print.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Caller {
    /// What was presented, for calls elsewhere on the caller's behalf.
    pub(super) fn secret(&self) -> &str {
        &self.secret.0
    }

    /// The store, which notes changes as this caller's.
    pub(super) fn store(&self, state: &ApiState) -> Store {
        state.store.on_behalf_of(Actor {
            token: Some(self.as_creator()),
            address: self.address.to_string(),
        })
    }

    /// The registry, whose changes are noted as this caller's.
    pub(super) fn registry(&self, state: &ApiState) -> Registry {
        state.registry.on(self.store(state))
    }

    /// As the creator of other tokens.
    pub(super) fn as_creator(&self) -> TokenReference {
        TokenReference {
            id: self.token.id,
            description: self.token.description.clone(),
        }
    }

    /// As the creator of a job.
    pub(super) fn into_initiator(self) -> InitiatorToken {
        InitiatorToken {
            id: self.token.id,
            description: self.token.description,
            user_agent: self.user_agent,
        }
    }

    /// Whether the caller may decide for all orchestrations of the project; `what` reads on from "may not".
    ///
    /// # Errors
    /// [`ApiError::Forbidden`]: it manages no tokens.
    pub(super) fn check_manages(&self, what: &'static str) -> Result<(), ApiError> {
        if self.token.rights.manages_tokens() {
            Ok(())
        } else {
            Err(ApiError::Forbidden(what))
        }
    }

    /// Whether the caller may let an orchestration run with that token.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`]: it is another one, and the caller's manages no tokens.
    pub(super) fn check_may_assign(&self, id: TokenId) -> Result<(), ApiError> {
        if id == self.token.id || self.token.rights.manages_tokens() {
            Ok(())
        } else {
            Err(ApiError::Forbidden(
                "give an orchestration another token than itself",
            ))
        }
    }
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let address = address_of(parts, state);
        let now = state.clock.now();
        let secret = presented_secret(&parts.headers);
        state
            .limiter
            .admit_token(secret.unwrap_or_default(), address, now)?;
        let token = match secret {
            Some(secret) => state.tokens.authenticate(secret).await?,
            None => None,
        };
        let (Some(secret), Some(token)) = (secret, token) else {
            state.limiter.note_refused(secret, address, now);
            return Err(ApiError::Unauthorized);
        };
        state.limiter.note_valid(secret, now);
        Ok(Self {
            project: token.project_id,
            token,
            address,
            user_agent: user_agent(&parts.headers),
            secret: Secret(secret.to_owned()),
        })
    }
}

/// Where a request comes from.
pub(super) fn address_of(parts: &Parts, state: &ApiState) -> IpAddr {
    let connection = parts.extensions.get::<ConnectInfo<Connection>>();
    let connection = connection.map(|ConnectInfo(connection)| connection);
    client_address(&state.settings, &parts.headers, connection)
}

/// The secret in the request's header, if it is one.
pub(super) fn presented_secret(headers: &HeaderMap) -> Option<&str> {
    let secret = headers.get(TOKEN_HEADER)?.to_str().ok()?.trim();
    (!secret.is_empty()).then_some(secret)
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers
        .get(USER_AGENT)
        .or_else(|| headers.get(OTHER_USER_AGENT))?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(text.chars().take(MOST_USER_AGENT_CHARACTERS).collect())
}
