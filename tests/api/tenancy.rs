//! What is another project's does not exist.

use super::plugins::{noop, upload};
use super::{create, start};
use crate::support::client::Client;
use reqwest::Method;
use serde_json::{Value, json};

/// Every call that names a row, by its id in place of `{}`, with a body that would do.
const CALLS: &[(Method, &str, &str)] = &[
    (Method::GET, "/orchestrations/{}", ""),
    (Method::PUT, "/orchestrations/{}", "{}"),
    (Method::DELETE, "/orchestrations/{}", ""),
    (Method::POST, "/orchestrations/{}/create-token", ""),
    (Method::GET, "/orchestrations/{}/tasks", ""),
    (Method::PUT, "/orchestrations/{}/tasks", "[]"),
    (Method::GET, "/orchestrations/{}/notifications", ""),
    (Method::PUT, "/orchestrations/{}/notifications", "[]"),
    (Method::GET, "/orchestrations/{}/nofitications", ""),
    (Method::GET, "/orchestrations/{}/jobs", ""),
    (Method::POST, "/orchestrations/{}/jobs", "{}"),
    (Method::POST, "/orchestrations/{}/jobs", r#"{"tasks": []}"#),
    (Method::GET, "/orchestrations/{}/deliveries", ""),
    (
        Method::POST,
        "/orchestrations/{}/deliveries/{delivery}/redeliver",
        "",
    ),
    (Method::POST, "/orchestrations/{}/trigger", ""),
    (Method::POST, "/run", r#"{"config": {}}"#),
    (Method::GET, "/jobs/{}", ""),
    (Method::DELETE, "/jobs/{}", ""),
    (Method::GET, "/jobs/{}/usage", ""),
    (Method::GET, "/jobs/{}/events", ""),
    (Method::GET, "/v2/storage/tokens/{}", ""),
    (Method::PUT, "/v2/storage/tokens/{}", "{}"),
    (Method::DELETE, "/v2/storage/tokens/{}", ""),
    (Method::POST, "/v2/storage/tokens/{}/refresh", ""),
    (Method::GET, "/operator/projects/{}", ""),
    (Method::PUT, "/operator/projects/{}", "{}"),
    (Method::DELETE, "/operator/projects/{}", ""),
    (Method::GET, "/operator/projects/{}/tokens", ""),
    (Method::POST, "/operator/projects/{}/tokens", ""),
    (Method::DELETE, "/operator/projects/{}/tokens/{}", ""),
    (Method::POST, "/operator/projects/{}/tokens/{}/refresh", ""),
];

/// Every call that names something by its name, in place of `{}`; the answer is the same for one that is another
/// project's and for one that never was.
const NAMED: &[(Method, &str, &str, u16)] = &[
    (Method::GET, "/plugins/{}", "", 404),
    (Method::DELETE, "/plugins/{}", "", 404),
    (Method::GET, "/plugins/{}/versions", "", 404),
    (Method::PUT, "/plugins/{}/grant", r#"{"hosts": []}"#, 404),
    (Method::GET, "/components/{}", "", 404),
    (Method::DELETE, "/components/{}", "", 404),
    (Method::PUT, "/components/own", r#"{"plugin": "{}"}"#, 400),
    (Method::GET, "/credentials/{}", "", 404),
    (Method::DELETE, "/credentials/{}", "", 404),
    (
        Method::POST,
        "/orchestrations",
        r#"{"name": "x", "crontabRecord": "{}"}"#,
        400,
    ),
    (
        Method::POST,
        "/v2/storage/tokens",
        r#"{"expiresIn": "{}"}"#,
        400,
    ),
];

/// Every call that names nothing: what it answers does not depend on other projects.
const NAMELESS: &[&str] = &[
    "/orchestrations",
    "/jobs",
    "/components",
    "/credentials",
    "/plugins",
    "/audit",
    "/quotas",
    "/crontab?expression=@daily",
    "/events?limit=100",
    "/v2/storage/tokens",
    "/v2/storage/tokens/verify",
    "/operator/projects",
    "/ui/session",
    "/health/live",
    "/health/ready",
];

/// The same for everybody, with or without a token.
const PUBLIC: &[&str] = &["/", "/docs", "/openapi.json", "/ui", "/ui/{*path}"];

/// A name that nobody else would choose.
const NEEDLE: &str = "needle-of-the-first-project";

fn without_id(mut answer: Value) -> Value {
    if let Some(id) = answer.get_mut("exceptionId") {
        *id = Value::Null;
    }
    answer
}

#[tokio::test]
async fn another_projects_rows_answer_like_rows_that_never_were() {
    let Some(server) = start().await else { return };
    create(&server.client(), json!([{"component": "a"}])).await;
    server
        .client()
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    let other = server.add_project("Other").await;

    for (method, path, body) in CALLS {
        let ask = async |id: &str| {
            let request = other
                .request(
                    method.clone(),
                    &path.replace("{}", id).replace("{delivery}", "1"),
                )
                .body(body.replace("{}}", &format!("{id}}}")));
            without_id(other.send(request).await.expect(404))
        };
        assert_eq!(ask("1").await, ask("999").await, "{method} {path}");
    }
    assert_eq!(other.get("/orchestrations").await.expect(200), json!([]));
    let tokens = other.get("/v2/storage/tokens").await.expect(200);
    let tokens = tokens.as_array().expect("a list");
    assert!(!tokens.is_empty());
    assert!(tokens.iter().all(|token| token["owner"]["name"] == "Other"));
    let job = server.client().get("/jobs/1").await.expect(200);
    assert_eq!(job["status"], "waiting");
}

/// Something of everything, all of it named [`NEEDLE`].
async fn fill(client: &Client) {
    let plugin = noop(&json!({"id": NEEDLE, "description": NEEDLE}));
    upload(client, &plugin).await.expect(201);
    let component = json!({"plugin": NEEDLE});
    let path = format!("/components/{NEEDLE}");
    client.put(&path, component).await.expect(200);
    let credential = json!({"type": "bearer", "token": NEEDLE, "hosts": ["https://a.example"]});
    let path = format!("/credentials/{NEEDLE}");
    client.put(&path, credential).await.expect(201);
    let token = json!({"description": NEEDLE});
    client.post("/v2/storage/tokens", token).await.expect(201);
    let notification = json!({"email": format!("{NEEDLE}@example.com"), "channel": "error"});
    let body =
        json!({"name": NEEDLE, "tasks": [{"component": NEEDLE}], "notifications": [notification]});
    client.post("/orchestrations", body).await.expect(201);
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
}

#[tokio::test]
async fn what_another_project_has_shows_in_no_answer() {
    let Some(server) = start().await else { return };
    let other = server.add_project("Other").await;
    let ask = async |path: &str| {
        let answer = other.get(path).await;
        let total = answer.headers.get("x-total-count").cloned();
        (answer.status, total, without_id(answer.json))
    };
    let mut before = Vec::new();
    for path in NAMELESS {
        before.push(ask(path).await);
    }

    fill(&server.client()).await;

    for (path, before) in NAMELESS.iter().zip(before) {
        assert_eq!(ask(path).await, before, "{path}");
    }
    for (method, path, body, status) in NAMED {
        let call = async |name: &str| {
            let request = other
                .request(method.clone(), &path.replace("{}", name))
                .body(body.replace("{}", name));
            let answer = without_id(other.send(request).await.expect(*status));
            answer.to_string().replace(name, "…")
        };
        let unknown = NEEDLE.replace("first", "third");
        assert_eq!(call(NEEDLE).await, call(&unknown).await, "{method} {path}");
    }
    // Nor does a plugin of theirs judge what is saved here, or take its name away.
    let body = json!({"name": "Mine", "tasks": [{"component": NEEDLE}]});
    other.post("/orchestrations", body).await.expect(201);
    let plugin = noop(&json!({"id": NEEDLE}));
    upload(&other, &plugin).await.expect(201);
}

#[test]
fn every_address_is_among_the_calls() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/api/router.rs");
    let table = std::fs::read_to_string(table).expect("the URL table");
    let addresses: Vec<String> = table
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains('\n') && !PUBLIC.contains(text))
        .map(|address| {
            ["{id}", "{token}", "{name}"]
                .iter()
                .fold(address.to_owned(), |address, id| address.replace(id, "{}"))
        })
        .collect();

    assert!(addresses.len() > 30, "{addresses:?}");
    for address in addresses {
        let called = CALLS.iter().map(|(_, path, _)| *path);
        let called = called.chain(NAMED.iter().map(|(_, path, ..)| *path));
        let nameless = NAMELESS.iter().filter_map(|path| path.split('?').next());
        let is_called = called.chain(nameless).any(|path| path == address);
        assert!(is_called, "{address} is not in CALLS, NAMED or NAMELESS");
    }
}

#[tokio::test]
async fn what_is_no_id_is_not_found() {
    let Some(server) = start().await else { return };
    create(&server.client(), json!([])).await;
    for id in [
        "0",
        "-1",
        "+1",
        "1.0",
        "01x",
        "abc",
        "99999999999999999999",
        "%00",
        "%ff",
        "1%2f2",
        "1%20",
    ] {
        for path in [
            format!("/orchestrations/{id}"),
            format!("/jobs/{id}"),
            format!("/orchestrations/{id}/jobs"),
            format!("/v2/storage/tokens/{id}"),
            format!("/plugins/{id}/versions"),
            format!("/components/{id}"),
        ] {
            assert_eq!(
                server.client().get(&path).await.refusal(404),
                "NOT_FOUND",
                "{path}"
            );
        }
    }
}
