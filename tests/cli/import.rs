//! Orchestrations of another service, taken over.

use crate::support::person::Person;
use crate::support::process::{Installation, MASTER, Process};
use crate::support::steps::demo;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const SOURCE_TOKEN: &str = "123-source-token";

/// As the blueprint prints an orchestration's detail.
fn of_blueprint() -> Value {
    json!({
        "id": 2362, "name": "Main orchestrator", "crontabRecord": "0 * * * *",
        "createdTime": "2013-03-02T11:11:24+01:00", "lastScheduledTime": null,
        "nextScheduledTime": "2013-03-02T11:12:00+01:00", "active": true,
        "token": {"id": 1661, "description": "Orchestrator token"},
        "uri": "http://keboolaorchestratorv2api.apiary-mock.com/orchestrations/2362",
        "notifications": [
            {"email": "someone@somewhere.com", "channel": "error", "parameters": {}},
            {"email": "someone@somewhere.com", "channel": "waiting", "parameters": {"timeout": 10}},
            {"email": "someone@somewhere.com", "channel": "processing", "parameters": {"tolerance": 20}},
        ],
        "tasks": [
            {"component": "ex-facebook", "action": "run", "actionParameters": {}, "continueOnFailure": false, "timeoutMinutes": null, "active": true},
            {"component": "transformation", "action": "run", "actionParameters": {}, "continueOnFailure": false, "timeoutMinutes": null, "active": true},
            {"componentUrl": "https://syrup.keboola.com/gooddata-writer/execute-reports", "actionParameters": {}, "continueOnFailure": true, "timeoutMinutes": 10, "active": true},
        ],
    })
}

