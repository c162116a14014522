//! Tokens that are kept by a Storage API elsewhere.

use super::operator::{OPERATOR, operate};
use crate::support::client::Client;
use crate::support::server::{Server, default_settings};
use crate::support::steps::certificates;
use demo_components::StorageApi;
use orchestrator::api::ApiSettings;
use orchestrator::domain::ids::{ProjectId, TokenId};
use orchestrator::tokens::{OperatorToken, RemoteSettings};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const MANAGER: &str = "42-manager-of-tokens";
const PLAIN: &str = "42-plain-token-of-42";
const OTHER: &str = "43-manager-of-tokens";
const CACHE: Duration = Duration::from_secs(60);

/// A Storage API with two tokens of the project 42 and one of 43, and a server that asks it.
async fn start() -> Option<(StorageApi, Server)> {
    let elsewhere = StorageApi::start(&certificates()).await.expect("started");
    let remote = RemoteSettings {
        url: elsewhere.base_url().to_owned(),
        extra_ca_pem: Some(certificates().ca_pem().as_bytes().to_vec()),
        cache_for: CACHE,
    };
    let settings = ApiSettings {
        operator_token: Some(OperatorToken::new(OPERATOR)),
        ..default_settings()
    };
    let server = Server::start_elsewhere(super::database(), settings, remote).await?;
    elsewhere.add_token(MANAGER, 42, true);
    elsewhere.add_token(PLAIN, 42, false);
    elsewhere.add_token(OTHER, 43, true);
    Some((elsewhere, server))
}

async fn create(client: &Client) -> Value {
    let body = json!({"name": "Main", "tasks": [{"component": "a"}]});
    client.post("/orchestrations", body).await.expect(201)
}

#[tokio::test]
async fn a_project_is_made_when_its_owners_token_is_first_seen() {
    let Some((_elsewhere, server)) = start().await else {
        return;
    };
    let manager = server.bearer(MANAGER);

    let made = create(&manager).await;

    // The other token of that owner sees the same project, and that of another one does not.
    let seen = server
        .bearer(PLAIN)
        .get("/orchestrations")
        .await
        .expect(200);
    assert_eq!(seen[0]["id"], made["id"]);
    let other = server.bearer(OTHER).get("/orchestrations").await;
    assert_eq!(other.expect(200), json!([]));
    let projects = operate(&server, Method::GET, "/operator/projects", Value::Null).await;
    let projects = projects.expect(200);
    assert_eq!(projects[0]["owner"], "42");
    assert_eq!(projects[0]["name"], "Project 42");
    assert_eq!(projects.as_array().expect("a list").len(), 2);
    assert_eq!(
        server
            .bearer("42-unknown-token-x")
            .get("/quotas")
            .await
            .refusal(401),
        "UNAUTHORIZED"
    );
}

