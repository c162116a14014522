//! Orchestrations and jobs, looked at and changed from a terminal.

use crate::support::person::Person;
use crate::support::process::Installation;
use crate::support::steps::demo;
use serde_json::{Value, json};

#[tokio::test]
async fn an_orchestration_is_made_found_by_its_name_held_and_deleted() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    let create = [
        "orchestrations",
        "create",
        "Nightly load",
        "--crontab",
        "0 3 * * *",
        "--task",
        "sync",
        "--task",
        "https://components.example/run",
        "--notify",
        "a@b.cz",
    ];

    let said = person.call(&create).await.ok();

    assert!(said.contains("0 3 * * *") && said.contains("https://components.example/run"));
    let made = client.get("/orchestrations/1").await.expect(200);
    assert_eq!(made["tasks"][0]["component"], "sync");
    assert_eq!(made["notifications"][0]["email"], "a@b.cz");
    let listed = person.call(&["orchestrations", "list"]).await.ok();
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("ID  NAME"), "{listed}");
    assert!(lines[1].starts_with(" 1  Nightly load  active"), "{listed}");

    person
        .call(&["orchestrations", "disable", "Nightly load"])
        .await
        .ok();
    assert_eq!(
        client.get("/orchestrations/1").await.expect(200)["active"],
        false
    );
    person.call(&["orchestrations", "enable", "1"]).await.ok();
    assert_eq!(
        client.get("/orchestrations/1").await.expect(200)["active"],
        true
    );

    let near = person
        .call(&["orchestrations", "show", "nightly"])
        .await
        .error();
    assert!(near.contains("1  Nightly load"), "{near}");
    client
        .post("/orchestrations", json!({"name": "Nightly load"}))
        .await
        .expect(201);
    let several = person
        .call(&["orchestrations", "show", "Nightly load"])
        .await
        .error();
    assert!(several.contains("one of 1, 2"), "{several}");

    let unasked = person
        .call(&["orchestrations", "delete", "2"])
        .await
        .error();
    assert!(unasked.contains("--yes"), "{unasked}");
    person
        .call(&["orchestrations", "delete", "2", "--yes"])
        .await
        .ok();
    client.get("/orchestrations/2").await.expect(404);
    client.get("/orchestrations/1").await.expect(200);
}

#[tokio::test]
async fn scripts_get_the_nouns_as_the_server_prints_them() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    let body = json!({
        "name": "All of it", "crontabRecord": "*/5 * * * *", "active": false,
        "tasks": [
            {"id": "load", "component": "sync", "actionParameters": {"n": 1.25, "deep": {"list": [1, null, "x"]}}, "phase": "a", "timeoutMinutes": 5},
            {"component": "status", "action": "run", "actionParameters": {"code": 400}, "continueOnFailure": true, "phase": "a"},
            {"componentUrl": "https://components.example/x", "active": false},
        ],
        "notifications": [
            {"email": "a@b.cz", "channel": "waiting", "parameters": {"timeout": 5}},
            {"plugin": "webhook", "channel": "error", "config": {"url": "https://hooks.example/x"}},
        ],
    });
    let job = process.run(body).await;
    let job = process.finished(&job).await;

    let same = async |path: &str, command: &[&str]| {
        let printed = person.json(command).await;
        let served = client.get(path).await.expect(200);
        // As text: the order of keys and the digits of numbers as well.
        assert_eq!(printed.to_string(), served.to_string(), "{command:?}");
    };
    same("/orchestrations", &["orchestrations", "list"]).await;
    same(
        "/orchestrations/1",
        &["orchestrations", "show", "All of it"],
    )
    .await;
    same("/orchestrations/1/jobs", &["jobs", "list", "All of it"]).await;
    let id = job["id"].to_string();
    same(&format!("/jobs/{id}"), &["jobs", "show", &id]).await;
    let events = client
        .get(&format!("/jobs/{id}/events?kinds=log,limit"))
        .await
        .expect(200);
    let said = person.call(&["jobs", "logs", &id, "--json"]).await.ok();
    let lines = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    assert_eq!(
        Value::Array(lines.collect()).to_string(),
        events.to_string()
    );
    assert!(!events.as_array().expect("a list").is_empty());
}