/// A service with these orchestrations, read-only: all else answers 405.
async fn original(orchestrations: Vec<Value>) -> String {
    type Kept = Arc<Mutex<Vec<Value>>>;
    fn may(headers: &HeaderMap) -> bool {
        headers
            .get("x-storageapi-token")
            .is_some_and(|token| token == SOURCE_TOKEN)
    }
    fn refused() -> Response {
        let body = json!({"status": "error", "error": "User error", "code": "accessDenied", "message": "Invalid access token"});
        (StatusCode::UNAUTHORIZED, Json(body)).into_response()
    }
    async fn list(State(kept): State<Kept>, headers: HeaderMap) -> Response {
        if !may(&headers) {
            return refused();
        }
        let mut all = kept.lock().expect("whole").clone();
        for one in &mut all {
            let map = one.as_object_mut().expect("an object");
            map.retain(|key, _| key != "tasks" && key != "notifications");
        }
        Json(all).into_response()
    }
    async fn detail(State(kept): State<Kept>, headers: HeaderMap, Path(id): Path<i64>) -> Response {
        if !may(&headers) {
            return refused();
        }
        let all = kept.lock().expect("whole");
        let found = all.iter().find(|one| one["id"] == id);
        found.map_or(StatusCode::NOT_FOUND.into_response(), |one| {
            Json(one).into_response()
        })
    }
    let router = Router::new()
        .route("/orchestrator/orchestrations", get(list))
        .route("/orchestrator/orchestrations/{id}", get(detail))
        .with_state(Kept::new(Mutex::new(orchestrations)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let base = format!(
        "http://{}/orchestrator",
        listener.local_addr().expect("an address")
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

fn import<'a>(source: &'a str, token: &'a str) -> [&'a str; 6] {
    ["import", "keboola", "--url", source, "--token", token]
}

/// What is there, without what is each server's own.
async fn content(process: &Process, id: &Value) -> Value {
    let mut one = process
        .client()
        .get(&format!("/orchestrations/{id}"))
        .await
        .expect(200);
    let own = ["name", "crontabRecord", "tasks", "notifications"];
    one.as_object_mut()
        .expect("an object")
        .retain(|key, _| own.contains(&key.as_str()));
    one
}

#[tokio::test]
async fn what_the_blueprint_prints_is_taken_over_disabled_and_once() {
    let source = original(vec![of_blueprint()]).await;
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let person = Person::of(&process.base);
    let import = import(&source, SOURCE_TOKEN);

    let said = person
        .call(&[&import[..], &["--dry-run"]].concat())
        .await
        .ok();
    assert!(said.contains("1 would be made (disabled)"), "{said}");
    assert_eq!(
        process.client().get("/orchestrations").await.expect(200),
        json!([])
    );

    let said = person.call(&import).await.ok();
    assert!(
        said.contains("1 made (disabled), 0 there already"),
        "{said}"
    );
    assert!(
        said.contains("components-url: ex-facebook, transformation"),
        "{said}"
    );
    let made = process.client().get("/orchestrations/1").await.expect(200);
    let original = of_blueprint();
    assert_eq!(
        (&made["active"], &made["nextScheduledTime"]),
        (&json!(false), &Value::Null)
    );
    for key in ["name", "crontabRecord", "notifications"] {
        assert_eq!(made[key], original[key], "{key}");
    }
    for (made, original) in made["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .zip(original["tasks"].as_array().expect("tasks"))
    {
        for (key, value) in original.as_object().expect("an object") {
            assert_eq!(&made[key], value, "{key}");
        }
    }

    // Enabled meanwhile, it is still the same.
    person.call(&["orchestrations", "enable", "1"]).await.ok();
    let said = person.call(&import).await.ok();
    assert!(
        said.contains("0 made (disabled), 1 there already"),
        "{said}"
    );
    assert_eq!(
        process
            .client()
            .get("/orchestrations")
            .await
            .expect(200)
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let wrong = person.call(&self::import(&source, "another")).await.error();
    assert!(
        wrong.contains("the source") && wrong.contains("Invalid access token"),
        "{wrong}"
    );
}

#[tokio::test]
async fn a_report_tells_what_differs_what_was_skipped_and_what_cannot_be_taken() {
    let with = |id: i64, changes: Value| {
        let mut one = of_blueprint();
        one["id"] = json!(id);
        for (key, value) in changes.as_object().expect("an object") {
            one[key] = value.clone();
        }
        one
    };
    let source = original(vec![
        with(1, json!({"name": "Taken"})),
        with(2, json!({"name": "Odd schedule", "crontabRecord": "0 0 L * *"})),
        with(3, json!({"name": "Old ways", "tasks": [{"id": 9, "component": "sync", "actionParameters": [], "timeoutMinutes": "5", "phase": 2, "colour": "red"}],
            "notifications": [{"email": "x", "channel": "error"}]})),
        with(4, json!({"name": "Plain HTTP", "tasks": [{"componentUrl": "http://plain.example/run"}]})),
        with(5, json!({"name": "Twice"})),
        with(6, json!({"name": "Twice"})),
    ])
    .await;
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    client
        .post("/orchestrations", json!({"name": "Taken"}))
        .await
        .expect(201);
    let report = async |more: &[&str]| {
        let arguments = [&import(&source, SOURCE_TOKEN)[..], more, &["--json"]].concat();
        let said = person.call(&arguments).await;
        // One cannot be taken.
        assert_eq!(said.code, Some(1), "{said:?}");
        let report: Value = serde_json::from_str(&said.out).expect("JSON");
        report["orchestrations"].as_array().expect("a list").clone()
    };
    let outcomes = |entries: &[Value]| {
        let outcomes = entries
            .iter()
            .map(|entry| entry["outcome"].as_str().expect("text").to_owned());
        outcomes.collect::<Vec<_>>()
    };

    let tried = report(&["--dry-run"]).await;
    let entries = report(&[]).await;

    let wanted = ["skipped", "made", "made", "failed", "made", "skipped"];
    assert_eq!(outcomes(&tried), wanted);
    assert_eq!(outcomes(&entries), wanted);
    let notes = |at: usize| entries[at]["notes"].to_string();
    assert!(notes(0).contains("--rename"), "{}", notes(0));
    assert!(
        notes(1).contains("without its schedule") && notes(1).contains("0 0 L * *"),
        "{}",
        notes(1)
    );
    assert!(
        notes(2).contains("colour") && notes(2).contains("notifications[0].email"),
        "{}",
        notes(2)
    );
    assert!(notes(3).contains("tasks[0].componentUrl"), "{}", notes(3));
    let old = content(&process, &entries[2]["id"]).await;
    assert_eq!(old["tasks"][0]["timeoutMinutes"], 5);
    assert_eq!(
        (&old["tasks"][0]["id"], &old["tasks"][0]["phase"]),
        (&json!("9"), &json!("2"))
    );
    assert_eq!(content(&process, &json!(1)).await["tasks"], json!([]));

    let again = report(&[]).await;
    assert_eq!(
        outcomes(&again),
        [
            "skipped", "present", "present", "failed", "present", "skipped"
        ]
    );
    let renamed = report(&["--rename"]).await;
    assert_eq!(
        outcomes(&renamed),
        ["made", "present", "present", "failed", "present", "made"]
    );
    assert_eq!(renamed[0]["madeAs"], "Taken (imported)");
    let again = report(&["--rename"]).await;
    assert_eq!(
        outcomes(&again),
        [
            "present", "present", "present", "failed", "present", "present"
        ]
    );
}

#[tokio::test]
async fn this_server_is_a_source_too_and_what_is_taken_from_it_is_the_same() {
    let demo = demo().await;
    let folder_of_source = Installation::new(&demo);
    let source = folder_of_source.start().await;
    let folder_of_target = Installation::new(&demo);
    let target = folder_of_target.start().await;
    let body = json!({"name": "Of here", "crontabRecord": "@hourly",
        "tasks": [
            {"id": "load", "component": "sync", "actionParameters": {"n": 1.25}, "phase": "a"},
            {"component": "http-request", "actionParameters": {"url": "https://x.example/{{tasks.load.response.rows}}"}},
        ],
        "notifications": [{"plugin": "webhook", "channel": "error", "config": {"url": "https://hooks.example/x"}}]});
    let made = source
        .client()
        .post("/orchestrations", body)
        .await
        .expect(201);
    let mut person = Person::unknown();
    let login = [
        "login",
        "--url",
        &target.base,
        "--token",
        MASTER,
        "--profile",
        "new",
    ];
    person.call(&login).await.ok();
    person.set("ORCHESTRATOR_URL", "https://not-this-one.example");

    let said = person
        .call(&[&import(&source.base, MASTER)[..], &["--to", "new"]].concat())
        .await
        .ok();

    assert!(said.contains("1 made (disabled)"), "{said}");
    let (theirs, ours) = (
        content(&source, &made["id"]).await,
        content(&target, &json!(1)).await,
    );
    assert_eq!(theirs.to_string(), ours.to_string());
    let again = person
        .call(&[&import(&source.base, MASTER)[..], &["--to", "new"]].concat())
        .await
        .ok();
    assert!(again.contains("1 there already"), "{again}");
}
