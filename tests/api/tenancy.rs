//! What is another project's does not exist.

use super::{create, start};
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
    // Their ids are names: what another project's look like is in plugins.rs.
    (Method::GET, "/plugins/{}", ""),
    (Method::DELETE, "/plugins/{}", ""),
    (Method::GET, "/plugins/{}/versions", ""),
    (Method::PUT, "/plugins/{}/grant", "{}"),
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

fn without_id(mut answer: Value) -> Value {
    answer["exceptionId"] = Value::Null;
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

#[test]
fn every_address_with_an_id_is_among_the_calls() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/api/router.rs");
    let table = std::fs::read_to_string(table).expect("the URL table");
    let addresses: Vec<String> = table
        .split('"')
        .filter(|text| text.starts_with('/') && text.contains("{id}"))
        .map(|address| address.replace("{id}", "{}").replace("{token}", "{}"))
        .collect();

    assert!(addresses.len() > 8, "{addresses:?}");
    for address in addresses {
        let is_called = CALLS.iter().any(|(_, path, _)| *path == address);
        assert!(is_called, "{address} is not in CALLS");
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
        ] {
            assert_eq!(
                server.client().get(&path).await.refusal(404),
                "NOT_FOUND",
                "{path}"
            );
        }
    }
}
