//! What can go wrong with a request, and the one place where that becomes an answer.
//!
//! A handler returns an [`ApiError`]; its response carries the error itself to [`wrap_in_envelope`], which draws the
//! `exceptionId`, logs the failure once and prints the envelope. A 4xx says all that its sender needs; a 5xx tells
//! nothing of the inside, which is in the log under its id.

use super::ApiState;
use crate::domain::credential::MOST_CREDENTIALS;
use crate::domain::faults::Fault;
use crate::domain::ids::JobId;
use crate::domain::job::Status;
use crate::domain::quota::{OverQuota, next_day};
use crate::domain::time::Timestamp;
use crate::plugins::{ManifestError, PluginError};
use crate::registry::RegistryError;
use crate::store::{PluginUse, StoreError, TokenUse};
use crate::tokens::{RemoteError, TokenError};
use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Serialize;
use std::any::Any;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// Why a request was not done. The text is the `message` of 4xx answers.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("The header X-StorageApi-Token must carry a valid token")]
    Unauthorized,
    /// Holds what may not be done.
    #[error("This token may not {0}")]
    Forbidden(&'static str),
    /// What does not exist, and in the same words what is another project's.
    #[error("There is nothing at this address")]
    NotFound,
    #[error("This address does not know that method")]
    MethodNotAllowed,
    #[error(
        "The body must be JSON, declared as application/json or not at all, and not compressed"
    )]
    UnsupportedMediaType,
    #[error("The body must not be larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("The body did not arrive in time")]
    BodyTimeout,
    #[error("The body broke off")]
    BodyUnreadable(#[source] axum::Error),
    #[error("The body is not JSON: {0}")]
    NotJson(serde_json::Error),
    /// Every fault of the request; never empty.
    #[error("{}", summary(.0))]
    Invalid(Vec<Fault>),
    /// Tasks given for one run are not the orchestration's; says which.
    #[error("{0}")]
    TasksDiffer(String),
    #[error("Job {job} is {}: only a waiting job can be cancelled", .status.as_str())]
    JobNotWaiting { job: JobId, status: Status },
    #[error("The orchestration is not active: it can be run by hand only")]
    Inactive,
    #[error("The Idempotency-Key was used for another request within the last 24 hours")]
    IdempotencyConflict,
    #[error("The token is used by {}: give what uses it another token, or disable this one", users(.0))]
    TokenInUse(TokenUse),
    #[error("A master token keeps all its rights: it can be described and refreshed, nothing else")]
    MasterToken,
    #[error("The body must be a WebAssembly component, declared as application/wasm or not at all")]
    NotComponent,
    /// What is wrong with a component; never empty.
    #[error("The plugin cannot be used: {}", first(.0))]
    PluginInvalid(Vec<Fault>),
    /// Something else stands in the way of a plugin or component.
    #[error("{message}")]
    PluginConflict { code: &'static str, message: String },
    #[error("The plugin is used by {}: nothing may use it when it is deleted", plugin_users(.0))]
    PluginInUse(PluginUse),
    #[error("a plugin failed")]
    Plugin(#[source] PluginError),
    #[error("The delivery is not over yet: its next attempt comes by itself")]
    DeliveryPending,
    #[error("The project has as many credentials as it may: {MOST_CREDENTIALS}")]
    TooManyCredentials,
    #[error("The header X-Operator-Token must carry the operator's token")]
    OperatorUnauthorized,
    #[error("The project of this token is disabled")]
    ProjectDisabled,
    #[error("{0}")]
    OverQuota(OverQuota),
    /// Whose they are, and how many it may have.
    #[error("This {whose} has {limit} streams of events on this host: one has to end first")]
    TooManyStreams { whose: &'static str, limit: usize },
    #[error("A browser's session is for the pages of this server only")]
    CrossSite,
    #[error(transparent)]
    Elsewhere(TokenError),
    #[error(transparent)]
    RefusedElsewhere(TokenError),
    /// Whose they are, and how long it is until one more is let through.
    #[error("There are too many requests of this {whose}, please try again later")]
    TooManyRequests { whose: &'static str, wait: Duration },
    #[error("the bodies of other requests take all the memory that there is for them")]
    BodiesTooMany,
    #[error("the store failed")]
    Store(#[source] StoreError),
    #[error("the tokens failed")]
    Token(#[source] TokenError),
    #[error("a handler panicked: {0}")]
    Panicked(String),
}

fn summary(faults: &[Fault]) -> String {
    match faults {
        [fault] if fault.path.is_empty() => format!("The body {}", fault.message),
        [fault] => format!("{}: {}", fault.path, fault.message),
        _ => format!("The request has {} faults, listed in errors", faults.len()),
    }
}

fn first(faults: &[Fault]) -> &str {
    faults.first().map_or("", |fault| fault.message.as_str())
}

/// `orchestration 1, orchestration 2 and job 7`
fn users(users: &TokenUse) -> String {
    let orchestrations = users.orchestrations.iter();
    let orchestrations = orchestrations.map(|id| format!("orchestration {id}"));
    let jobs = users.jobs.iter().map(|id| format!("job {id}"));
    listed(orchestrations.chain(jobs).collect())
}

fn plugin_users(users: &PluginUse) -> String {
    let components = users.components.iter();
    let components = components.map(|name| format!("component {name}"));
    let orchestrations = users.orchestrations.iter();
    let orchestrations = orchestrations.map(|id| format!("orchestration {id}"));
    let jobs = users.jobs.iter().map(|id| format!("job {id}"));
    listed(components.chain(orchestrations).chain(jobs).collect())
}

fn listed(mut names: Vec<String>) -> String {
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

impl ApiError {
    /// One fault at `path`.
    pub(super) fn fault(path: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault {
            path: path.to_owned(),
            message: message.into(),
        }])
    }

    /// Status and stable code.
    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            Self::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
            }
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT"),
            Self::BodyUnreadable(_) => (StatusCode::BAD_REQUEST, "BODY_UNREADABLE"),
            Self::NotJson(_) => (StatusCode::BAD_REQUEST, "INVALID_JSON"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "VALIDATION"),
            Self::TasksDiffer(_) => (StatusCode::BAD_REQUEST, "JOB_VALIDATION"),
            Self::JobNotWaiting { .. } => (StatusCode::CONFLICT, "JOB_NOT_WAITING"),
            Self::Inactive => (StatusCode::CONFLICT, "ORCHESTRATION_NOT_ACTIVE"),
            Self::IdempotencyConflict => (StatusCode::CONFLICT, "IDEMPOTENCY_CONFLICT"),
            Self::TokenInUse(_) => (StatusCode::CONFLICT, "TOKEN_IN_USE"),
            Self::MasterToken => (StatusCode::CONFLICT, "MASTER_TOKEN"),
            Self::NotComponent => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::PluginInvalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "PLUGIN_INVALID"),
            Self::PluginConflict { code, .. } => (StatusCode::CONFLICT, code),
            Self::PluginInUse(_) => (StatusCode::CONFLICT, "PLUGIN_IN_USE"),
            Self::DeliveryPending => (StatusCode::CONFLICT, "DELIVERY_PENDING"),
            Self::TooManyCredentials => (StatusCode::CONFLICT, "TOO_MANY_CREDENTIALS"),
            Self::OperatorUnauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::ProjectDisabled => (StatusCode::UNAUTHORIZED, "PROJECT_DISABLED"),
            Self::Elsewhere(_) => (StatusCode::FORBIDDEN, "TOKENS_ELSEWHERE"),
            Self::RefusedElsewhere(_) => (StatusCode::FORBIDDEN, "STORAGE_API_REFUSED"),
            Self::Token(TokenError::Remote(RemoteError::Unavailable(_))) => {
                (StatusCode::SERVICE_UNAVAILABLE, "STORAGE_API_UNAVAILABLE")
            }
            Self::TooManyStreams { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS"),
            Self::CrossSite => (StatusCode::FORBIDDEN, "CROSS_SITE"),
            Self::OverQuota(over) if over.quota.is_rate() => {
                (StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED")
            }
            Self::OverQuota(_) => (StatusCode::FORBIDDEN, "QUOTA_EXCEEDED"),
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"),
            Self::BodiesTooMany
            | Self::Store(StoreError::Unavailable(_) | StoreError::Closing)
            | Self::Token(TokenError::Store(StoreError::Unavailable(_) | StoreError::Closing)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE")
            }
            Self::Store(_) | Self::Token(_) | Self::Plugin(_) | Self::Panicked(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
            }
        }
    }

    /// What the caller is told.
    fn message(&self) -> String {
        match self.kind().0 {
            _ if matches!(self, Self::Token(TokenError::Remote(RemoteError::Unavailable(_)))) => {
                "The Storage API, which keeps the tokens, does not answer at the moment, please try again"
                    .to_owned()
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                "The service is not available at the moment, please try again".to_owned()
            }
            status if status.is_server_error() => {
                "The request failed for a reason inside the service, which is in its log under the exceptionId"
                    .to_owned()
            }
            _ => self.to_string(),
        }
    }

    fn faults(&self) -> &[Fault] {
        if let Self::Invalid(faults) | Self::PluginInvalid(faults) = self {
            faults
        } else {
            &[]
        }
    }

    /// Seconds after which the same request may be granted, where that is known.
    fn retry_after(&self, now: Timestamp) -> Option<u64> {
        match self {
            Self::OverQuota(over) if over.quota.is_rate() => {
                Some(next_day(now).since(now).as_secs() + 1)
            }
            Self::TooManyStreams { .. } => Some(5),
            _ => None,
        }
    }

    fn run_id(&self) -> Option<JobId> {
        if let Self::JobNotWaiting { job, .. } = self {
            Some(*job)
        } else {
            None
        }
    }

    /// For the header `Retry-After`; whole seconds, at least one.
    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests { wait, .. } => Some(wait.as_secs().saturating_add(1)),
            _ if self.kind().0 == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }

    /// The error with all that caused it, for the log.
    fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// What is the client's to know of the store's refusals is told.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OverQuota(over) => Self::OverQuota(over),
            StoreError::ProjectClosed => Self::ProjectDisabled,
            other => Self::Store(other),
        }
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Store(error) => Self::from(error),
            RegistryError::Plugin(error) => match place_in_component(&error) {
                Some(path) => Self::PluginInvalid(vec![Fault {
                    path,
                    message: error.to_string(),
                }]),
                None => Self::Plugin(error),
            },
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Store(error) => Self::from(error),
            TokenError::Elsewhere { .. } => Self::Elsewhere(error),
            TokenError::Remote(RemoteError::Refused(_)) => Self::RefusedElsewhere(error),
            other => Self::Token(other),
        }
    }
}

