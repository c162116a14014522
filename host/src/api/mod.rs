//! The REST API: every call of the blueprint, `/run`, `/trigger`, the tokens and the plugins.
//!
//! A request is three hops: the URL table ([`router`]), a handler (one file per collection), the store. Handlers read
//! the request (`read/`), make one store call and print its answer (`shapes`); no rule of the product and no SQL lives
//! here. Whatever goes wrong becomes one [`ApiError`], which `error` alone turns into the envelope and logs.
//!
//! Invariants: a caller sees the rows of the token's own project only, and everything else answers like nothing at all;
//! every answer that is not a success is in the envelope, that of a panicking handler included.
//!
//! Called by `app`, which hands in the store, the tokens, clock, randomness and settings.

mod addresses;
mod audit;
mod auth;
mod body;
mod components;
mod cors;
mod credentials;
mod crontab;
mod deliveries;
mod error;
mod events;
mod follow;
mod forms;
mod guards;
mod health;
mod jobs;
mod limits;
mod notifications;
mod openapi;
mod operator;
mod orchestrations;
mod paths;
mod plugins;
mod quotas;
mod read;
mod router;
mod runs;
mod scrape;
mod serve;
mod sessions;
mod shapes;
mod streams;
mod tasks;
mod tokens;
mod ui;

pub use audit::AuditKeeper;
pub use error::ApiError;
pub use limits::{Limiter, Rate, RateLimits};
pub use openapi::describe;
pub use read::judge_orchestration;
pub use router::Api;
pub use scrape::metrics_router;
pub use serve::{ListenerSettings, Tls, TlsError, serve};
pub use streams::Streams;

use crate::clock::{Clock, Random};
use crate::domain::role::Roles;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::store::Store;
use crate::tokens::{OperatorToken, Tokens};
use crate::traces::Tracer;
use crate::wake::Wake;
use axum::http::HeaderName;
use ipnet::IpNet;
use std::ops::Deref;
use std::sync::Arc;

/// What handlers share. Every layer and the route of a request have a clone each, so it is one count and no more.
#[derive(Clone, Debug)]
pub struct ApiState(Arc<ApiParts>);

impl From<ApiParts> for ApiState {
    fn from(parts: ApiParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for ApiState {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0
    }
}

/// What an [`ApiState`] is made of.
#[derive(Debug)]
pub struct ApiParts {
    pub store: Store,
    pub tokens: Tokens,
    pub registry: Registry,
    pub clock: Clock,
    /// Draws the `exceptionId` of errors.
    pub random: Random,
    pub settings: ApiSettings,
    pub limiter: Limiter,
    /// Poked after a job was created or cancelled.
    pub runner: Wake,
    /// Poked after a schedule was saved or deleted.
    pub scheduler: Wake,
    /// Poked after a delivery was asked for once more.
    pub deliverer: Wake,
    /// Poked after something was told of a job; streams wait for it.
    pub events: Wake,
    pub streams: Streams,
    pub metrics: Metrics,
    pub tracer: Tracer,
}

/// Where the next page of a list begins that is not counted; absent on the last one.
const NEXT_BEFORE: HeaderName = HeaderName::from_static("x-next-before");
/// How many a list has in all, on whatever page.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Without the API's own role only the health checks are served, which speak for the roles that there are.
    pub roles: Roles,
    /// Absolute `http` or `https` address under which clients reach this server; its path is a prefix under which the
    /// API is served besides the root.
    pub public_url: Option<String>,
    /// Peers whose `X-Forwarded-Proto`, `-Host` and `-For` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Largest request body, in bytes.
    pub body_limit: usize,
    /// Largest component that is taken, in bytes.
    pub plugin_limit: usize,
    /// Without one there are no calls for operators.
    pub operator_token: Option<OperatorToken>,
}
