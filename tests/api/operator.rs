//! What operators do about projects and their tokens.

use crate::support::client::{Answer, Client};
use crate::support::server::{MASTER, Server, default_settings};
use orchestrator::api::ApiSettings;
use orchestrator::tokens::OperatorToken;
use reqwest::Method;
use serde_json::{Value, json};

pub const OPERATOR: &str = "operator-token-of-tests";

/// A server with an operator's token.
pub async fn start() -> Option<Server> {
    let settings = ApiSettings {
        operator_token: Some(OperatorToken::new(OPERATOR)),
        ..default_settings()
    };
    Server::start_with(super::database(), settings).await
}

/// The operator's call.
pub async fn operate(server: &Server, method: Method, path: &str, body: Value) -> Answer {
    let client = server.nobody();
    let request = client
        .request(method, path)
        .header("X-Operator-Token", OPERATOR);
    let request = match body {
        Value::Null => request,
        body => request.body(body.to_string()),
    };
    client.send(request).await
}

/// A project and the bearer of its master token.
pub async fn new_project(server: &Server, body: Value) -> (Value, Client) {
    let made = operate(server, Method::POST, "/operator/projects", body).await;
    let made = made.expect(201);
    let client = server.bearer(made["masterToken"].as_str().expect("a token"));
    (made, client)
}

fn path(project: &Value) -> String {
    format!("/operator/projects/{}", project["id"])
}

#[tokio::test]
async fn a_project_is_made_with_a_token_that_is_shown_once() {
    let Some(server) = start().await else { return };

    let (made, client) = new_project(&server, json!({"name": "Acme"})).await;

    assert_eq!((&made["id"], &made["name"]), (&json!(2), &json!("Acme")));
    let verified = client.get("/v2/storage/tokens/verify").await.expect(200);
    assert_eq!(verified["owner"], json!({"id": 2, "name": "Acme"}));
    assert_eq!(verified["isMasterToken"], true);
    let listed = operate(&server, Method::GET, "/operator/projects", Value::Null).await;
    let listed = listed.expect(200);
    assert_eq!(listed[1]["name"], "Acme");
    let secret = made["masterToken"].as_str().expect("a token");
    assert!(!listed.to_string().contains(secret), "{listed}");
}