/// Where in a component its fault is; `None`: the server is at fault.
fn place_in_component(error: &PluginError) -> Option<String> {
    match error {
        PluginError::Manifest(ManifestError::Section(_)) => Some(String::new()),
        PluginError::Manifest(error) if error.key().is_empty() => Some("manifest".to_owned()),
        PluginError::Manifest(error) => Some(format!("manifest.{}", error.key())),
        PluginError::Contract { .. } | PluginError::NeedsAsync { .. } => {
            Some("contract".to_owned())
        }
        PluginError::Compile { .. }
        | PluginError::CompileLimit { .. }
        | PluginError::Parts { .. } => Some("code".to_owned()),
        _ => None,
    }
}

/// Hands the error on to [`wrap_in_envelope`].
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind().0.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Why a request was not done.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub(super) struct Envelope<'a> {
    /// `warning`: the caller can mend it; `error`: the server is at fault.
    #[schemars(extend("enum" = ["warning", "error"]))]
    status: &'static str,
    #[schemars(extend("enum" = ["User error", "Application error"]))]
    error: &'static str,
    /// Stable: what programs go by.
    code: &'static str,
    /// One sentence for people.
    message: String,
    /// Under which it is in the server's log.
    exception_id: String,
    run_id: Option<JobId>,
    /// Every fault of the request, each with the path to it.
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

