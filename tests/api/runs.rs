use super::{create, start};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_orchestration_is_a_component_that_can_be_run_and_polled() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    client
        .put("/orchestrations/1", json!({"active": false}))
        .await
        .expect(200);
    let body = json!({"config": 1, "notificationsEmails": ["a@b.cz"], "tasks": [{"component": "a", "active": false}]});
    let request = client
        .request(Method::POST, "/run")
        .header("X-KBC-RunId", "12.3")
        .body(body.to_string());

    let job = client.send(request).await.expect(202);

    assert_eq!(job["initializedBy"], "manually");
    assert_eq!(job["parentRunId"], "12.3");
    assert_eq!(job["notificationsEmails"], json!(["a@b.cz"]));
    assert_eq!(job["tasks"][0]["active"], false);
    let url = job["url"].as_str().expect("url");
    assert_eq!(job["uri"], url);
    let path = url.strip_prefix(&client.base).expect("on this server");
    assert_eq!(client.get(path).await.expect(200), job);
}

#[tokio::test]
async fn config_is_a_number_or_a_numeric_string() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;

    for config in [json!(1), json!("1")] {
        client
            .post("/run", json!({"config": config}))
            .await
            .expect(202);
    }
    for config in [
        Value::Null,
        json!("x"),
        json!(0),
        json!(-1),
        json!({}),
        json!(""),
    ] {
        assert_eq!(
            client
                .post("/run", json!({"config": config}))
                .await
                .faults(),
            ["config"],
            "{config}"
        );
    }
    assert_eq!(
        client.post("/run", json!({"tasks": 5})).await.faults(),
        ["config", "tasks"]
    );
    assert_eq!(
        client
            .post("/run", json!({"config": 999}))
            .await
            .refusal(404),
        "NOT_FOUND"
    );
    let differ = client
        .post("/run", json!({"config": 1, "tasks": [{"component": "x"}]}))
        .await;
    assert_eq!(differ.refusal(400), "JOB_VALIDATION");
}

#[tokio::test]
async fn a_trigger_runs_all_tasks_as_configured() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let created = create(&client, json!([{"component": "a"}])).await;

    // No body at all, and one whose wishes do not count.
    let bare = client
        .send(client.request(Method::POST, "/orchestrations/1/trigger"))
        .await
        .expect(202);
    let wishes = json!({"notificationsEmails": ["a@b.cz"], "tasks": []});
    let other = client
        .post("/orchestrations/1/trigger", wishes)
        .await
        .expect(202);

    for job in [bare, other] {
        assert_eq!(job["initializedBy"], "trigger");
        assert_eq!(job["tasks"], created["tasks"]);
        assert_eq!(job["notificationsEmails"], json!([]));
    }
}

#[tokio::test]
async fn an_inactive_orchestration_is_not_triggered_but_run_by_hand() {
    let Some(server) = start().await else { return };
    let client = server.client();
    client
        .post("/orchestrations", json!({"name": "Off", "active": false}))
        .await
        .expect(201);

    assert_eq!(
        client
            .post("/orchestrations/1/trigger", json!({}))
            .await
            .refusal(409),
        "ORCHESTRATION_NOT_ACTIVE"
    );
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    client.post("/run", json!({"config": 1})).await.expect(202);
    assert_eq!(
        client
            .post("/orchestrations/2/trigger", json!({}))
            .await
            .refusal(404),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn an_absurd_run_id_is_refused() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;
    let request = client
        .request(Method::POST, "/orchestrations/1/jobs")
        .header("X-KBC-RunId", "1".repeat(256));

    assert_eq!(client.send(request).await.faults(), ["X-KBC-RunId"]);
}