#[tokio::test]
async fn without_the_operators_token_nothing_is_told() {
    let Some(server) = start().await else { return };
    let answer = |token: Option<&'static str>| {
        let client = server.client();
        async move {
            let request = client.request(Method::GET, "/operator/projects");
            let request = match token {
                Some(token) => request.header("X-Operator-Token", token),
                None => request,
            };
            client.send(request).await.refusal(401)
        }
    };

    assert_eq!(answer(None).await, "UNAUTHORIZED");
    assert_eq!(
        answer(Some("operator-token-of-others")).await,
        "UNAUTHORIZED"
    );
    // The master token of a project is no operator's.
    assert_eq!(answer(Some(MASTER)).await, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_server_without_an_operators_token_has_no_such_calls() {
    let Some(server) = super::start().await else {
        return;
    };
    let answer = operate(&server, Method::GET, "/operator/projects", Value::Null).await;
    assert_eq!(answer.refusal(404), "NOT_FOUND");
}

#[tokio::test]
async fn a_disabled_project_is_refused_until_it_is_enabled() {
    let Some(server) = start().await else { return };
    let (made, client) = new_project(&server, json!({"name": "Acme"})).await;
    let body = json!({"isDisabled": true});
    let disabled = operate(&server, Method::PUT, &path(&made), body).await;
    assert_eq!(disabled.expect(200)["isDisabled"], true);

    let refused = client.get("/orchestrations").await.refusal(401);
    assert_eq!(refused, "PROJECT_DISABLED");
    server.client().get("/orchestrations").await.expect(200);
    let body = json!({"isDisabled": false});
    operate(&server, Method::PUT, &path(&made), body)
        .await
        .expect(200);
    client.get("/orchestrations").await.expect(200);
}

#[tokio::test]
async fn a_deleted_project_is_gone_at_once() {
    let Some(server) = start().await else { return };
    let (made, client) = new_project(&server, json!({"name": "Acme"})).await;

    let deleted = operate(&server, Method::DELETE, &path(&made), Value::Null).await;

    assert_eq!(deleted.status, 204);
    assert_eq!(
        client.get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let again = operate(&server, method, &path(&made), json!({})).await;
        assert_eq!(again.refusal(404), "NOT_FOUND");
    }
    let listed = operate(&server, Method::GET, "/operator/projects", Value::Null).await;
    assert_eq!(listed.expect(200).as_array().expect("a list").len(), 1);
}

#[tokio::test]
async fn a_lost_master_token_is_rotated() {
    let Some(server) = start().await else { return };
    let (made, client) = new_project(&server, json!({"name": "Acme"})).await;
    let tokens = format!("{}/tokens", path(&made));
    let listed = operate(&server, Method::GET, &tokens, Value::Null).await;
    let master = listed.expect(200)[0]["id"].as_str().expect("id").to_owned();

    let rotated = format!("{tokens}/{master}/refresh");
    let rotated = operate(&server, Method::POST, &rotated, Value::Null).await;
    let rotated = rotated.expect(200);

    client.get("/orchestrations").await.expect(401);
    let again = server.bearer(rotated["token"].as_str().expect("a token"));
    again.get("/orchestrations").await.expect(200);
    let revoked = operate(
        &server,
        Method::DELETE,
        &format!("{tokens}/{master}"),
        Value::Null,
    )
    .await;
    assert_eq!(revoked.refusal(409), "MASTER_TOKEN");
}

#[tokio::test]
async fn a_revoked_token_is_refused_also_where_something_uses_it() {
    let Some(server) = start().await else { return };
    let (made, master) = new_project(&server, json!({"name": "Acme"})).await;
    let tokens = format!("{}/tokens", path(&made));
    let body = json!({"description": "ci", "componentAccess": ["a"]});
    let token = operate(&server, Method::POST, &tokens, body)
        .await
        .expect(201);
    assert_eq!(token["componentAccess"], json!(["a"]));
    let id = token["id"].as_str().expect("id").to_owned();
    let body = json!({"name": "Main", "tokenId": id});
    let used = master.post("/orchestrations", body).await.expect(201);

    let one = format!("{tokens}/{id}");
    let revoked = operate(&server, Method::DELETE, &one, Value::Null).await;

    assert_eq!(revoked.status, 204);
    let bearer = server.bearer(token["token"].as_str().expect("a token"));
    bearer.get("/orchestrations").await.expect(401);
    let shown = master.get(&format!("/v2/storage/tokens/{id}")).await;
    assert_eq!(shown.expect(200)["isDisabled"], true);
    master
        .delete(&format!("/orchestrations/{}", used["id"]))
        .await;
    assert_eq!(
        operate(&server, Method::DELETE, &one, Value::Null)
            .await
            .status,
        204
    );
    master
        .get(&format!("/v2/storage/tokens/{id}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_token_is_looked_for_in_its_own_project_only() {
    let Some(server) = start().await else { return };
    let (made, _) = new_project(&server, json!({"name": "Acme"})).await;

    for path in [
        format!("{}/tokens/1", path(&made)),
        "/operator/projects/9/tokens/1".to_owned(),
    ] {
        let answer = operate(&server, Method::DELETE, &path, Value::Null).await;
        assert_eq!(answer.refusal(404), "NOT_FOUND", "{path}");
    }
    server.client().get("/orchestrations").await.expect(200);
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_all_named() {
    let Some(server) = start().await else { return };
    let body = json!({"quotas": {"jobs": 1, "orchestrations": -1, "jobsPerDay": "many"}});
    let answer = operate(&server, Method::POST, "/operator/projects", body).await;
    assert_eq!(
        answer.faults(),
        [
            "name",
            "quotas.jobs",
            "quotas.orchestrations",
            "quotas.jobsPerDay"
        ]
    );
}
