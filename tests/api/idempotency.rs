//! A request that carries an `Idempotency-Key` makes one job, however often it is sent.

use super::{create, start};
use crate::support::client::{Answer, Client};
use orchestrator::domain::job::Status;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const JOBS: &str = "/orchestrations/1/jobs";

async fn post(client: &Client, path: &str, key: &str, body: Value) -> Answer {
    let request = client.request(Method::POST, path);
    let request = request
        .header("Idempotency-Key", key.as_bytes())
        .body(body.to_string());
    client.send(request).await
}

async fn jobs(client: &Client) -> usize {
    let list = client.get(JOBS).await.expect(200);
    list.as_array().expect("a list").len()
}

#[tokio::test]
async fn fifty_equal_posts_at_once_make_one_job() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;

    let posts = (0..50).map(|_| {
        post(
            &client,
            JOBS,
            "night-1",
            json!({"notificationsEmails": ["a@b.cz"]}),
        )
    });
    let answers = futures_util::future::join_all(posts).await;

    for answer in answers {
        assert_eq!(answer.expect(201)["id"], 1);
    }
    assert_eq!(jobs(&client).await, 1);
}

#[tokio::test]
async fn every_call_that_makes_a_job_knows_the_key() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;

    for (number, (path, body, status)) in [
        (JOBS, json!({}), 201),
        ("/run", json!({"config": 1}), 202),
        ("/orchestrations/1/trigger", json!({}), 202),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        let first = post(&client, path, &key, body.clone()).await.expect(status);
        let again = post(&client, path, &key, body).await.expect(status);
        assert_eq!(again, first, "{path}");
        assert_eq!(jobs(&client).await, number + 1, "{path}");
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_job_as_it_is_now() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    post(&client, JOBS, "k", json!({})).await.expect(201);
    let steps = server.claim().await;
    server.end(&steps[0], Status::Success, None, None).await;

    let again = post(&client, JOBS, "k", json!({})).await.expect(201);

    assert_eq!(again["status"], "success");
    assert_eq!(again, client.get("/jobs/1").await.expect(200));
}

#[tokio::test]
async fn the_same_key_with_another_request_is_a_conflict() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    create(&client, json!([])).await;
    let body = json!({"tasks": [{"component": "a"}]});
    post(&client, JOBS, "k", body.clone()).await.expect(201);

    for (path, other) in [
        (JOBS, json!({})),
        (
            JOBS,
            json!({"tasks": [{"component": "a", "active": false}]}),
        ),
        (
            JOBS,
            json!({"tasks": [{"component": "a"}], "notificationsEmails": ["a@b.cz"]}),
        ),
        ("/orchestrations/2/jobs", body.clone()),
        ("/orchestrations/1/trigger", body.clone()),
        ("/run", json!({"config": 1, "tasks": [{"component": "a"}]})),
    ] {
        let refused = post(&client, path, "k", other.clone()).await;
        assert_eq!(
            refused.refusal(409),
            "IDEMPOTENCY_CONFLICT",
            "{path} {other}"
        );
    }
    // The same in other words is the same.
    let same = json!({"tasks": [{"component": "a", "componentUrl": null, "active": true, "actionParameters": []}]});
    assert_eq!(post(&client, JOBS, "k", same).await.expect(201)["id"], 1);
    assert_eq!(jobs(&client).await, 1);
}

#[tokio::test]
async fn a_request_that_made_no_job_leaves_its_key_free() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    client
        .put("/orchestrations/1", json!({"active": false}))
        .await
        .expect(200);

    let trigger = "/orchestrations/1/trigger";
    assert_eq!(
        post(&client, trigger, "k", json!({})).await.refusal(409),
        "ORCHESTRATION_NOT_ACTIVE"
    );
    let unknown = post(&client, "/orchestrations/9/jobs", "k", json!({})).await;
    assert_eq!(unknown.refusal(404), "NOT_FOUND");
    let differ = post(&client, JOBS, "k", json!({"tasks": []})).await;
    assert_eq!(differ.refusal(400), "JOB_VALIDATION");
    post(&client, JOBS, "k", json!({})).await.expect(201);
}

#[tokio::test]
async fn a_key_is_its_projects_own_and_lives_for_a_day() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let other = server.add_project("Other").await;
    create(&client, json!([])).await;
    create(&other, json!([])).await;

    let first = post(&client, JOBS, "k", json!({})).await.expect(201);
    let others = post(&other, "/orchestrations/2/jobs", "k", json!({}))
        .await
        .expect(201);
    server.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
    let again = post(&client, JOBS, "k", json!({})).await.expect(201);
    server.clock.advance(Duration::from_secs(1));
    let later = post(&client, JOBS, "k", json!({})).await.expect(201);

    assert_ne!(first["id"], others["id"]);
    assert_eq!(again["id"], first["id"]);
    assert_ne!(later["id"], first["id"]);
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;

    for key in ["", "a b", "č", &"k".repeat(256)] {
        for (path, body) in [
            (JOBS, json!({})),
            ("/orchestrations/1/trigger", json!({})),
            ("/run", json!({"config": 1})),
        ] {
            let refused = post(&client, path, key, body).await;
            assert_eq!(refused.faults(), ["Idempotency-Key"], "{key:?} {path}");
        }
    }
    let twice = client
        .request(Method::POST, JOBS)
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    assert_eq!(client.send(twice).await.faults(), ["Idempotency-Key"]);
    assert_eq!(jobs(&client).await, 0);
    post(&client, JOBS, &"~".repeat(255), json!({}))
        .await
        .expect(201);
}
