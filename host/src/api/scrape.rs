//! What is counted, for Prometheus, at an address of its own.
//!
//! An own address, because whoever reads it reads of all projects together, and because it is there on servers without the
//! API's role, too. It has no token: it is for a network that only operators reach. It tells of no project, and knows
//! nothing but `/metrics` and the health checks.
//!
//! What waits is asked of the database once a second at most, however many ask.

use super::{ApiParts, ApiState, health};
use crate::domain::time::Timestamp;
use crate::metrics::Backlog;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long what waits is taken to be the same.
const FRESH: Duration = Duration::from_secs(1);
/// A scrape is answered without what the database says no later than this.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the database told, and when; `None`: it did not.
type Look = (Timestamp, Option<Backlog>);

#[derive(Clone)]
struct Scrape {
    api: ApiState,
    last: Arc<Mutex<Option<Look>>>,
}

/// `/metrics`, for the address of operators.
pub fn metrics_router(state: ApiState) -> Router {
    let scrape = Scrape {
        api: state.clone(),
        last: Arc::default(),
    };
    let health = Router::new()
        .route("/health/live", get(health::show_live))
        .with_state(state);
    Router::new()
        .route("/metrics", get(show_metrics))
        .with_state(scrape)
        .merge(health)
}

async fn show_metrics(State(scrape): State<Scrape>) -> Response {
    let ApiParts {
        store,
        streams,
        metrics,
        ..
    } = &*scrape.api;
    metrics.show_backlog(scrape.backlog().await);
    metrics.show_streams(streams.count());
    let (read, write, queued) = store.connections();
    metrics.show_connections(read, write, queued);
    match metrics.print() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be printed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Scrape {
    async fn backlog(&self) -> Option<Backlog> {
        // Whoever asks at the same time waits for the same look.
        let mut last = self.last.lock().await;
        let now = self.api.clock.now();
        if let Some((at, backlog)) = *last
            && at <= now
            && now.since(at) < FRESH
        {
            return backlog;
        }
        let backlog = match timeout(PATIENCE, self.api.store.read_backlog(now)).await {
            Ok(Ok(backlog)) => Some(backlog),
            Ok(Err(error)) => {
                tracing::warn!(%error, "what waits could not be read for the metrics");
                None
            }
            Err(_) => {
                tracing::warn!("what waits was not told in time for the metrics");
                None
            }
        };
        *last = Some((now, backlog));
        backlog
    }
}
