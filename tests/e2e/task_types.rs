//! The task types that need no component: `http-request` and `delay`.

use crate::support::guests::{guest, with_manifest};
use crate::support::process::{Installation, Process};
use crate::support::steps::demo;
use demo_components::DemoServer;
use serde_json::{Value, json};

async fn started() -> (DemoServer, Installation, Process) {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    (demo, installation, process)
}

/// The result of a job of one task.
async fn result_of(process: &Process, component: &str, parameters: &Value) -> Value {
    let task = json!({"component": component, "actionParameters": parameters});
    let id = process.run(json!({"name": "One", "tasks": [task]})).await;
    process.finished(&id).await["results"]["tasks"][0].clone()
}

#[tokio::test]
async fn an_http_request_is_made_checked_and_its_result_kept() {
    let (demo, _installation, process) = started().await;
    let url = format!("{}/echo/run", demo.base_url());

    let result = result_of(
        &process,
        "http-request",
        &json!({
            "url": url,
            "query": {"day": "2026-04-02"},
            "headers": {"X-Team": "data"},
            "body": {"n": 12},
            "checks": {"/parameters/n": 12, "/headers/x-team": "data"},
            "result": "/parameters",
        }),
    )
    .await;

    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(result["response"], json!({"n": 12}));
    let sent = demo.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].method, "POST");
    assert_eq!(sent[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn each_end_of_an_http_request_is_told_apart() {
    let (demo, _installation, process) = started().await;
    let at = |path: &str| format!("{}{path}", demo.base_url());

    for (parameters, status, code, message) in [
        (
            json!({"url": at("/status/run"), "body": {"code": 404, "message": "gone"}}),
            "error",
            None,
            "the answer was 404, which is not expected",
        ),
        (
            json!({"url": at("/status/run"), "body": {"code": 404}, "expectedStatus": ["404-410"]}),
            "success",
            None,
            "",
        ),
        (
            json!({"url": at("/flaky/run"), "body": {"failures": 1}}),
            "success",
            None,
            "",
        ),
        (
            json!({"url": at("/sync/run"), "method": "POST", "checks": {"/rows": 4}}),
            "error",
            None,
            "the answer has 3 at /rows, where 4 is expected",
        ),
        (
            json!({"url": at("/close/run"), "method": "POST"}),
            "error",
            Some("NO_ANSWER"),
            "so it is not made again",
        ),
        (
            json!({"url": "https://10.1.2.3/"}),
            "error",
            Some("ADDRESS_REFUSED"),
            "private",
        ),
        (
            json!({"url": "http://127.0.0.1/"}),
            "error",
            Some("NOT_HTTPS"),
            "https",
        ),
        (
            json!({"adress": "https://127.0.0.1/"}),
            "error",
            Some("BAD_PARAMETERS"),
            "adress",
        ),
        (
            json!({"url": at("/redirect/run"), "method": "POST"}),
            "error",
            None,
            "the answer was 307",
        ),
    ] {
        let result = result_of(&process, "http-request", &parameters).await;
        assert_eq!(result["status"], status, "{parameters}: {result}");
        assert_eq!(result["code"].as_str(), code, "{parameters}: {result}");
        let told = result["message"].as_str().unwrap_or_default();
        assert!(told.contains(message), "{parameters}: {result}");
    }
}

#[tokio::test]
async fn a_delay_waits_for_some_seconds_or_until_a_time() {
    let (_demo, _installation, process) = started().await;

    let waited = result_of(&process, "delay", &json!({"seconds": 1.2})).await;
    let past = result_of(&process, "delay", &json!({"until": "2026-01-01T00:00:00Z"})).await;

    assert_eq!(waited["response"], json!({"waitedSeconds": 1}), "{waited}");
    assert!(waited["duration"].as_u64() >= Some(1), "{waited}");
    assert_eq!(past["response"], json!({"waitedSeconds": 0}), "{past}");
}

#[tokio::test]
async fn a_later_task_gets_values_of_an_earlier_ones_response() {
    let (demo, _installation, process) = started().await;
    let echo = format!("{}/echo/run", demo.base_url());
    let number = "12345678901234567890.50";
    let first = json!({"component": "echo", "id": "load", "actionParameters": {"count": 3, "name": "a.csv"}});
    let second = json!({"component": "http-request", "id": "send", "actionParameters": {
        "url": echo,
        "body": {
            "count": "{{tasks.load.response.parameters.count}}",
            "text": "{{tasks.load.response.parameters.count}} of {{tasks.load.response.parameters.name}}, {{ds}}",
        },
        "result": "/parameters",
    }});
    let third =
        json!({"component": "echo", "actionParameters": {"all": "{{tasks.send.response}}"}});
    let fourth =
        json!({"component": "sync", "actionParameters": {"x": "{{tasks.load.response.gone}}"}});
    let text = json!({"name": "Chain", "tasks": [first, second, third, fourth]})
        .to_string()
        .replace("\"count\":3", &format!("\"count\":{number}"));
    let client = process.client();
    let request = client.request(reqwest::Method::POST, "/orchestrations");
    let made = client.send(request.body(text)).await.expect(201);
    let jobs = format!("/orchestrations/{}/jobs", made["id"]);
    let id = client.post(&jobs, json!({})).await.expect(201)["id"].clone();

    let job = process.finished(&id).await;

    let results = job["results"]["tasks"].as_array().expect("results");
    let said = json!({"text": format!("{number} of a.csv, {{{{ds}}}}")});
    assert_eq!(results[2]["status"], "success", "{job}");
    assert_eq!(
        results[2]["response"]["parameters"]["all"]["text"],
        said["text"]
    );
    let sent = demo.requests();
    let body = String::from_utf8_lossy(&sent[1].body).into_owned();
    assert!(body.contains(&format!("\"count\":{number}")), "{body}");
    assert_eq!(results[3]["code"], "MISSING_VALUE", "{job}");
    let message = results[3]["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("tasks.load.response.gone is not there"),
        "{message}"
    );
    assert_eq!(job["status"], "error");
}

#[tokio::test]
async fn a_reference_is_held_to_the_plugins_schema_when_its_task_begins() {
    let (_demo, _installation, process) = started().await;
    let manifest = json!({
        "id": "rows", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "idempotent",
        "parameters-schema": {"properties": {"rows": {"type": "array"}}},
    });
    let client = process.client();
    let upload = client
        .request(reqwest::Method::POST, "/plugins")
        .header("Content-Type", "application/wasm")
        .body(with_manifest(guest("noop"), Some(&manifest)));
    client.send(upload).await.expect(201);
    let of = |rows: &str| {
        let load = json!({"component": "echo", "id": "load", "actionParameters": {"rows": [1], "name": "a"}});
        let uses = json!({"component": "rows", "actionParameters": {"rows": rows}});
        json!({"name": "Rows", "tasks": [load, uses]})
    };

    let literal = client.post("/orchestrations", of("[1]")).await;
    let fits = process
        .run(of("{{tasks.load.response.parameters.rows}}"))
        .await;
    let fits_not = process
        .run(of("{{tasks.load.response.parameters.name}}"))
        .await;

    assert_eq!(literal.faults(), ["tasks[1].actionParameters.rows"]);
    assert_eq!(process.finished(&fits).await["status"], "success");
    let job = process.finished(&fits_not).await;
    let result = &job["results"]["tasks"][1];
    assert_eq!(result["code"], "BAD_PARAMETERS", "{job}");
    let message = result["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("actionParameters.rows: "), "{message}");
}
