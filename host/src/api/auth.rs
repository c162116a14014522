//! Who calls: the header `X-StorageApi-Token`, or else the session of a browser, and what its token may do.

use super::addresses::{Connection, client_address};
use super::follow::name_project;
use super::sessions::presented_session;
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
use std::convert::Infallible;
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
    visitor: Visitor,
    presented: Presented,
    secret: Secret,
}

/// Where a request comes from.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    user_agent: Option<String>,
}

impl Visitor {
    fn of(parts: &Parts, state: &ApiState) -> Self {
        let connection = parts.extensions.get::<ConnectInfo<Connection>>();
        let connection = connection.map(|ConnectInfo(connection)| connection);
        Self {
            address: client_address(&state.settings, &parts.headers, connection),
            user_agent: user_agent(&parts.headers),
        }
    }
}

impl FromRequestParts<ApiState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Infallible> {
        Ok(Self::of(parts, state))
    }
}

/// The value of the caller's token; it does not print.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a caller presented; it does not print.
pub(super) enum Presented {
    Token(String),
    /// The id of a browser's session.
    Session(String),
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Presented")
    }
}

impl Presented {
    /// What limits of requests know its bearer by.
    fn text(&self) -> &str {
        match self {
            Self::Token(text) | Self::Session(text) => text,
        }
    }

    /// The token that it is, or stands for, as it is now, and its value; `None` where it is none.
    ///
    /// # Errors
    /// Where nobody can say, or the token's project is disabled.
    pub(super) async fn authenticate(
        &self,
        state: &ApiState,
    ) -> Result<Option<(Token, String)>, ApiError> {
        let secret = match self {
            Self::Token(secret) => Some(secret.clone()),
            Self::Session(id) => {
                let session = state.tokens.session_token(id).await?;
                session.map(|session| session.secret)
            }
        };
        let Some(secret) = secret else {
            return Ok(None);
        };
        let token = state.tokens.authenticate(&secret).await?;
        Ok(token.map(|token| (token, secret)))
    }
}

impl Caller {
    /// Whoever presents this now.
    ///
    /// # Errors
    /// [`ApiError::Unauthorized`] where it is no valid token, [`ApiError::TooManyRequests`] where it asks too often.
    pub(super) async fn of(
        presented: Option<Presented>,
        visitor: Visitor,
        state: &ApiState,
    ) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let text = presented.as_ref().map(Presented::text);
        let limiter = &state.limiter;
        let admitted = limiter.admit_token(text.unwrap_or_default(), visitor.address, now)?;
        let found = match &presented {
            Some(presented) => presented.authenticate(state).await?,
            None => None,
        };
        let Some((token, secret)) = found else {
            limiter.note_refused(text, visitor.address, now);
            return Err(ApiError::Unauthorized);
        };
        let presented = presented.ok_or(ApiError::Unauthorized)?;
        limiter.note_valid(admitted, now);
        name_project(token.project_id);
        if presented.text() != secret {
            // All sessions of a token together ask no more often than it may.
            limiter.admit_token(&secret, visitor.address, now)?;
        }
        Ok(Self {
            project: token.project_id,
            token,
            visitor,
            presented,
            secret: Secret(secret),
        })
    }

    /// The token's value, for calls elsewhere on the caller's behalf.
    pub(super) fn secret(&self) -> &str {
        &self.secret.0
    }

    /// The store, which notes changes as this caller's.
    pub(super) fn store(&self, state: &ApiState) -> Store {
        state.store.on_behalf_of(Actor {
            token: Some(self.as_creator()),
            address: self.visitor.address.to_string(),
        })
    }

    /// The registry, whose changes are noted as this caller's.
    pub(super) fn registry(&self, state: &ApiState) -> Registry {
        state.registry.on(self.store(state))
    }

    /// Whether it is a page of this server, which has a session in place of the token.
    pub(super) fn has_session(&self) -> bool {
        matches!(self.presented, Presented::Session(_))
    }

    /// For whoever has to ask again whether the caller is still one.
    pub(super) fn into_presented(self) -> Presented {
        self.presented
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
            user_agent: self.visitor.user_agent,
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
        let visitor = Visitor::of(parts, state);
        let secret = presented_secret(&parts.headers).map(str::to_owned);
        let presented = match secret {
            Some(secret) => Some(Presented::Token(secret)),
            None => presented_session(parts, state).await?,
        };
        Self::of(presented, visitor, state).await
    }
}

/// The secret in the request's header, if it is one.
fn presented_secret(headers: &HeaderMap) -> Option<&str> {
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
