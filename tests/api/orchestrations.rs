use super::{create, start};
use crate::support::server::was_poked;
use serde_json::{Value, json};

#[tokio::test]
async fn a_name_is_all_that_a_new_orchestration_needs() {
    let Some(server) = start().await else { return };

    let created = server
        .client()
        .post("/orchestrations", json!({"name": "Small"}))
        .await
        .expect(201);

    assert_eq!(
        created,
        json!({
            "id": 1, "name": "Small", "crontabRecord": null, "createdTime": "2013-03-02T10:11:24+00:00",
            "lastScheduledTime": null, "nextScheduledTime": null, "active": true,
            "token": {"id": 2, "description": "Orchestrator Small"},
            "uri": format!("http://{}/orchestrations/1", server.address),
            "lastExecutedJob": null, "notifications": [], "tasks": [],
        })
    );
    assert!(was_poked(&server.scheduler));
}

#[tokio::test]
async fn null_means_the_default_on_create() {
    let Some(server) = start().await else { return };
    let nulls = json!({"name": "Small", "crontabRecord": null, "tokenId": null, "active": null, "tasks": null,
        "notifications": null, "unknown": {"is": "ignored"}});

    let created = server
        .client()
        .post("/orchestrations", nulls)
        .await
        .expect(201);

    assert_eq!(created["active"], true);
    assert_eq!(created["crontabRecord"], Value::Null);
    assert_eq!(
        (&created["tasks"], &created["notifications"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn null_means_unchanged_on_update_but_clears_a_crontab() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let body = json!({"name": "Main", "crontabRecord": " 0 *\t* * *", "tasks": [{"component": "a"}],
        "notifications": [{"email": "a@b.cz", "channel": "error"}]});
    let created = client.post("/orchestrations", body).await.expect(201);
    assert_eq!(created["crontabRecord"], " 0 *\t* * *");
    assert_eq!(created["nextScheduledTime"], "2013-03-02T11:00:00+00:00");

    let empty = client.put("/orchestrations/1", json!({})).await.expect(200);
    assert_eq!(empty, created);
    let nulls = json!({"name": null, "active": null, "tokenId": null, "tasks": null, "notifications": null});
    assert_eq!(
        client.put("/orchestrations/1", nulls).await.expect(200),
        created
    );

    let cleared = client
        .put("/orchestrations/1", json!({"crontabRecord": null}))
        .await
        .expect(200);
    assert_eq!(
        (&cleared["crontabRecord"], &cleared["nextScheduledTime"]),
        (&Value::Null, &Value::Null)
    );

    let emptied = client
        .put(
            "/orchestrations/1",
            json!({"tasks": [], "notifications": []}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&emptied["tasks"], &emptied["notifications"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(client.get("/orchestrations/1").await.expect(200), emptied);
}

#[tokio::test]
async fn every_updatable_attribute_changes() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;
    let body = json!({"name": "Other", "active": false, "crontabRecord": "@daily", "tokenId": "1",
        "tasks": [{"component": "b"}], "notifications": [{"email": "a@b.cz", "channel": "waiting"}]});

    let updated = client.put("/orchestrations/1", body).await.expect(200);

    assert_eq!(updated["name"], "Other");
    assert_eq!(updated["active"], false);
    assert_eq!(updated["crontabRecord"], "@daily");
    assert_eq!(updated["nextScheduledTime"], Value::Null);
    assert_eq!(
        updated["token"],
        json!({"id": 1, "description": "Master token"})
    );
    assert_eq!(updated["tasks"][0]["component"], "b");
    assert_eq!(
        updated["notifications"],
        json!([{"email": "a@b.cz", "channel": "waiting", "parameters": {}}])
    );
    assert_eq!(client.get("/orchestrations/1").await.expect(200), updated);
}

#[tokio::test]
async fn only_a_schedule_that_is_saved_hurries_the_scheduler() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;
    assert!(was_poked(&server.scheduler));

    for (path, body) in [
        ("/orchestrations/1", json!({"name": "Other", "tasks": []})),
        ("/orchestrations/1/tasks", json!([])),
        ("/orchestrations/1/notifications", json!([])),
    ] {
        let answer = client.put(path, body).await;
        assert!(answer.status < 300, "{path}");
        assert!(!was_poked(&server.scheduler), "{path}");
    }

    for change in [
        json!({"crontabRecord": "0 * * * *"}),
        json!({"active": false}),
        json!({"crontabRecord": null}),
    ] {
        client
            .put("/orchestrations/1", change.clone())
            .await
            .expect(200);
        assert!(was_poked(&server.scheduler), "{change}");
    }
}

#[tokio::test]
async fn a_token_id_may_be_a_numeric_string() {
    let Some(server) = start().await else { return };
    for id in [json!(1), json!("1"), json!(1.0)] {
        let body = json!({"name": "Main", "tokenId": id});
        let created = server
            .client()
            .post("/orchestrations", body)
            .await
            .expect(201);
        assert_eq!(created["token"]["id"], 1);
    }
}

#[tokio::test]
async fn only_who_manages_tokens_may_give_another_token_than_its_own() {
    let Some(server) = start().await else { return };
    let (plain, own_id) = server.add_plain_token("Plain").await;
    let path = super::create_path(&plain, json!([])).await;

    for id in [1, 999] {
        let body = json!({"name": "Main", "tokenId": id});
        assert_eq!(
            plain.post("/orchestrations", body).await.refusal(403),
            "FORBIDDEN"
        );
        assert_eq!(
            plain.put(&path, json!({"tokenId": id})).await.refusal(403),
            "FORBIDDEN"
        );
    }
    let own = plain
        .put(&path, json!({"tokenId": own_id}))
        .await
        .expect(200);
    assert_eq!(own["token"]["id"], own_id);
    let by_master = server
        .client()
        .put(&path, json!({"tokenId": 1}))
        .await
        .expect(200);
    assert_eq!(by_master["token"]["id"], 1);
}

#[tokio::test]
async fn an_unknown_token_id_is_a_fault_of_the_body() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;
    let other = server.add_project("Other").await;
    let foreign = other.get("/v2/storage/tokens/verify").await.expect(200)["id"].clone();

    for id in [json!(999), foreign] {
        let body = json!({"name": "Main", "tokenId": id});
        assert_eq!(
            client.post("/orchestrations", body).await.faults(),
            ["tokenId"]
        );
        assert_eq!(
            client
                .put("/orchestrations/1", json!({"tokenId": id}))
                .await
                .faults(),
            ["tokenId"]
        );
    }
}

#[tokio::test]
async fn a_token_that_was_made_keeps_its_id_when_refreshed_and_a_given_one_is_replaced() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let made = create(&client, json!([])).await;
    let given = client
        .post("/orchestrations", json!({"name": "Given", "tokenId": 1}))
        .await
        .expect(201);

    // An empty body is an empty object.
    let request = client.request(reqwest::Method::POST, "/orchestrations/1/create-token");
    let refreshed = client.send(request).await.expect(200);
    assert_eq!(refreshed, made);
    let replaced = client
        .post("/orchestrations/2/create-token", json!({}))
        .await
        .expect(200);
    assert_ne!(replaced["token"]["id"], given["token"]["id"]);
    client.get("/v2/storage/tokens/verify").await.expect(200);
}

#[tokio::test]
async fn a_deleted_orchestration_is_gone_and_its_waiting_jobs_are_cancelled_but_readable() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    let job = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);

    assert!(was_poked(&server.runner));

    client.delete("/orchestrations/1").await.expect(204);

    for path in [
        "/orchestrations/1",
        "/orchestrations/1/tasks",
        "/orchestrations/1/notifications",
        "/orchestrations/1/jobs",
    ] {
        assert_eq!(client.get(path).await.refusal(404), "NOT_FOUND", "{path}");
    }
    assert_eq!(
        client.delete("/orchestrations/1").await.refusal(404),
        "NOT_FOUND"
    );
    assert_eq!(client.get("/orchestrations").await.expect(200), json!([]));
    let job = client
        .get(&format!("/jobs/{}", job["id"]))
        .await
        .expect(200);
    assert_eq!(job["status"], "cancelled");
    assert!(was_poked(&server.runner));
}

#[tokio::test]
async fn orchestrations_are_listed_by_ascending_id() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for name in ["c", "a", "b"] {
        client
            .post("/orchestrations", json!({"name": name}))
            .await
            .expect(201);
    }

    let list = client.get("/orchestrations").await.expect(200);

    let names: Vec<_> = list
        .as_array()
        .expect("array")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["c", "a", "b"]);
}
