//! The client crate against servers that answer late, break off and come back.

use crate::support::client::Client as Plain;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use orchestrator_client::{Access, Client, ClientError, Remedy, RunWish, Status};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// What was asked, and what is answered next.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    asked: Vec<String>,
    answers: Vec<(u16, &'static str, String)>,
}

impl Peer {
    /// Answers these one after the other: status, kind, body.
    fn answering(answers: &[(u16, &'static str, &str)]) -> Self {
        let answers = answers.iter().rev();
        let answers = answers.map(|(status, kind, body)| (*status, *kind, (*body).to_owned()));
        let script = Script {
            asked: Vec::new(),
            answers: answers.collect(),
        };
        Self(Arc::new(Mutex::new(script)))
    }

    fn asked(&self) -> Vec<String> {
        self.0.lock().expect("whole").asked.clone()
    }

    async fn start(&self) -> Client {
        let router = Router::new()
            .route("/orchestrations", post(answer))
            .route("/orchestrations/1/jobs", post(answer).get(answer))
            .route("/jobs/1", get(answer))
            .route("/jobs/1", delete(answer))
            .route("/jobs/1/events", get(answer))
            .with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        // Installs what TLS is made with, as every client of the tests does.
        drop(Plain::new(base.clone(), None));
        let access = Access::Token("token".to_owned());
        let client = Client::builder(&base, access).timeout(Duration::from_secs(20));
        client.build().expect("a client")
    }
}

async fn answer(
    State(peer): State<Peer>,
    headers: HeaderMap,
    method: axum::http::Method,
) -> Response {
    let mut script = peer.0.lock().expect("whole");
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("-").to_owned()
    };
    assert_eq!(header("x-storageapi-token"), "token");
    let asked = format!(
        "{method} {} {}",
        header("idempotency-key"),
        header("last-event-id")
    );
    script.asked.push(asked);
    let (status, kind, body) = script.answers.pop().expect("one more answer");
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("content-type", kind), ("retry-after", "0")], body).into_response()
}

const JSON: &str = "application/json";
const AWAY: (u16, &str, &str) = (
    503,
    JSON,
    r#"{"code":"UNAVAILABLE","message":"Away","exceptionId":"e1"}"#,
);

fn job() -> Value {
    json!({
        "id": 1, "orchestrationId": 1, "createdTime": "2026-11-24T17:06:36+00:00", "startTime": null, "endTime": null,
        "status": "waiting", "isFinished": false, "initializedBy": "manually", "token": {"id": 2, "description": "t"},
        "initiatorToken": null, "results": null, "notificationsEmails": [], "runId": 1, "uri": "u", "url": "u", "added": "later",
    })
}

#[tokio::test]
async fn a_job_is_asked_for_again_under_its_key_and_an_orchestration_is_not() {
    let made = job().to_string();
    let peer = Peer::answering(&[AWAY, AWAY, (201, JSON, &made)]);
    let client = peer.start().await;
    let job = client
        .run(1, &RunWish::default(), "wish-7")
        .await
        .expect("made");
    assert_eq!((job.id, job.status), (1, Status::Waiting));
    assert_eq!(peer.asked(), ["POST wish-7 -"; 3]);

    let peer = Peer::answering(&[AWAY]);
    let refused = peer
        .start()
        .await
        .create_orchestration(&Default::default())
        .await;
    let error = refused.expect_err("refused");
    assert!(matches!(error.remedy(), Remedy::TryAgain { .. }), "{error}");
    assert_eq!(
        error
            .refusal()
            .and_then(|refusal| refusal.exception_id.as_deref()),
        Some("e1")
    );
    assert_eq!(peer.asked().len(), 1);

    let busy = (429, JSON, r#"{"code":"TOO_MANY_REQUESTS"}"#);
    let peer = Peer::answering(&[busy, (204, JSON, "")]);
    peer.start().await.cancel_job(1).await.expect("cancelled");
    assert_eq!(peer.asked().len(), 2);
}

#[tokio::test]
async fn a_stream_that_breaks_off_goes_on_behind_the_last_event_and_ends_with_the_job() {
    let event = |id: &str, status: &str| {
        let data = json!({"id": id, "event": "job", "time": "t", "jobId": 1, "orchestrationId": 1, "status": status});
        format!("id: {id}\nevent: job\ndata: {data}\n\n")
    };
    const STREAM: &str = "text/event-stream";
    let first = format!(
        "retry: 2000\n\n{}id: 0-2\nevent: jo",
        event("0-1", "processing")
    );
    let last = format!(
        "{}:\n\n{}event: end\ndata: {{\"status\":\"success\"}}\n\n",
        event("0-2", "processing"),
        event("0-3", "success")
    );
    let peer = Peer::answering(&[(200, STREAM, &first), AWAY, (200, STREAM, &last)]);
    let client = peer.start().await;

    let mut events = client.follow_job(1, None);
    let mut ids = Vec::new();
    while let Some(event) = events.next().await.expect("followed") {
        ids.push(event.id);
    }

    assert_eq!(ids, ["0-1", "0-2", "0-3"]);
    assert_eq!(events.outcome(), Some(&Status::Success));
    assert_eq!(peer.asked(), ["GET - -", "GET - 0-1", "GET - 0-1"]);
    let gone = Peer::answering(&[(404, JSON, r#"{"code":"NOT_FOUND"}"#)]);
    let error = gone.start().await.follow_job(1, None).next().await;
    assert!(error.expect_err("refused").is_not_found());
    let over = Peer::answering(&[(204, STREAM, "")]);
    let ended = over.start().await.follow_job(1, Some("0-3")).next().await;
    assert_eq!(ended.expect("asked"), None);
}

#[tokio::test]
async fn jobs_are_read_page_by_page_each_once() {
    let page = |ids: &[i64]| {
        let jobs = ids.iter().map(|id| {
            let mut job = job();
            job["id"] = json!(id);
            job
        });
        Value::Array(jobs.collect()).to_string()
    };
    // One was made between the pages, which pushed 8 into the second one.
    let peer = Peer::answering(&[
        (200, JSON, &page(&[9, 8])),
        (200, JSON, &page(&[8, 7])),
        (200, JSON, &page(&[])),
    ]);
    let mut jobs = peer.start().await.jobs(1).of_size(2);
    let mut ids = Vec::new();
    while let Some(job) = jobs.next().await.expect("read") {
        ids.push(job.id);
    }
    assert_eq!(ids, [9, 8, 7]);
}

#[tokio::test]
async fn an_answer_that_is_not_the_apis_is_told_as_such() {
    let peer = Peer::answering(&[(200, "text/html", "<html>"), (301, "text/html", "")]);
    let client = peer.start().await;
    let odd = client.job(1).await.expect_err("no JSON");
    assert!(matches!(odd, ClientError::NotUnderstood { .. }), "{odd}");
    let moved = client.job(1).await.expect_err("not followed");
    assert!(moved.to_string().contains("301"), "{moved}");
    let base = client.base().to_owned();
    assert!(odd.to_string().contains(&base), "{odd}");
}
