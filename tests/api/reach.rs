//! The addresses under which the API answers, and those that it prints.

use super::{create, database, start};
use crate::support::server::{Server, default_settings};
use orchestrator::api::ApiSettings;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

async fn start_public() -> Option<Server> {
    let public_url = Some("https://syrup.example.com/syrup/orchestrator/".to_owned());
    let settings = ApiSettings {
        public_url,
        ..default_settings()
    };
    Server::start_with(database(), settings).await
}

#[tokio::test]
async fn the_api_answers_at_the_root_and_below_the_public_path() {
    let Some(server) = start_public().await else {
        return;
    };
    let client = server.client();
    let created = create(&client, json!([])).await;
    assert_eq!(
        created["uri"],
        "https://syrup.example.com/syrup/orchestrator/orchestrations/1"
    );

    for path in [
        "/orchestrations/1",
        "/orchestrations/1/",
        "//orchestrations//1",
        "/syrup/orchestrator/orchestrations/1",
        "/syrup//orchestrator///orchestrations/1//",
    ] {
        assert_eq!(client.get(path).await.expect(200), created, "{path}");
    }
    client
        .get("/syrup/orchestrator/orchestrations/1/jobs/?limit=5")
        .await
        .expect(200);
    client
        .post("/syrup/orchestrator/run", json!({"config": 1}))
        .await
        .expect(202);
    client
        .get("/other/orchestrator/orchestrations/1")
        .await
        .expect(404);
}

#[tokio::test]
async fn addresses_are_built_from_the_host_of_the_request() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let request = client
        .request(Method::POST, "/orchestrations")
        .header("Host", "orchestrator.example:8443")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "forged.example")
        .body(r#"{"name": "a"}"#);

    let created = client.send(request).await.expect(201);

    assert_eq!(
        created["uri"],
        "http://orchestrator.example:8443/orchestrations/1"
    );
}

#[tokio::test]
async fn a_trusted_proxy_says_how_it_was_reached() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("range")];
    let settings = ApiSettings {
        trusted_proxies,
        ..default_settings()
    };
    let Some(server) = Server::start_with(database(), settings).await else {
        return;
    };
    let client = server.client();
    let request = client
        .request(Method::POST, "/orchestrations")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "public.example")
        .body(r#"{"name": "a"}"#);

    let created = client.send(request).await.expect(201);

    assert_eq!(created["uri"], "https://public.example/orchestrations/1");
}

#[tokio::test]
async fn a_request_without_a_host_gets_the_address_that_it_came_to() {
    let Some(server) = start().await else { return };
    create(&server.client(), json!([])).await;

    let answer = server
        .send_raw(
            "GET /orchestrations HTTP/1.0\r\nX-StorageApi-Token: master-token-of-project-1\r\n\r\n",
        )
        .await;

    assert!(
        answer.contains(&format!("http://{}/orchestrations/1", server.address)),
        "{answer}"
    );
}

#[tokio::test]
async fn an_overdue_schedule_is_not_ready() {
    // Nothing fires schedules here.
    let Some(server) = start().await else { return };
    let hourly = json!({"name": "Hourly", "crontabRecord": "0 * * * *"});
    server
        .client()
        .post("/orchestrations", hourly)
        .await
        .expect(201);
    let due = server.clock.now().plus(Duration::from_secs(60 * 60));

    server.nobody().get("/health/ready").await.expect(200);
    server.clock.set(due);
    let answer = server.nobody().get("/health/ready").await.expect(503);

    assert_eq!(answer["status"], "overdue");
    assert_eq!(answer["dueSince"], "2013-03-02T11:00:00+00:00");
    server.nobody().get("/health/live").await.expect(200);
}