/// Turns every failure of the calls inside, their panics included, into the envelope, and logs it.
pub(super) async fn wrap_in_envelope<F: Future<Output = Response>>(
    state: &ApiState,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // Nothing that outlives the handler is left half changed by its end: writes are transactions of the store.
    let answer = AssertUnwindSafe(next(request)).catch_unwind().await;
    let mut response = answer
        .unwrap_or_else(|panic| ApiError::Panicked(panic_text(panic.as_ref())).into_response());
    let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() else {
        return response;
    };
    let (status, code) = error.kind();
    state.metrics.request_refused(code);
    if let ApiError::TooManyRequests { whose, .. } = &*error {
        state.metrics.request_limited(whose);
    }
    let exception_id = new_exception_id(state);
    if status.is_server_error() {
        tracing::error!(exception_id, %method, path, code, "request failed: {}", error.chain());
    } else {
        tracing::info!(exception_id, %method, path, code, "request refused: {}", error.chain());
    }
    let mut response = fill(response, &error, exception_id);
    if let Some(seconds) = error.retry_after(state.clock.now()) {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The answer keeps the headers that it has, such as `Allow`.
fn fill(mut response: Response, error: &ApiError, exception_id: String) -> Response {
    let (status, code) = error.kind();
    let is_ours = status.is_server_error();
    let body = Json(Envelope {
        status: if is_ours { "error" } else { "warning" },
        error: if is_ours {
            "Application error"
        } else {
            "User error"
        },
        code,
        message: error.message(),
        exception_id,
        run_id: error.run_id(),
        errors: error.faults(),
    })
    .into_response()
    .into_body();
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::new(body);
    response
}

/// Time alone where no random bytes are to be had: the answer must not fail for that.
fn new_exception_id(state: &ApiState) -> String {
    let text = state.random.text(20);
    format!(
        "orchestrator-{}",
        text.unwrap_or_else(|_| state.clock.now().0.to_string())
    )
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").to_owned()
}

#[cfg(test)]
pub(super) mod tests;
