use super::{create, create_path, start};
use crate::support::server::was_poked;
use orchestrator::domain::job::Status;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn jobs_are_listed_newest_first_page_by_page() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/jobs", create_path(&client, json!([])).await);
    for _ in 0..25 {
        client.post(&path, json!({})).await.expect(201);
    }

    for (query, first, count) in [
        ("", 25, 20),
        ("?limit=3", 25, 3),
        ("?limit=10&offset=20", 5, 5),
        ("?offset=25", 0, 0),
    ] {
        let answer = client.get(&format!("{path}{query}")).await;
        assert_eq!(answer.headers["x-total-count"], "25", "{query}");
        let json = answer.expect(200);
        let list = json.as_array().expect("array");
        assert_eq!(list.len(), count, "{query}");
        assert_eq!(
            list.first()
                .map_or(0, |job| job["id"].as_i64().expect("id")),
            first,
            "{query}"
        );
    }
    assert!(was_poked(&server.runner));
}

#[tokio::test]
async fn wrong_pages_are_refused() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/jobs", create_path(&client, json!([])).await);

    assert_eq!(
        client
            .get(&format!("{path}?limit=0&offset=-1"))
            .await
            .faults(),
        ["limit", "offset"]
    );
    assert_eq!(
        client.get(&format!("{path}?limit=abc")).await.faults(),
        ["limit"]
    );
}

#[tokio::test]
async fn a_job_keeps_who_asked_for_it_and_what_was_given_for_the_run() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = create_path(
        &client,
        json!([{"component": "a"}, {"component": "b", "actionParameters": {"x": 1}, "phase": 1}]),
    )
    .await;
    let body = json!({
        "notificationsEmails": ["a@b.cz"],
        "tasks": [
            {"id": "other", "component": "a", "actionParameters": [], "componentUrl": null},
            {"component": "b", "actionParameters": {"x": 1}, "phase": "1", "active": false},
        ],
    });
    let request = client
        .request(Method::POST, &format!("{path}/jobs"))
        .header("User-Agent", "Browser/1.0")
        .header("X-KBC-RunId", "77.5")
        .body(body.to_string());

    let job = client.send(request).await.expect(201);

    assert_eq!(
        job["initiatorToken"],
        json!({"id": 1, "description": "Master token", "userAgent": "Browser/1.0"})
    );
    assert_eq!(
        job["token"],
        json!({"id": 2, "description": "Orchestrator Main"})
    );
    assert_eq!(job["notificationsEmails"], json!(["a@b.cz"]));
    assert_eq!(job["parentRunId"], "77.5");
    assert_eq!(job["initializedBy"], "manually");
    let tasks = client.get(&format!("{path}/tasks")).await.expect(200);
    let mut expected = tasks.clone();
    expected[1]["active"] = json!(false);
    assert_eq!(job["tasks"], expected);
    assert_eq!(tasks[1]["active"], true);
}

#[tokio::test]
async fn emails_of_a_run_that_are_null_or_empty_count_as_not_given() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/jobs", create_path(&client, json!([])).await);
    for body in [
        json!({}),
        json!([]),
        json!({"notificationsEmails": null, "tasks": null}),
        json!({"notificationsEmails": [], "tasks": []}),
    ] {
        let job = client.post(&path, body).await.expect(201);
        assert_eq!(job["notificationsEmails"], json!([]));
        assert!(job.get("parentRunId").is_none());
    }
    let answer = client
        .post(
            &path,
            json!({"notificationsEmails": ["a@b.cz", "nobody", 5]}),
        )
        .await;
    assert_eq!(
        answer.faults(),
        ["notificationsEmails[1]", "notificationsEmails[2]"]
    );
    assert_eq!(
        client
            .post(&path, json!({"notificationsEmails": "a@b.cz"}))
            .await
            .faults(),
        ["notificationsEmails"]
    );
}

