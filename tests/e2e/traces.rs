//! Traces as a collector of OpenTelemetry receives them.

use crate::support::otlp::{Collector, Span};
use crate::support::process::{Installation, PATIENCE, Process};
use crate::support::steps::demo;
use reqwest::Method;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A job by a caller who traces.
async fn run_traced(process: &Process, component: &str, flags: &str) -> Value {
    let client = process.client();
    let task = json!({"component": component});
    let made = client
        .post(
            "/orchestrations",
            json!({"name": "Traced", "tasks": [task]}),
        )
        .await
        .expect(201);
    let path = format!("/orchestrations/{}/jobs", made["id"]);
    let request = client
        .request(Method::POST, &path)
        .header("traceparent", format!("00-{TRACE}-{CALLER}-{flags}"))
        .body("{}");
    client.send(request).await.expect(201)["id"].clone()
}

/// Whether one is the other's parent, in one trace and in its time.
fn is_parent(parent: &Span, child: &Span) -> bool {
    parent.id == child.parent
        && parent.trace == child.trace
        && parent.start_nanos <= child.start_nanos
        && child.start_nanos <= child.end_nanos
}

#[tokio::test]
async fn a_request_its_job_task_steps_and_calls_are_one_trace_at_a_real_receiver() {
    let (demo, collector) = (demo().await, Collector::start(1).await);
    let installation =
        Installation::new(&demo).with(format!("--otlp-endpoint={}", collector.endpoint));
    let process = installation.start().await;

    let id = run_traced(&process, "async", "01").await;
    process.finished(&id).await;
    let job = collector
        .span_when("the job's span", |span| span.name == "job")
        .await;
    let call = collector
        .span_when("a call's span", |span| {
            span.name == "POST" && span.kind == 3
        })
        .await;

    let spans = collector.spans();
    let one = |name: &str| spans.iter().find(|span| span.name == name).expect(name);
    let request = one("POST /orchestrations/{id}/jobs");
    assert_eq!(request.trace, TRACE);
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.attributes["http.response.status_code"], "201");
    let task = one("task async");
    let steps: Vec<_> = spans.iter().filter(|span| span.name == "step").collect();
    assert!(steps.len() >= 2, "a start and a look at the job: {spans:?}");
    assert!(
        is_parent(request, &job) && is_parent(&job, task),
        "{spans:?}"
    );
    assert!(steps.iter().all(|step| is_parent(task, step)), "{spans:?}");
    assert!(is_parent(steps[0], &call), "{spans:?}");
    assert_eq!(job.attributes["orchestrator.job"], id.to_string());
    assert_eq!(job.attributes["orchestrator.status"], "success");
    assert!(
        collector
            .services()
            .iter()
            .all(|name| name == "orchestrator")
    );
    // What the component was told is the call's span.
    let told = demo.requests();
    let told = told
        .iter()
        .find(|one| one.method == "POST")
        .expect("a start");
    let expected = format!("00-{TRACE}-{}-01", call.id);
    assert_eq!(told.header("traceparent"), Some(expected.as_str()));
    assert!(process.stop().await.success());
}

#[tokio::test]
async fn a_failure_is_told_with_its_span_and_other_jobs_have_traces_of_their_own() {
    let (demo, collector) = (demo().await, Collector::start(0).await);
    let installation =
        Installation::new(&demo).with(format!("--otlp-endpoint={}", collector.endpoint));
    let process = installation.start().await;
    let failing = json!({"component": "status", "actionParameters": {"code": 400, "message": "no such table"}});

    let id = process
        .run(json!({"name": "Fails", "tasks": [failing]}))
        .await;
    process.finished(&id).await;
    let task = collector
        .span_when("the task's span", |span| span.name == "task status")
        .await;

    let (code, message) = task.status.expect("a status");
    assert_eq!(code, 2, "an error");
    assert!(message.contains("no such table"), "{message}");
    assert_ne!(task.trace, TRACE);
    assert_eq!(task.trace.len(), 32);
    assert_ne!(task.trace, "0".repeat(32));
}

#[tokio::test]
async fn a_callers_trace_is_passed_on_without_a_collector_and_nothing_else_is_sent_where_nobody_traces()
 {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;

    let id = run_traced(&process, "sync", "00").await;
    process.finished(&id).await;
    let plain = process
        .run(json!({"name": "Plain", "tasks": [{"component": "sync"}]}))
        .await;
    process.finished(&plain).await;

    let told = demo.wait_for(|all| all.len() >= 2, PATIENCE).await;
    let told = told.expect("two calls");
    let parents: Vec<_> = told.iter().map(|one| one.header("traceparent")).collect();
    let passed_on = parents[0].expect("passed on");
    assert!(
        passed_on.starts_with(&format!("00-{TRACE}-")),
        "{passed_on}"
    );
    assert!(
        passed_on.ends_with("-00"),
        "not recorded, as its caller wishes: {passed_on}"
    );
    assert_eq!(parents[1], None);
}
