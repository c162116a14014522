//! The URL table, and the recording of what comes in.
//!
//! Addresses that start with an underscore are for the tester and are not recorded themselves.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::components::{self, Attempts, Call, problem};
use crate::jobs::{Jobs, Polled};
use crate::record::{RecordedRequest, RequestLog};

const LARGEST_BODY_BYTES: usize = 16 * 1024 * 1024;

/// All that the service remembers.
pub(crate) struct Demo {
    pub base_url: String,
    pub log: RequestLog,
    pub jobs: Jobs,
    pub attempts: Attempts,
}

impl Demo {
    pub(crate) fn new(base_url: String) -> Self {
        Self {
            base_url,
            log: RequestLog::new(),
            jobs: Jobs::default(),
            attempts: Attempts::default(),
        }
    }

    /// As the caller wrote it, so that a job's address has the origin that the caller knows.
    fn origin(&self, headers: &HeaderMap) -> String {
        match headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
        {
            Some(host) => format!("https://{host}"),
            None => self.base_url.clone(),
        }
    }
}

pub(crate) fn router(demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/_requests", get(list_requests).delete(clear_requests))
        .route("/_jobs", get(list_jobs))
        .route("/jobs/{id}", get(poll_job))
        .route("/jobs/{id}/state", get(read_job))
        .route("/{component}", post(call_component))
        .route("/{component}/{*action}", post(call_component))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::disable()) // `record` has its own
        .layer(middleware::from_fn_with_state(demo.clone(), record))
        .with_state(demo)
}

async fn record(State(demo): State<Arc<Demo>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY_BYTES).await else {
        return problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large or was cut off",
        );
    };
    if !parts.uri.path().starts_with("/_") {
        demo.log
            .record(&parts.method, &parts.uri, &parts.headers, &body);
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

async fn unknown() -> Response {
    problem(StatusCode::NOT_FOUND, "there is nothing at this address")
}

#[derive(Deserialize)]
struct Target {
    component: String,
    #[serde(default)]
    action: String,
}

async fn call_component(
    State(demo): State<Arc<Demo>>,
    Path(target): Path<Target>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(entry) = components::find(&target.component) else {
        let message = format!("there is no component {}", target.component);
        return problem(StatusCode::NOT_FOUND, &message);
    };
    let origin = demo.origin(&headers);
    Call {
        demo,
        entry,
        action: target.action,
        headers,
        body,
        origin,
    }
    .answer()
    .await
    .into_response()
}

async fn poll_job(
    State(demo): State<Arc<Demo>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match demo.jobs.poll(&id, &demo.origin(&headers)) {
        None => no_such_job(&id),
        Some(Polled::State(job)) => Json(job).into_response(),
        Some(Polled::Fails(code)) => problem(code, "this poll fails, as was asked for"),
        Some(Polled::Redirects(to)) => {
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
    }
}

async fn read_job(
    State(demo): State<Arc<Demo>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match demo.jobs.state(&id, &demo.origin(&headers)) {
        None => no_such_job(&id),
        Some(job) => Json(job).into_response(),
    }
}

fn no_such_job(id: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no job {id}"))
}

async fn list_requests(State(demo): State<Arc<Demo>>) -> Json<Vec<Value>> {
    Json(demo.log.all().iter().map(RecordedRequest::shown).collect())
}

async fn clear_requests(State(demo): State<Arc<Demo>>) -> StatusCode {
    demo.log.clear();
    StatusCode::NO_CONTENT
}

async fn list_jobs(State(demo): State<Arc<Demo>>) -> Json<Value> {
    let jobs = demo.jobs.all();
    Json(json!({ "created": jobs.len(), "jobs": jobs }))
}
