//! The API's document itself: that it has the routes of the URL table and no others, and that examples fit it. That it
//! says what the server does, every test of the API proves: the client holds all answers to it.

use crate::support::database::Database;
use crate::support::document::{Document, escape, operations};
use crate::support::server::Server;
use orchestrator_client::{
    Component, Crontab, Event, Job, Orchestration, OrchestrationBody, RunWish, Task, Token, Usage,
};
use reqwest::Method;
use reqwest::header::ALLOW;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

async fn start() -> Server {
    let database = Database::of_module("sqlite");
    Server::start(database).await.expect("an embedded database")
}

#[test]
fn every_path_of_the_url_table_is_described_and_no_other() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/api/router.rs");
    let table = std::fs::read_to_string(table).expect("the URL table");
    let served: BTreeSet<String> = table
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains('\n'))
        .map(|path| path.replace("{*", "{"))
        .collect();

    let paths = Document::get().json["paths"].as_object().expect("paths");
    let described: BTreeSet<String> = paths.keys().cloned().collect();

    assert!(served.len() > 40, "{served:?}");
    assert_eq!(served, described);
}

#[tokio::test]
async fn every_path_knows_the_methods_that_are_described_and_no_other() {
    let server = start().await;
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path, _) in operations(&Document::get().json) {
        described.entry(path).or_default().insert(method);
    }

    for (path, methods) in described {
        let client = server.client();
        let address = path.replace(['{', '}'], "");
        let request = client.request(Method::PATCH, &address);
        let refused = client.send(request).await;
        let allowed = refused.headers[ALLOW].to_str().expect("text").to_owned();
        let allowed: BTreeSet<String> = allowed
            .split(',')
            .filter(|method| *method != "HEAD")
            .map(str::to_owned)
            .collect();
        assert_eq!(refused.refusal(405), "METHOD_NOT_ALLOWED", "{path}");
        assert_eq!(allowed, methods, "{path}");
    }
}

#[test]
fn operations_change_only_where_somebody_sees_it() {
    let listed = operations(&Document::get().json);
    let lines = listed.into_iter().map(|(method, path, operation)| {
        let statuses = operation["responses"].as_object().expect("answers").keys();
        let statuses: Vec<_> = statuses.map(String::as_str).collect();
        let id = operation["operationId"].as_str().expect("an id");
        format!("{id}: {method} {path} -> {}\n", statuses.join(" "))
    });
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("operations", lines.collect::<String>()));
}

#[test]
fn every_example_fits_its_schema() {
    let document = Document::get();
    let mut checked = 0;
    let mut check = |place: &str, content: &Value| {
        for (media_type, one) in content.as_object().into_iter().flatten() {
            let schema = format!("{place}/content/{}/schema", escape(media_type));
            let mut examples: Vec<Value> = one.get("example").into_iter().cloned().collect();
            for (_, named) in one["examples"].as_object().into_iter().flatten() {
                let reference = named["$ref"].as_str().expect("a reference");
                let example = document.json.pointer(reference.trim_start_matches('#'));
                examples.push(example.expect("an example")["value"].clone());
            }
            assert!(
                !examples.is_empty() || media_type != "application/json",
                "{place}"
            );
            for example in examples {
                checked += 1;
                let fits = document.fit(&schema, &example);
                fits.unwrap_or_else(|why| panic!("{schema}\n{why}\n{example}"));
            }
        }
    };
    for (method, path, operation) in operations(&document.json) {
        let place = format!("/paths/{}/{}", escape(&path), method.to_ascii_lowercase());
        check(
            &format!("{place}/requestBody"),
            &operation.get("requestBody").unwrap_or(&Value::Null)["content"],
        );
        for (status, response) in operation["responses"].as_object().expect("answers") {
            if response.get("$ref").is_none() {
                check(&format!("{place}/responses/{status}"), &response["content"]);
            }
        }
    }
    for (name, response) in document.json["components"]["responses"]
        .as_object()
        .expect("answers")
    {
        check(
            &format!("/components/responses/{}", escape(name)),
            &response["content"],
        );
    }
    assert!(checked > 100, "{checked} examples");
}

/// The example of an operation's first answer, read and written by the client: nothing is lost, and it fits still.
fn read_and_write<T: DeserializeOwned + Serialize>(id: &str) {
    let document = Document::get();
    let all = operations(&document.json);
    let found = all
        .iter()
        .find(|(.., operation)| operation["operationId"] == id);
    let (method, path, operation) = found.unwrap_or_else(|| panic!("no {id}"));
    let answers = operation["responses"].as_object().expect("answers");
    let (status, answer) = answers.iter().next().expect("an answer");
    let content = &answer["content"]["application/json"];
    let example = &content["example"];
    let read = T::deserialize(example).unwrap_or_else(|why| panic!("{id}: {why}\n{example}"));
    let written = serde_json::to_value(read).expect("JSON");
    let method = method.to_ascii_lowercase();
    let place = format!(
        "/paths/{}/{method}/responses/{status}/content/application~1json/schema",
        escape(path)
    );
    let fits = document.fit(&place, &written);
    fits.unwrap_or_else(|why| panic!("{id}: {why}\n{written}"));
    assert_eq!(&written, example, "{id}");
}

