//! Quotas: what is over one is refused with its name, and a project sees its own.

use super::create;
use super::operator::{new_project, operate, start};
use super::plugins::{noop, upload};
use crate::support::client::Answer;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[track_caller]
fn refused(answer: Answer, status: u16, quota: &str) {
    let json = answer.expect(status);
    assert_eq!(json["code"], "QUOTA_EXCEEDED", "{json}");
    let message = json["message"].as_str().expect("a message");
    assert_eq!(message, format!("The project's quota {quota} is used up"));
}

#[tokio::test]
async fn an_orchestration_beyond_the_quota_is_refused_and_a_deleted_one_makes_room() {
    let Some(server) = start().await else { return };
    let limits = json!({"name": "Acme", "quotas": {"orchestrations": 1}});
    let (_, client) = new_project(&server, limits).await;
    let first = create(&client, json!([])).await;

    let second = client
        .post("/orchestrations", json!({"name": "Second"}))
        .await;

    refused(second, 403, "orchestrations of 1");
    // Nothing is left of the attempt.
    let tokens = client.get("/v2/storage/tokens").await.expect(200);
    assert_eq!(tokens.as_array().expect("a list").len(), 2);
    create(&server.client(), json!([])).await;
    let path = format!("/orchestrations/{}", first["id"]);
    assert_eq!(client.delete(&path).await.status, 204);
    create(&client, json!([])).await;
}

#[tokio::test]
async fn jobs_beyond_the_days_quota_are_refused_until_the_next_day() {
    let Some(server) = start().await else { return };
    let limits = json!({"name": "Acme", "quotas": {"jobsPerDay": 2}});
    let (_, client) = new_project(&server, limits).await;
    let of = create(&client, json!([])).await;
    let jobs = format!("/orchestrations/{}/jobs", of["id"]);
    client.post(&jobs, json!({})).await.expect(201);
    let body = json!({"config": of["id"]});
    let keyed = || {
        let request = client.request(Method::POST, "/run").body(body.to_string());
        client.send(request.header("Idempotency-Key", "once"))
    };
    let second = keyed().await.expect(202);

    let third = client.post(&jobs, json!({})).await;

    // 2013-03-02T10:11:24, so a day ends in 13:48:36.
    assert_eq!(third.headers["retry-after"], "49717");
    refused(third, 429, "jobsPerDay of 2");
    // A repeated request makes no job, and needs no quota.
    assert_eq!(keyed().await.expect(202)["id"], second["id"]);
    let quotas = client.get("/quotas").await.expect(200);
    let resets = "2013-03-03T00:00:00+00:00";
    assert_eq!(
        quotas["jobsPerDay"],
        json!({"limit": 2, "used": 2, "resets": resets})
    );
    server.clock.advance(Duration::from_secs(49_717));
    client.post(&jobs, json!({})).await.expect(201);
    let quotas = client.get("/quotas").await.expect(200);
    assert_eq!(quotas["jobsPerDay"]["used"], 1);
}

#[tokio::test]
async fn what_a_project_keeps_and_computes_is_bounded() {
    let Some(server) = start().await else { return };
    let limits = json!({"name": "Acme", "quotas": {"storageBytes": 60, "cpuSecondsPerDay": 0}});
    let (made, client) = new_project(&server, limits).await;

    let of = create(&client, json!([{"component": "a"}])).await;
    let path = format!("/orchestrations/{}", of["id"]);

    refused(
        client.post("/run", json!({"config": of["id"]})).await,
        429,
        "cpuSecondsPerDay of 0",
    );
    let tasks = json!([{"component": "b"}]);
    refused(
        client.put(&format!("{path}/tasks"), tasks).await,
        403,
        "storageBytes of 60",
    );
    // What keeps nothing more is allowed.
    client
        .put(&path, json!({"name": "Other"}))
        .await
        .expect(200);
    let own = format!("/operator/projects/{}", made["id"]);
    let more = json!({"quotas": {"storageBytes": "unlimited", "cpuSecondsPerDay": null}});
    let changed = operate(&server, Method::PUT, &own, more).await.expect(200);
    assert_eq!(changed["quotas"]["storageBytes"]["limit"], Value::Null);
    assert_eq!(changed["quotas"]["storageBytes"]["isOwn"], true);
    assert_eq!(changed["quotas"]["cpuSecondsPerDay"]["isOwn"], false);
    client
        .post("/run", json!({"config": of["id"]}))
        .await
        .expect(202);
}

#[tokio::test]
async fn a_project_sees_its_own_quotas_only() {
    let Some(server) = start().await else { return };
    let (_, client) = new_project(&server, json!({"name": "Acme"})).await;
    create(&server.client(), json!([])).await;

    let quotas = client.get("/quotas").await.expect(200);

    let none = json!({"limit": null, "used": 0});
    for quota in [
        "orchestrations",
        "concurrentJobs",
        "plugins",
        "storageBytes",
    ] {
        assert_eq!(quotas[quota], none, "{quota}");
    }
    assert_eq!(quotas["jobsPerDay"]["used"], Value::Null, "not counted");
    assert_eq!(quotas["skippedToday"], 0);
}

#[tokio::test]
async fn plugins_are_counted_and_what_they_take_is_given_back() {
    let Some(server) = start().await else { return };
    let limits = json!({"name": "Acme", "quotas": {"plugins": 1}});
    let (made, client) = new_project(&server, limits).await;
    let first = noop(&json!({}));
    upload(&client, &first).await.expect(201);
    let newer = noop(&json!({"version": "1.1.0"}));
    upload(&client, &newer).await.expect(201);

    let other = upload(&client, &noop(&json!({"id": "other"}))).await;

    refused(other, 403, "plugins of 1");
    let quotas = client.get("/quotas").await.expect(200);
    assert_eq!(quotas["plugins"], json!({"limit": 1, "used": 1}));
    assert_eq!(quotas["storageBytes"]["used"], first.len() + newer.len());
    let own = format!("/operator/projects/{}", made["id"]);
    let full = json!({"quotas": {"storageBytes": 1}});
    operate(&server, Method::PUT, &own, full).await.expect(200);
    let third = noop(&json!({"version": "1.2.0"}));
    refused(upload(&client, &third).await, 403, "storageBytes of 1");
    assert_eq!(client.delete("/plugins/mine").await.status, 204);
    let quotas = client.get("/quotas").await.expect(200);
    assert_eq!(quotas["plugins"]["used"], 0);
    assert_eq!(quotas["storageBytes"]["used"], 0);
    upload(&client, &third).await.expect(201);
}
