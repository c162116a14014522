//! What is counted, for Prometheus, at an address of its own; and the counting of requests.
//!
//! An own address, because whoever reads it reads of all projects together, and because it is there on servers without the
//! API's role, too. It has no token: it is for a network that only operators reach. It tells of no project, and knows
//! nothing but `/metrics` and the health checks.
//!
//! What waits is asked of the database once a second at most, however many ask.

use super::{ApiState, health};
use crate::domain::time::Timestamp;
use crate::metrics::{Backlog, Metrics};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
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
    let ApiState {
        store,
        streams,
        metrics,
        ..
    } = &scrape.api;
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

/// A request under way: counted when it is answered, also where its handler panics or its client goes away.
struct Counted {
    state: ApiState,
    route: Option<MatchedPath>,
    method: Method,
    began_at: Timestamp,
    status: StatusCode,
}

/// What a client who went away did not hear.
const CLIENT_CLOSED: u16 = 499;

impl Drop for Counted {
    fn drop(&mut self) {
        let took = self.state.clock.now().since(self.began_at);
        let route = self.route.as_ref().map(MatchedPath::as_str);
        let metrics: &Metrics = &self.state.metrics;
        let status = if std::thread::panicking() {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            self.status
        };
        metrics.request_answered(route, self.method.as_str(), status.as_u16(), took);
    }
}

/// Counts a request under its route.
pub(super) async fn count_request(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let mut counted = Counted {
        route: request.extensions().get::<MatchedPath>().cloned(),
        method: request.method().clone(),
        began_at: state.clock.now(),
        status: StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST),
        state,
    };
    let response = next.run(request).await;
    counted.status = response.status();
    response
}
