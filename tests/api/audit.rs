//! The audit log: who changed what, when and from where.

use super::start;
use crate::support::client::Client;
use serde_json::{Value, json};

async fn entries(client: &Client) -> Vec<Value> {
    let list = client.get("/audit?limit=500").await.expect(200);
    list.as_array().expect("a list").clone()
}

#[tokio::test]
async fn each_change_is_one_entry_that_says_who_what_when_and_from_where() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let secret = "parameters-are-nobodys-business";
    let task = json!({"component": "a", "actionParameters": {"#password": secret}});
    let body = json!({"name": "Main", "tasks": [task], "crontabRecord": "0 3 * * *"});
    let made = client.post("/orchestrations", body).await.expect(201);
    let change = json!({"name": "Renamed", "active": false});
    client.put("/orchestrations/1", change).await.expect(200);
    client
        .put("/orchestrations/1/tasks", json!([]))
        .await
        .expect(202);
    client
        .post("/orchestrations/1/create-token", json!({}))
        .await
        .expect(200);
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    client.delete("/jobs/1").await.expect(204);
    let token = client
        .post("/v2/storage/tokens", json!({"description": "Mine"}))
        .await
        .expect(201);
    let path = format!(
        "/v2/storage/tokens/{}",
        token["id"].as_str().expect("an id")
    );
    client
        .put(&path, json!({"isDisabled": true}))
        .await
        .expect(200);
    let refresh = format!("{path}/refresh");
    let refreshed = client.post(&refresh, json!({})).await.expect(200);
    client.delete(&path).await.expect(204);
    client.delete("/orchestrations/1").await.expect(204);

    let entries = entries(&client).await;

    let actions: Vec<&str> = entries
        .iter()
        .rev()
        .map(|entry| entry["action"].as_str().expect("an action"))
        .collect();
    assert_eq!(
        actions,
        [
            "orchestration.create",
            "orchestration.update",
            "orchestration.update",
            "orchestration.create-token",
            "job.create",
            "job.cancel",
            "token.create",
            "token.update",
            "token.refresh",
            "token.delete",
            "orchestration.delete",
        ]
    );
    let update = &entries[entries.len() - 2];
    assert_eq!(update["before"]["name"], "Main");
    assert_eq!(update["after"]["name"], "Renamed");
    assert_eq!(update["before"]["active"], true);
    assert_eq!(update["after"]["active"], false);
    assert_eq!(update["before"]["revision"], update["after"]["revision"]);
    assert_eq!(update["subjectId"], made["id"]);
    assert_eq!(update["createdTime"], "2013-03-02T10:11:24+00:00");
    assert_eq!(update["address"], "127.0.0.1");
    assert_eq!(
        update["token"],
        json!({"id": 1, "description": "Master token"})
    );
    let text = json!(entries).to_string();
    for secret in [
        secret,
        token["token"].as_str().expect("a secret"),
        refreshed["token"].as_str().expect("a secret"),
    ] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn what_was_refused_leaves_no_entry() {
    let Some(server) = start().await else { return };
    let client = server.client();
    client.delete("/orchestrations/9").await.expect(404);
    client
        .post("/orchestrations", json!({"name": 1}))
        .await
        .expect(400);
    client.delete("/v2/storage/tokens/1").await.expect(409);
    let unknown = json!({"name": "Main", "tokenId": 99});
    client.post("/orchestrations", unknown).await.expect(400);

    assert_eq!(entries(&client).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_log_is_read_by_those_that_manage_tokens_and_tells_of_their_project_only() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for name in ["One", "Two", "Three"] {
        client
            .post("/orchestrations", json!({"name": name}))
            .await
            .expect(201);
    }
    let other = server.add_project("Other").await;
    let (plain, _) = server.add_plain_token("Plain").await;

    assert_eq!(plain.get("/audit").await.refusal(403), "FORBIDDEN");
    let page = client.get("/audit?limit=1&offset=1").await;
    assert_eq!(page.headers["x-total-count"], "3");
    assert_eq!(page.expect(200)[0]["after"]["name"], "Two");
    let page = other.get("/audit").await;
    assert_eq!(page.headers["x-total-count"], "0");
    assert_eq!(page.expect(200), json!([]));
}