#[tokio::test]
async fn a_token_is_asked_for_once_per_cache_time_and_a_revoked_one_is_refused_after_it() {
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let client = server.bearer(PLAIN);
    for _ in 0..3 {
        client.get("/orchestrations").await.expect(200);
    }
    assert_eq!(elsewhere.verifications(), 1);

    elsewhere.revoke(PLAIN);

    client.get("/orchestrations").await.expect(200);
    server.clock.advance(CACHE);
    assert_eq!(
        client.get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    // That it is none is remembered too, but not for long.
    client.get("/orchestrations").await.expect(401);
    assert_eq!(elsewhere.verifications(), 2);
    elsewhere.add_token(PLAIN, 42, false);
    server.clock.advance(Duration::from_secs(5));
    client.get("/orchestrations").await.expect(200);
}

#[tokio::test]
async fn while_the_storage_api_is_away_known_tokens_work_until_their_time_and_others_are_told_why()
{
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let (known, other) = (server.bearer(PLAIN), server.bearer(OTHER));
    known.get("/orchestrations").await.expect(200);
    elsewhere.fail(true);

    known.get("/orchestrations").await.expect(200);
    let answer = other.get("/orchestrations").await;
    assert_eq!(answer.headers["retry-after"], "1");
    let json = answer.expect(503);
    assert_eq!(json["code"], "STORAGE_API_UNAVAILABLE");
    let message = json["message"].as_str().expect("a message");
    assert!(message.contains("Storage API"), "{message}");
    elsewhere.fail(false);
    other.get("/orchestrations").await.expect(200);

    drop(elsewhere);

    known.get("/orchestrations").await.expect(200);
    server.clock.advance(CACHE);
    let gone = known.get("/orchestrations").await.expect(503);
    assert_eq!(gone["code"], "STORAGE_API_UNAVAILABLE");
}

#[tokio::test]
async fn an_orchestrations_token_is_made_refreshed_and_deleted_there() {
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let manager = server.bearer(MANAGER);
    let reveal = async |id: u64| {
        let id = TokenId(i64::try_from(id).expect("an id"));
        let revealed = server.tokens.reveal(ProjectId(1), id).await;
        revealed.expect("the store answers")
    };

    let made = create(&manager).await;

    let id = made["token"]["id"].as_u64().expect("an id");
    assert_eq!(made["token"]["description"], "Orchestrator Main");
    let first = elsewhere.secret_of(id);
    assert!(first.is_some());
    assert_eq!(reveal(id).await, first);
    let path = format!("/orchestrations/{}", made["id"]);
    let refreshed = manager
        .post(&format!("{path}/create-token"), json!({}))
        .await;
    assert_eq!(refreshed.expect(200)["token"]["id"], id);
    assert_ne!(elsewhere.secret_of(id), first);
    assert_eq!(reveal(id).await, elsewhere.secret_of(id));
    assert_eq!(manager.delete(&path).await.status, 204);
    assert_eq!(elsewhere.secret_of(id), None);
    assert_eq!(reveal(id).await, None);
}

#[tokio::test]
async fn a_token_that_may_not_make_others_gives_an_orchestration_itself() {
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let plain = server.bearer(PLAIN);
    let own = plain.get("/v2/storage/tokens/verify").await.expect(200);
    let id = own["id"].as_str().expect("an id").to_owned();

    let refused = plain.post("/orchestrations", json!({"name": "Main"})).await;

    let refused = refused.expect(403);
    assert_eq!(refused["code"], "STORAGE_API_REFUSED");
    let message = refused["message"].as_str().expect("a message");
    assert!(message.contains("permission to manage tokens"), "{message}");
    let body = json!({"name": "Main", "tokenId": id});
    let made = plain.post("/orchestrations", body).await.expect(201);
    let token = TokenId(made["token"]["id"].as_i64().expect("an id"));
    let revealed = server.tokens.reveal(ProjectId(1), token).await;
    assert_eq!(revealed.expect("answered").as_deref(), Some(PLAIN));
    // It was given, so it outlives the orchestration.
    let path = format!("/orchestrations/{}", made["id"]);
    assert_eq!(plain.delete(&path).await.status, 204);
    assert!(elsewhere.secret_of(id.parse().expect("a number")).is_some());
}

#[tokio::test]
async fn a_refused_orchestration_leaves_no_token_there() {
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let manager = server.bearer(MANAGER);
    create(&manager).await;
    let limits = json!({"quotas": {"orchestrations": 1}});
    operate(&server, Method::PUT, "/operator/projects/1", limits)
        .await
        .expect(200);

    let refused = manager
        .post("/orchestrations", json!({"name": "Second"}))
        .await;

    assert_eq!(refused.refusal(403), "QUOTA_EXCEEDED");
    assert!(elsewhere.secret_of(5_004).is_some(), "the first one's");
    assert_eq!(elsewhere.secret_of(5_005), None);
}

#[tokio::test]
async fn calls_about_tokens_say_where_they_are_kept() {
    let Some((elsewhere, server)) = start().await else {
        return;
    };
    let manager = server.bearer(MANAGER);
    let verified = manager.get("/v2/storage/tokens/verify").await.expect(200);
    assert_eq!(verified["owner"]["id"], 42);

    for answer in [
        manager.get("/v2/storage/tokens").await,
        manager.post("/v2/storage/tokens", json!({})).await,
        manager.get("/v2/storage/tokens/5001").await,
        manager.put("/v2/storage/tokens/5001", json!({})).await,
        manager.delete("/v2/storage/tokens/5001").await,
        manager
            .post("/v2/storage/tokens/5001/refresh", json!({}))
            .await,
        operate(
            &server,
            Method::POST,
            "/operator/projects",
            json!({"name": "x"}),
        )
        .await,
        operate(
            &server,
            Method::GET,
            "/operator/projects/1/tokens",
            Value::Null,
        )
        .await,
    ] {
        let json = answer.expect(403);
        assert_eq!(json["code"], "TOKENS_ELSEWHERE", "{json}");
        let message = json["message"].as_str().expect("a message");
        assert!(message.contains(elsewhere.base_url()), "{message}");
    }
}

#[tokio::test]
async fn a_disabled_project_is_refused_though_its_tokens_are_valid_there() {
    let Some((_elsewhere, server)) = start().await else {
        return;
    };
    let client = server.bearer(PLAIN);
    client.get("/orchestrations").await.expect(200);

    let body = json!({"isDisabled": true});
    operate(&server, Method::PUT, "/operator/projects/1", body)
        .await
        .expect(200);

    assert_eq!(
        client.get("/orchestrations").await.refusal(401),
        "PROJECT_DISABLED"
    );
}