#[tokio::test]
async fn tasks_of_a_run_that_are_not_the_orchestrations_are_refused() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!(
        "{}/jobs",
        create_path(&client, json!([{"component": "a"}, {"component": "b"}])).await
    );
    for tasks in [
        json!([]),
        json!([{"component": "a"}]),
        json!([{"component": "b"}, {"component": "a"}]),
        json!([{"component": "a"}, {"component": "b", "timeoutMinutes": 5}]),
        json!([{"component": "a"}, {"component": "b", "actionParameters": {"x": 1}}]),
    ] {
        let answer = client
            .post(&path, json!({"tasks": tasks}))
            .await
            .expect(400);
        assert_eq!(
            (&answer["code"], &answer["status"]),
            (&json!("JOB_VALIDATION"), &json!("warning"))
        );
        assert!(
            answer["message"]
                .as_str()
                .expect("message")
                .contains("different from orchestration task"),
            "{answer}"
        );
    }
    let answer = client
        .post(
            &path,
            json!({"tasks": [{"component": "a"}, {"componentUrl": "http://b.cz"}]}),
        )
        .await;
    assert_eq!(answer.faults(), ["tasks[1].componentUrl"]);
    assert_eq!(client.get(&path).await.expect(200), json!([]));
}

#[tokio::test]
async fn results_grow_while_the_job_runs() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let tasks = json!([
        {"component": "a", "phase": "x"}, {"component": "b", "phase": "x", "continueOnFailure": true},
        {"component": "off", "active": false}, {"componentUrl": "https://c.cz/run"},
    ]);
    create(&client, tasks).await;
    let waiting = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    assert_eq!(waiting["results"], Value::Null);

    server.clock.advance(Duration::from_secs(1));
    let steps = server.claim().await;
    server.clock.advance(Duration::from_secs(2));
    server
        .end(&steps[0], Status::Success, Some(r#"{"rows": 1.50}"#), None)
        .await;
    let running = client.get("/jobs/1").await.expect(200);
    assert_eq!(running["status"], "processing");
    assert_eq!(running["isFinished"], false);
    super::snapshots()
        .bind(|| insta::assert_snapshot!("running_results", format!("{:#}", running["results"])));

    server
        .end(
            &steps[1],
            Status::Error,
            Some(r#"{"error": "no"}"#),
            Some("The component answered 400"),
        )
        .await;
    let last = server.claim().await;
    server.clock.advance(Duration::from_secs(3));
    server.end(&last[0], Status::Success, None, None).await;
    let ended = client.get("/jobs/1").await.expect(200);
    assert_eq!(
        (&ended["status"], &ended["isFinished"]),
        (&json!("warning"), &json!(true))
    );
    super::snapshots()
        .bind(|| insta::assert_snapshot!("ended_results", format!("{:#}", ended["results"])));

    let list = client.get("/orchestrations/1/jobs").await.expect(200);
    assert_eq!(list[0]["results"], ended["results"]);
    let orchestration = client.get("/orchestrations/1").await.expect(200);
    assert_eq!(
        orchestration["lastExecutedJob"],
        json!({"id": 1, "status": "warning", "createdTime": "2013-03-02T10:11:24+00:00",
            "startTime": "2013-03-02T10:11:25+00:00", "endTime": "2013-03-02T10:11:30+00:00"})
    );
}

#[tokio::test]
async fn a_job_without_active_tasks_ends_with_empty_results() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "off", "active": false}])).await;
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);

    server.claim().await;

    let job = client.get("/jobs/1").await.expect(200);
    assert_eq!(job["status"], "success");
    assert_eq!(job["results"], json!({"tasks": [], "phases": []}));
}

#[tokio::test]
async fn only_a_waiting_job_can_be_cancelled() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    for _ in 0..2 {
        client
            .post("/orchestrations/1/jobs", json!({}))
            .await
            .expect(201);
    }
    server.claim().await;

    client.delete("/jobs/2").await.expect(204);
    for (job, status) in [(1, "processing"), (2, "cancelled")] {
        let answer = client.delete(&format!("/jobs/{job}")).await.expect(409);
        assert_eq!(
            (&answer["code"], &answer["runId"]),
            (&json!("JOB_NOT_WAITING"), &json!(job))
        );
        assert!(
            answer["message"]
                .as_str()
                .expect("message")
                .contains(status),
            "{answer}"
        );
    }
    assert_eq!(client.delete("/jobs/3").await.refusal(404), "NOT_FOUND");
}

#[tokio::test]
async fn an_edit_does_not_change_a_job_that_exists() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([{"component": "a"}])).await;
    let job = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);

    client
        .put("/orchestrations/1/tasks", json!([{"component": "b"}]))
        .await
        .expect(202);

    assert_eq!(client.get("/jobs/1").await.expect(200), job);
    assert_eq!(job["tasks"][0]["component"], "a");
}
