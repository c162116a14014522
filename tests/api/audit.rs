//! The audit log: who changed what, when and from where.

use super::plugins::{noop, upload};
use super::{operator, start};
use crate::support::client::Client;
use crate::support::server::MASTER;
use reqwest::Method;
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
    assert_eq!(update["subject"], made["id"].to_string());
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

#[tokio::test]
async fn plugins_components_credentials_and_repeated_deliveries_are_in_it_too() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, &noop(&json!({}))).await.expect(201);
    let grant = json!({"limits": {"cpuSeconds": 2}});
    client.put("/plugins/mine/grant", grant).await.expect(200);
    let component = json!({"plugin": "mine", "config": {}});
    client.put("/components/shop", component).await.expect(200);
    assert_eq!(client.delete("/components/shop").await.status, 204);
    let secret = "nobody-sees-this-secret";
    let bearer = json!({"type": "bearer", "token": secret, "hosts": ["https://a.example"]});
    client
        .put("/credentials/shop", bearer.clone())
        .await
        .expect(201);
    client.put("/credentials/shop", bearer).await.expect(200);
    assert_eq!(client.delete("/credentials/shop").await.status, 204);
    assert_eq!(client.delete("/plugins/mine").await.status, 204);

    let entries = entries(&client).await;

    let told: Vec<String> = entries
        .iter()
        .rev()
        .map(|entry| format!("{} {}", entry["action"], entry["subject"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "plugin.upload mine",
            "plugin.grant mine",
            "component.save shop",
            "component.delete shop",
            "credential.save shop",
            "credential.save shop",
            "credential.delete shop",
            "plugin.delete mine",
        ]
    );
    assert_eq!(entries[6]["before"]["version"], "1.0.0");
    assert_eq!(entries[6]["after"]["granted"]["limits"]["cpuSeconds"], 2);
    assert_eq!(entries[5]["after"]["plugin"], "mine");
    assert_eq!(entries[3]["before"], Value::Null, "the credential is new");
    assert_eq!(entries[2]["before"], entries[2]["after"]);
    assert!(!json!(entries).to_string().contains(secret), "{entries:?}");
}

#[tokio::test]
async fn what_the_operator_changes_is_in_the_projects_log_as_the_operators() {
    let Some(server) = operator::start().await else {
        return;
    };
    let (made, client) = operator::new_project(&server, json!({"name": "Acme"})).await;
    let own = format!("/operator/projects/{}", made["id"]);
    let limits = json!({"quotas": {"orchestrations": 7}});
    operator::operate(&server, Method::PUT, &own, limits)
        .await
        .expect(200);
    let tokens = format!("{own}/tokens");
    operator::operate(
        &server,
        Method::POST,
        &tokens,
        json!({"description": "New"}),
    )
    .await
    .expect(201);

    let entries = entries(&client).await;

    let actions: Vec<&Value> = entries.iter().rev().map(|entry| &entry["action"]).collect();
    assert_eq!(
        actions,
        ["project.create", "project.update", "token.create"]
    );
    assert!(entries.iter().all(|entry| entry["token"].is_null()));
    assert_eq!(entries[1]["subject"], made["id"].to_string());
    assert_eq!(entries[1]["before"]["quotas"], json!({}));
    assert_eq!(
        entries[1]["after"]["quotas"],
        json!({"orchestrations": {"atMost": 7}})
    );
}

#[tokio::test]
async fn a_browser_that_signs_in_and_out_is_on_record() {
    let Some(server) = start().await else { return };
    let nobody = server.nobody();
    let page = |method| {
        nobody
            .request(method, "/ui/session")
            .header("Sec-Fetch-Site", "same-origin")
    };
    let sign_in = |token: &str| page(Method::POST).body(json!({"token": token}).to_string());
    nobody.send(sign_in("wrong")).await.expect(401);
    let answer = nobody.send(sign_in(MASTER)).await;
    let cookie = answer.headers["set-cookie"].clone();
    answer.expect(201);
    for _ in 0..2 {
        let sign_out = page(Method::DELETE).header("Cookie", &cookie);
        nobody.send(sign_out).await.expect(204);
    }

    let found = entries(&server.client()).await;
    let told: Vec<_> = found
        .iter()
        .map(|one| (&one["action"], &one["subject"], &one["address"]))
        .collect();
    let (session, address) = (json!("1"), json!("127.0.0.1"));
    let [closed, opened] = [json!("session.close"), json!("session.open")];
    assert_eq!(
        told,
        [(&closed, &session, &address), (&opened, &session, &address)]
    );
    assert_eq!(
        found[0]["token"],
        json!({"id": 1, "description": "Master token"})
    );
    assert!(!json!(found).to_string().contains(MASTER));
}
