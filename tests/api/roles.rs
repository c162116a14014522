//! What a server answers that leaves the API, or the schedules, to others.

use super::database;
use crate::support::client::Client;
use crate::support::server::{Server, default_settings};
use orchestrator::api::ApiSettings;
use orchestrator::domain::role::{Role, Roles};
use serde_json::json;
use std::time::Duration;

async fn start_as(roles: &[Role]) -> Option<Server> {
    let settings = ApiSettings {
        roles: Roles::of(roles.iter().copied()).expect("a role"),
        ..default_settings()
    };
    Server::start_with(database(), settings).await
}

/// Makes its schedule overdue; nothing fires schedules here.
async fn let_a_schedule_pass(server: &Server, client: &Client) {
    let hourly = json!({"name": "Hourly", "crontabRecord": "0 * * * *"});
    client.post("/orchestrations", hourly).await.expect(201);
    server.clock.advance(Duration::from_secs(2 * 60 * 60));
}

#[tokio::test]
async fn a_server_without_the_api_answers_health_checks_and_nothing_else() {
    let roles = [Role::Scheduler, Role::Runner, Role::Notifier];
    let Some(server) = start_as(&roles).await else {
        return;
    };
    let client = server.client().beyond_the_document();

    client.get("/health/live").await.expect(200);
    client.get("/health/ready").await.expect(200);

    for path in [
        "/orchestrations",
        "/orchestrations/1",
        "/jobs/1",
        "/v2/storage/tokens/verify",
        "/nothing",
    ] {
        assert_eq!(client.get(path).await.refusal(404), "NOT_FOUND", "{path}");
    }
    let refused = client.post("/run", json!({"config": 1})).await;
    assert_eq!(refused.refusal(404), "NOT_FOUND");
}

#[tokio::test]
async fn an_overdue_schedule_makes_only_a_server_unready_that_fires_schedules() {
    for (roles, status) in [
        (&[Role::Api, Role::Runner, Role::Notifier][..], 200),
        (&[Role::Api, Role::Scheduler], 503),
    ] {
        let Some(server) = start_as(roles).await else {
            return;
        };
        let_a_schedule_pass(&server, &server.client()).await;

        server.nobody().get("/health/ready").await.expect(status);
    }
}

#[tokio::test]
async fn a_server_without_schedules_is_not_ready_without_its_database() {
    let Some(server) = start_as(&[Role::Api]).await else {
        return;
    };
    server.store.close().await;

    server.nobody().get("/health/ready").await.expect(503);
}
