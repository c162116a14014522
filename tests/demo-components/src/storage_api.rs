//! A pretend Storage API: its token calls over TLS, with tokens that a test adds and revokes.
//!
//! It knows no rights but one: only a token that may manage tokens makes, refreshes and deletes others.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::certs::Certificates;
use crate::server::{StartError, accept};

/// The first id that it gives.
const FIRST_ID: u64 = 5_001;

#[derive(Clone)]
struct Token {
    secret: String,
    description: String,
    owner: u64,
    can_manage_tokens: bool,
}

#[derive(Default)]
struct Kept {
    /// By id.
    tokens: BTreeMap<u64, Token>,
    verifications: usize,
    is_failing: bool,
}

type Shared = Arc<Mutex<Kept>>;

/// A running service; dropping it stops it.
pub struct StorageApi {
    kept: Shared,
    base_url: String,
    listening: JoinHandle<()>,
}

impl fmt::Debug for StorageApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageApi")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Drop for StorageApi {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn lock(kept: &Shared) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StorageApi {
    /// On a free port of 127.0.0.1. Must be called within a tokio runtime, on which it then runs.
    pub async fn start(certificates: &Certificates) -> Result<Self, StartError> {
        let tls = TlsAcceptor::from(Arc::new(certificates.server_config()?));
        let wished = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let cannot = |source| StartError::Listen {
            address: wished,
            source,
        };
        let listener = TcpListener::bind(wished).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let kept = Shared::default();
        let router = Router::new()
            .route("/v2/storage/tokens/verify", get(verify))
            .route("/v2/storage/tokens", post(create))
            .route("/v2/storage/tokens/{id}", delete(remove))
            .route("/v2/storage/tokens/{id}/refresh", post(refresh))
            .with_state(kept.clone());
        Ok(Self {
            kept,
            base_url: format!("https://{address}"),
            listening: tokio::spawn(accept(listener, tls, router)),
        })
    }

    /// `https://127.0.0.1:port`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Adds a token of the project `owner`; returns its id.
    pub fn add_token(&self, secret: &str, owner: u64, can_manage_tokens: bool) -> u64 {
        let token = Token {
            secret: secret.to_owned(),
            description: format!("Token of {owner}"),
            owner,
            can_manage_tokens,
        };
        lock(&self.kept).add(token)
    }

    /// From now on this secret is no token's.
    pub fn revoke(&self, secret: &str) {
        lock(&self.kept)
            .tokens
            .retain(|_, token| token.secret != secret);
    }

    /// The present value of a token; `None` once it was deleted.
    pub fn secret_of(&self, id: u64) -> Option<String> {
        let kept = lock(&self.kept);
        kept.tokens.get(&id).map(|token| token.secret.clone())
    }

    /// How often it was asked what a token is.
    pub fn verifications(&self) -> usize {
        lock(&self.kept).verifications
    }

    /// Whether every call is answered with 500 from now on.
    pub fn fail(&self, is_failing: bool) {
        lock(&self.kept).is_failing = is_failing;
    }
}

impl Kept {
    fn add(&mut self, token: Token) -> u64 {
        let last = self.tokens.keys().next_back();
        let id = last.map_or(FIRST_ID, |last| last + 1);
        self.tokens.insert(id, token);
        id
    }

    /// The bearer's token, if the call is to be answered at all.
    fn bearer(&self, headers: &HeaderMap) -> Result<(u64, Token), Refusal> {
        if self.is_failing {
            return Err(Refusal(StatusCode::INTERNAL_SERVER_ERROR, "Out of order"));
        }
        let secret = headers.get("X-StorageApi-Token");
        let secret = secret.and_then(|value| value.to_str().ok());
        let mut tokens = self.tokens.iter();
        let found = tokens.find(|(_, token)| Some(token.secret.as_str()) == secret);
        found
            .map(|(id, token)| (*id, token.clone()))
            .ok_or(Refusal(StatusCode::UNAUTHORIZED, "Invalid access token"))
    }

    /// The bearer's, if it may manage tokens.
    fn manager(&self, headers: &HeaderMap) -> Result<Token, Refusal> {
        let (_, token) = self.bearer(headers)?;
        if token.can_manage_tokens {
            Ok(token)
        } else {
            let told = "You don't have permission to manage tokens";
            Err(Refusal(StatusCode::FORBIDDEN, told))
        }
    }
}

struct Refusal(StatusCode, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

fn print(id: u64, token: &Token) -> Value {
    json!({
        "id": id.to_string(),
        "token": token.secret,
        "description": token.description,
        "created": "2026-01-05T13:00:00+0100",
        "refreshed": "2026-01-05T13:00:00+0100",
        "expires": null,
        "isExpired": false,
        "isDisabled": false,
        "isMasterToken": token.can_manage_tokens,
        "canManageBuckets": true,
        "canManageTokens": token.can_manage_tokens,
        "canReadAllFileUploads": true,
        "bucketPermissions": {},
        "owner": {"id": token.owner, "name": format!("Project {}", token.owner), "features": []},
    })
}

async fn verify(State(kept): State<Shared>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let mut kept = lock(&kept);
    kept.verifications += 1;
    let (id, token) = kept.bearer(&headers)?;
    Ok(Json(print(id, &token)))
}

async fn create(
    State(kept): State<Shared>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let mut kept = lock(&kept);
    let maker = kept.manager(&headers)?;
    let description = body.get("description").and_then(Value::as_str);
    let number = kept.tokens.len();
    let token = Token {
        secret: format!("{}-made-secret-{number}", maker.owner),
        description: description.unwrap_or_default().to_owned(),
        owner: maker.owner,
        can_manage_tokens: false,
    };
    let id = kept.add(token.clone());
    Ok((StatusCode::CREATED, Json(print(id, &token))))
}

async fn refresh(
    State(kept): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let mut kept = lock(&kept);
    let owner = kept.manager(&headers)?.owner;
    match kept
        .tokens
        .get_mut(&id)
        .filter(|token| token.owner == owner)
    {
        Some(token) => {
            token.secret.push_str("-refreshed");
            Ok(Json(print(id, token)))
        }
        None => Err(Refusal(StatusCode::NOT_FOUND, "Token not found")),
    }
}

async fn remove(
    State(kept): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    let mut kept = lock(&kept);
    kept.manager(&headers)?;
    match kept.tokens.remove(&id) {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Refusal(StatusCode::NOT_FOUND, "Token not found")),
    }
}
