use super::{create, create_path, start};
use serde_json::{Value, json};

fn ids(tasks: &Value) -> Vec<&str> {
    tasks
        .as_array()
        .expect("array")
        .iter()
        .map(|task| task["id"].as_str().expect("id"))
        .collect()
}

#[tokio::test]
async fn a_task_shows_its_defaults_and_leaves_unset_keys_out() {
    let Some(server) = start().await else { return };

    let created = create(
        &server.client(),
        json!([{"component": "a"}, {"componentUrl": "https://b.cz/x", "action": "go"}]),
    )
    .await;

    assert_eq!(
        created["tasks"].to_string(),
        json!([
            {"id": "1", "component": "a", "actionParameters": {}, "continueOnFailure": false, "timeoutMinutes": null,
             "active": true, "phase": null},
            {"id": "2", "componentUrl": "https://b.cz/x", "action": "go", "actionParameters": {},
             "continueOnFailure": false, "timeoutMinutes": null, "active": true, "phase": null},
        ])
        .to_string()
    );
}

#[tokio::test]
async fn clients_that_send_every_key_are_understood() {
    let Some(server) = start().await else { return };
    let task = json!({"id": null, "component": null, "componentUrl": "https://b.cz/x", "action": null,
        "actionParameters": [], "continueOnFailure": null, "timeoutMinutes": null, "active": null, "phase": null});

    let created = create(&server.client(), json!([task])).await;

    assert_eq!(
        created["tasks"],
        json!([{"id": "1", "componentUrl": "https://b.cz/x", "actionParameters": {}, "continueOnFailure": false,
            "timeoutMinutes": null, "active": true, "phase": null}])
    );
}

#[tokio::test]
async fn a_phase_is_kept_as_text() {
    let Some(server) = start().await else { return };
    let phases = [json!("10"), json!(10), json!(0), Value::Null, json!("test")];
    let tasks: Vec<_> = phases
        .iter()
        .map(|phase| json!({"component": "a", "phase": phase}))
        .collect();

    let created = create(&server.client(), json!(tasks)).await;

    let kept: Vec<_> = created["tasks"]
        .as_array()
        .expect("array")
        .iter()
        .map(|task| &task["phase"])
        .collect();
    assert_eq!(
        kept,
        [
            &json!("10"),
            &json!("10"),
            &json!("0"),
            &Value::Null,
            &json!("test")
        ]
    );
}

#[tokio::test]
async fn parameters_come_back_as_sent() {
    let Some(server) = start().await else { return };
    let parameters = json!({"z": [1, {"ž": null}], "a": {"b": 1.5, "text": "\u{0}"}, "": true});

    let created = create(
        &server.client(),
        json!([{"component": "a", "actionParameters": parameters}]),
    )
    .await;

    assert_eq!(
        created["tasks"][0]["actionParameters"].to_string(),
        parameters.to_string()
    );
}

#[tokio::test]
async fn numbers_come_back_as_they_were_written() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let parameters = r#"{"big":123456789012345678901234567890,"least":-9223372036854775809,"price":19.90,"tiny":1e-400}"#;
    let tasks = format!(r#"[{{"component": "a", "actionParameters": {parameters}}}]"#);
    let body = format!(r#"{{"name": "Exact", "tasks": {tasks}}}"#);
    let request = client
        .request(reqwest::Method::POST, "/orchestrations")
        .body(body);

    let created = client.send(request).await.expect(201);

    assert_eq!(
        created["tasks"][0]["actionParameters"].to_string(),
        parameters
    );
    let read = client.get("/orchestrations/1/tasks").await.expect(200);
    assert_eq!(read[0]["actionParameters"].to_string(), parameters);
    // Given for a run, a number counts by its value.
    let same = body_of_run(&tasks.replace("19.90", "19.9"));
    let request = client
        .request(reqwest::Method::POST, "/orchestrations/1/jobs")
        .body(same);
    let job = client.send(request).await.expect(201);
    assert_eq!(job["tasks"][0]["actionParameters"].to_string(), parameters);
    let other = body_of_run(&tasks.replace("19.90", "19.91"));
    let request = client
        .request(reqwest::Method::POST, "/orchestrations/1/jobs")
        .body(other);
    assert_eq!(client.send(request).await.refusal(400), "JOB_VALIDATION");
}

fn body_of_run(tasks: &str) -> String {
    format!(r#"{{"tasks": {tasks}}}"#)
}

#[tokio::test]
async fn an_action_of_several_segments_and_a_whole_float_are_fine() {
    let Some(server) = start().await else { return };

    let created = create(
        &server.client(),
        json!([{"component": "a", "action": "async/docker", "timeoutMinutes": 10.0}]),
    )
    .await;

    assert_eq!(created["tasks"][0]["action"], "async/docker");
    assert_eq!(created["tasks"][0]["timeoutMinutes"], 10);
}

#[tokio::test]
async fn ids_that_a_client_sends_are_kept() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = create_path(
        &client,
        json!([{"id": "first_one-1", "component": "a"}, {"component": "b"}]),
    )
    .await;

    let tasks = client.get(&format!("{path}/tasks")).await.expect(200);

    assert_eq!(ids(&tasks), ["first_one-1", "1"]);
}

#[tokio::test]
async fn tasks_that_are_put_without_ids_keep_those_of_their_equals() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = create_path(&client, json!([{"component": "a"}, {"component": "b"}])).await;

    let put = client
        .put(
            &format!("{path}/tasks"),
            json!([{"component": "c"}, {"component": "b"}]),
        )
        .await
        .expect(202);

    assert_eq!(ids(&put), ["3", "2"]);
    assert_eq!(client.get(&format!("{path}/tasks")).await.expect(200), put);
    assert_eq!(client.get(&path).await.expect(200)["tasks"], put);
    assert_eq!(
        client
            .put(&format!("{path}/tasks"), json!([]))
            .await
            .expect(202),
        json!([])
    );
}

#[tokio::test]
async fn faults_of_a_bare_list_have_paths_that_start_with_their_place() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = create_path(&client, json!([])).await;

    let answer = client
        .put(
            &format!("{path}/tasks"),
            json!([{"component": "a"}, {"componentUrl": "http://b.cz"}, 5]),
        )
        .await;

    assert_eq!(answer.faults(), ["[1].componentUrl", "[2]"]);
    for body in [json!({}), json!(null), json!("x")] {
        assert_eq!(
            client.put(&format!("{path}/tasks"), body).await.faults(),
            [""]
        );
    }
}

#[tokio::test]
async fn a_reference_to_another_tasks_response_is_checked_when_it_is_saved() {
    let Some(server) = start().await else { return };
    let task = |id: &str, text: &str| json!({"component": "a", "id": id, "actionParameters": {"x": [text]}});
    let good = json!([
        task("load", "{{ds}} {{ tasks.other }}"),
        task("send", "{{tasks.load.response.rows.0}}")
    ]);
    let created = create(&server.client(), good.clone()).await;
    assert_eq!(
        created["tasks"][1]["actionParameters"],
        good[1]["actionParameters"]
    );

    let bad = json!([
        task("load", "{{tasks.send.response}}"),
        task("send", "{{tasks.load}}")
    ]);
    let answer = server.client().put("/orchestrations/1/tasks", bad).await;

    let expected = ["[0].actionParameters.x[0]", "[1].actionParameters.x[0]"];
    assert_eq!(answer.faults(), expected);
}