#[test]
fn the_client_reads_what_the_document_shows_and_loses_nothing_of_it() {
    read_and_write::<Vec<Orchestration>>("listOrchestrations");
    read_and_write::<Orchestration>("readOrchestration");
    read_and_write::<Orchestration>("createOrchestration");
    read_and_write::<Vec<Job>>("listJobs");
    read_and_write::<Job>("readJob");
    read_and_write::<Job>("createJob");
    read_and_write::<Usage>("readJobUsage");
    read_and_write::<Vec<Event>>("listJobEvents");
    read_and_write::<Token>("verifyToken");
    read_and_write::<Vec<Component>>("listComponents");
    read_and_write::<Crontab>("explainCrontab");
}

#[test]
fn what_the_client_sends_is_what_the_document_asks_for() {
    let document = Document::get();
    let task: Task = serde_json::from_value(json!({"component": "ex-db"})).expect("a task");
    let new = OrchestrationBody {
        name: Some("Nightly load".to_owned()),
        active: Some(true),
        crontab_record: Some(None),
        token_id: Some(1661),
        notifications: Some(Vec::new()),
        tasks: Some(vec![task.clone()]),
    };
    let run = RunWish {
        notifications_emails: Some(vec!["you@example.com".to_owned()]),
        tasks: Some(vec![task]),
    };
    let body = "requestBody/content/application~1json/schema";
    for (place, sent) in [
        ("/paths/~1orchestrations/post", json!(new)),
        ("/paths/~1orchestrations~1{id}/put", json!(new)),
        ("/paths/~1orchestrations~1{id}~1jobs/post", json!(run)),
    ] {
        let fits = document.fit(&format!("{place}/{body}"), &sent);
        fits.unwrap_or_else(|why| panic!("{place}: {why}\n{sent}"));
    }
}

