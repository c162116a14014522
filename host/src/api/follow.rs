//! Requests as they are followed: by an id in the log, by the operator's counts, and in traces.
//!
//! [`follow_request`] surrounds everything that writes to the log and sees the answer as it is sent; which route the request
//! took is known inside of the table only, where [`note_route`] notes it. What never came to the table is not counted here.

use super::ApiState;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use crate::traces::{Span, SpanKind};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use std::sync::{Arc, OnceLock};
use tracing::Instrument;

/// Of W3C Trace Context.
const TRACEPARENT: &str = "traceparent";
/// What a client who went away did not hear.
const CLIENT_CLOSED: u16 = 499;

/// What a request is known by.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// The request's own span.
    pub(super) context: TraceContext,
    /// The caller's, where it sent one.
    parent: Option<TraceContext>,
    /// Set once the request is in the table: its route there, or that it has none.
    route: Arc<OnceLock<Option<MatchedPath>>>,
}

impl Followed {
    /// A part of the caller's trace, or the begin of one.
    fn of(headers: &HeaderMap, state: &ApiState) -> Self {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let parent = values.next().and_then(|value| value.to_str().ok());
        let parent = parent.and_then(TraceContext::parse);
        // Sent twice, it is nobody's.
        let parent = parent.filter(|_| values.next().is_none());
        let mut drawn = [0; 24];
        // Without random bytes there are no ids: the request is answered all the same.
        let _ = state.random.fill(&mut drawn);
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&drawn[..16]);
        span.copy_from_slice(&drawn[16..]);
        if let Some(parent) = parent {
            trace = parent.trace;
        }
        let context = TraceContext {
            trace,
            span,
            is_sampled: parent.is_none_or(|parent| parent.is_sampled),
        };
        Self {
            context,
            parent,
            route: Arc::default(),
        }
    }

    /// What is kept with a job that the request makes: of a caller who traces, or where this server does.
    pub(super) fn kept(&self, state: &ApiState) -> Option<TraceContext> {
        (self.parent.is_some() || state.tracer.is_on()).then_some(self.context)
    }
}

/// Names the request in all lines that it writes to the log, counts it under its route, and tells it as a span.
pub(super) async fn follow_request<F: Future<Output = Response>>(
    state: &ApiState,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let followed = Followed::of(request.headers(), state);
    let span = tracing::info_span!(
        "request",
        trace = followed.context.trace_text(),
        project = tracing::field::Empty,
    );
    request.extensions_mut().insert(followed.clone());
    let mut under_way = UnderWay {
        state,
        followed,
        method: request.method().clone(),
        began_at: state.clock.now(),
        status: StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST),
    };
    let response = next(request).instrument(span).await;
    under_way.status = response.status();
    response
}

/// Notes that the request is in the table, and on which of its routes.
pub(super) fn note_route(request: Request) -> Request {
    let extensions = request.extensions();
    if let Some(followed) = extensions.get::<Followed>() {
        let route = extensions.get::<MatchedPath>().cloned();
        // Nobody comes to the table twice.
        let _ = followed.route.set(route);
    }
    request
}

/// Notes in the log whose request it is.
pub(super) fn name_project(project: crate::domain::ids::ProjectId) {
    tracing::Span::current().record("project", project.0);
}

/// A request under way: told when it is answered, also where its client goes away.
struct UnderWay<'s> {
    state: &'s ApiState,
    followed: Followed,
    method: Method,
    began_at: Timestamp,
    status: StatusCode,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(route) = self.followed.route.get() else {
            return;
        };
        let now = self.state.clock.now();
        let route = route.as_ref().map(MatchedPath::as_str);
        let (method, code) = (self.method.as_str(), self.status.as_u16());
        let took = now.since(self.began_at);
        self.state
            .metrics
            .request_answered(route, method, code, took);
        let span = || Span {
            name: format!("{method} {}", route.unwrap_or("other")),
            kind: SpanKind::Server,
            context: self.followed.context,
            parent: self.followed.parent.map(|parent| parent.span),
            from: self.began_at,
            to: now,
            attributes: vec![
                ("http.request.method", method.into()),
                ("http.route", route.unwrap_or("other").into()),
                ("http.response.status_code", i64::from(code).into()),
            ],
            failure: self
                .status
                .is_server_error()
                .then(|| self.status.to_string()),
        };
        self.state.tracer.tell(span, self.followed.context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::{tests::state, wrap_in_envelope};
    use axum::body::Body;
    use futures_util::FutureExt;
    use std::future::pending;

    #[tokio::test]
    async fn a_request_is_counted_also_where_its_handler_panics_or_its_client_goes_away() {
        let dir = tempfile::tempdir().expect("directory");
        let state = &state(dir.path()).await;

        let answer = follow_request(state, Request::new(Body::empty()), |request| {
            wrap_in_envelope(state, request, |request| async {
                note_route(request);
                panic!("a fault of ours")
            })
        });
        assert_eq!(answer.await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let left = follow_request(state, Request::new(Body::empty()), |request| {
            note_route(request);
            pending()
        });
        assert!(left.now_or_never().is_none());
        let refused = follow_request(state, Request::new(Body::empty()), |_| async {
            Response::default()
        });
        refused.await;

        let printed = state.metrics.print().expect("text");
        let counted = printed
            .lines()
            .filter(|line| line.starts_with("orchestrator_http_requests_total"));
        let mut counted: Vec<_> = counted.collect();
        counted.sort_unstable();
        assert_eq!(
            counted,
            [
                r#"orchestrator_http_requests_total{route="other",method="GET",status="499"} 1"#,
                r#"orchestrator_http_requests_total{route="other",method="GET",status="500"} 1"#,
            ],
            "and one that never came to the table is none"
        );
    }
}
