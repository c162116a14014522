//! Notifications that name a plugin, and the list of what became of them.

use super::start;
use orchestrator::domain::job::Status;
use serde_json::{Value, json};

#[tokio::test]
async fn a_notification_that_names_a_plugin_is_shown_as_it_was_set() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let given = json!([
        {"email": "a@b.cz", "channel": "error", "parameters": {}},
        {"channel": "recovery", "parameters": {}, "plugin": "webhook", "config": {"url": "https://x.example/"}},
        {"email": "a@b.cz", "channel": "success", "parameters": {}, "plugin": "email"},
    ]);
    let body = json!({"name": "Main", "notifications": given});
    let created = client.post("/orchestrations", body).await.expect(201);

    assert_eq!(created["notifications"].to_string(), given.to_string());
    let read = client.get("/orchestrations/1/notifications").await;
    assert_eq!(read.expect(200).to_string(), given.to_string());
}

#[tokio::test]
async fn what_is_wrong_with_a_plugins_notification_is_named() {
    let Some(server) = start().await else { return };
    let client = server.client();
    client
        .post("/orchestrations", json!({"name": "Main"}))
        .await
        .expect(201);
    let bad = json!([
        {"channel": "error"},
        {"channel": "error", "plugin": "email"},
        {"channel": "error", "plugin": "Web Hook"},
        {"channel": "error", "plugin": "webhook", "config": {"url": "http://x.example/"}},
        {"channel": "error", "plugin": "webhook", "config": {"url": 1, "credential": "a b"}},
        {"channel": "error", "plugin": "webhook", "config": "x"},
    ]);

    let answer = client.put("/orchestrations/1/notifications", bad).await;

    let expected = [
        "[0].email",
        "[1].email",
        "[2].plugin",
        "[3].config.url",
        "[4].config.url",
        "[4].config.credential",
        "[5].config",
    ];
    assert_eq!(answer.faults(), expected);
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_and_sent_again_for_their_own_project_only() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let config = json!({"url": "https://x.example/"});
    let body = json!({"name": "Main", "tasks": [{"component": "a"}], "notifications": [
        {"email": "a@b.cz", "channel": "error"},
        {"channel": "error", "plugin": "webhook", "config": config},
    ]});
    client.post("/orchestrations", body).await.expect(201);
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    let steps = server.claim().await;
    server.end(&steps[0], Status::Error, None, None).await;

    let list = client.get("/orchestrations/1/deliveries").await;
    assert_eq!(list.headers["x-total-count"], "2");
    let list = list.expect(200);
    assert_eq!((&list[0]["id"], &list[1]["id"]), (&json!(2), &json!(1)));
    assert_eq!(list[0]["config"], config);
    assert_eq!(list[0].get("email"), None);
    assert_eq!(list[1]["email"], "a@b.cz");
    assert_eq!(list[1].get("config"), None);
    assert_eq!(list[0]["lastAttempt"], Value::Null);
    let page = client
        .get("/orchestrations/1/deliveries?limit=1&offset=1")
        .await
        .expect(200);
    assert_eq!(page, json!([list[1]]));

    let again = "/orchestrations/1/deliveries/2/redeliver";
    let other = server.add_project("Other").await;
    other.get("/orchestrations/1/deliveries").await.refusal(404);
    other.post(again, json!({})).await.refusal(404);
    let unknown = "/orchestrations/1/deliveries/9/redeliver";
    client.post(unknown, json!({})).await.refusal(404);
    let refusal = client.post(again, json!({})).await.refusal(409);
    assert_eq!(refusal, "DELIVERY_PENDING");
}