#[test]
fn nothing_is_left_in_the_document_that_only_its_source_understands() {
    let text = Document::get().json.to_string();
    for odd in ["[`", "`]", "crate::", "Self::", "Shape", "'static"] {
        assert!(!text.contains(odd), "{odd}");
    }
    for (name, schema) in Document::get().json["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        assert!(
            schema.get("description").is_some(),
            "{name} is not described"
        );
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody_with_the_servers_own_address() {
    let server = start().await;

    let document = server.nobody().get("/openapi.json").await.expect(200);

    assert_eq!(document["openapi"], "3.1.0");
    let address = format!("http://{}", server.address);
    assert_eq!(document["servers"], json!([{"url": address}]));
    assert!(!document.to_string().contains("orchestrator.invalid"));
}

/// An orchestration, its list form, a job and the bodies of requests, as the first description of this API printed them.
fn printed_long_ago() -> Value {
    let tasks = |first_are_active: bool| {
        json!([
            {
                "component": "ex-facebook", "action": "run", "actionParameters": {}, "continueOnFailure": false,
                "timeoutMinutes": null, "active": first_are_active,
            },
            {
                "component": "transformation", "action": "run", "actionParameters": {}, "continueOnFailure": false,
                "timeoutMinutes": null, "active": first_are_active,
            },
            {
                "componentUrl": "https://syrup.keboola.com/gooddata-writer/execute-reports", "actionParameters": {},
                "continueOnFailure": true, "timeoutMinutes": 10, "active": true,
            },
        ])
    };
    let notifications = json!([
        {"email": "someone@somewhere.com", "channel": "error", "parameters": {}},
        {"email": "someone@somewhere.com", "channel": "waiting", "parameters": {"timeout": 10}},
        {"email": "someone@somewhere.com", "channel": "processing", "parameters": {"tolerance": 20}},
    ]);
    let token = json!({"id": 1661, "description": "Orchestrator token"});
    let listed = json!({
        "id": 2362, "name": "Main orchestrator", "crontabRecord": "0 * * * *",
        "createdTime": "2013-03-02T11:11:24+01:00", "lastScheduledTime": null,
        "nextScheduledTime": "2013-03-02T11:12:00+01:00", "active": true, "token": token,
        "uri": "http://keboolaorchestratorv2api.apiary-mock.com/orchestrations/2362",
    });
    let mut orchestration = listed.clone();
    orchestration["notifications"] = notifications.clone();
    orchestration["tasks"] = tasks(true);
    let listed_job = json!({
        "id": 123, "orchestrationId": 2362, "createdTime": "2013-03-02T11:11:24+01:00", "startTime": null,
        "endTime": "2013-03-02T11:11:50+01:00", "status": "cancelled", "initializedBy": "manually", "token": token,
        "initiatorToken": {
            "id": 1661, "description": "Orchestrator token",
            "userAgent": "Mozilla/5.0 (Windows NT 6.3; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2049.0 Safari/537.36",
        },
        "results": null, "notificationsEmails": [], "runId": 123,
        "uri": "http://keboolaorchestratorv2api.apiary-mock.com/orchestrations/2362",
    });
    let mut job = listed_job.clone();
    job["tasks"] = tasks(false);
    json!({
        "new": {
            "name": "Main orchestrator", "crontabRecord": "0 * * * *", "tokenId": 1661,
            "notifications": notifications, "tasks": tasks(true),
        },
        "change": {"active": false},
        "newJob": {"notificationsEmails": ["notify@me.com"], "tasks": tasks(false)},
        "listed": [listed], "orchestration": orchestration, "listedJobs": [listed_job], "job": job,
        "tasks": tasks(true), "notifications": notifications, "empty": {},
    })
}

#[test]
fn what_was_printed_long_ago_fits() {
    let examples = printed_long_ago();
    let place = |call: &str, rest: &str| {
        let (method, path) = call.split_once(' ').expect("a call");
        format!(
            "/paths/{}/{method}/{rest}/content/application~1json/schema",
            escape(path)
        )
    };
    for (call, name) in [
        ("post /orchestrations", "new"),
        ("put /orchestrations/{id}", "change"),
        ("post /orchestrations/{id}/create-token", "empty"),
        ("put /orchestrations/{id}/tasks", "tasks"),
        ("put /orchestrations/{id}/notifications", "notifications"),
        ("put /orchestrations/{id}/nofitications", "notifications"),
        ("post /orchestrations/{id}/jobs", "newJob"),
    ] {
        let fits = Document::get().fit(&place(call, "requestBody"), &examples[name]);
        fits.unwrap_or_else(|why| panic!("{call}: {why}"));
    }
    // The answers have more fields today.
    for (call, status, name) in [
        ("get /orchestrations", 200, "listed"),
        ("post /orchestrations", 201, "orchestration"),
        ("get /orchestrations/{id}", 200, "orchestration"),
        ("put /orchestrations/{id}", 200, "orchestration"),
        (
            "post /orchestrations/{id}/create-token",
            200,
            "orchestration",
        ),
        ("get /orchestrations/{id}/tasks", 200, "tasks"),
        ("put /orchestrations/{id}/tasks", 202, "tasks"),
        (
            "get /orchestrations/{id}/nofitications",
            200,
            "notifications",
        ),
        (
            "put /orchestrations/{id}/nofitications",
            202,
            "notifications",
        ),
        ("get /orchestrations/{id}/jobs", 200, "listedJobs"),
        ("post /orchestrations/{id}/jobs", 201, "job"),
        ("get /jobs/{id}", 200, "job"),
    ] {
        let place = place(call, &format!("responses/{status}"));
        let fits = Document::get().fit_in_part(&place, &examples[name]);
        fits.unwrap_or_else(|why| panic!("{call}: {why}"));
    }
}

#[test]
fn what_the_server_would_refuse_does_not_fit() {
    let place = |name: &str| format!("/components/schemas/{name}");
    for (schema, body) in [
        ("TaskInput", json!({})),
        (
            "TaskInput",
            json!({"component": "a", "componentUrl": "https://a.example"}),
        ),
        ("TaskInput", json!({"component": "a/b"})),
        ("TaskInput", json!({"component": " "})),
        ("TaskInput", json!({"component": "a", "action": "a//b"})),
        ("TaskInput", json!({"component": "a", "action": "../b"})),
        ("TaskInput", json!({"component": "a", "timeoutMinutes": 0})),
        ("TaskInput", json!({"componentUrl": "http://a.example"})),
        (
            "TaskInput",
            json!({"component": "a", "actionParameters": [1]}),
        ),
        ("NotificationInput", json!({"channel": "error"})),
        (
            "NotificationInput",
            json!({"channel": "never", "email": "a@b.cz"}),
        ),
        (
            "NotificationInput",
            json!({"channel": "waiting", "email": "a@b.cz", "parameters": {"timeout": 0}}),
        ),
        ("NewOrchestration", json!({})),
        ("NewOrchestration", json!({"name": "a", "tokenId": "x"})),
        ("CredentialInput", json!({"type": "bearer", "token": "a"})),
        (
            "CredentialInput",
            json!({"type": "hmac", "secret": "a", "hosts": ["https://a.example"]}),
        ),
        ("NewProject", json!({"name": "a", "quotas": {"apples": 1}})),
        ("TokenInput", json!({"canManageTokens": 2})),
    ] {
        let fits = Document::get().fit(&place(schema), &body);
        assert!(fits.is_err(), "{schema} takes {body}");
    }
}
