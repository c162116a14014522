//! Jobs by hand: how they end, what they say, once more.

use crate::support::person::Person;
use crate::support::process::{Installation, Process, until};
use crate::support::steps::demo;
use serde_json::{Value, json};

async fn make(process: &Process, name: &str, tasks: Value) {
    let body = json!({"name": name, "tasks": tasks});
    process
        .client()
        .post("/orchestrations", body)
        .await
        .expect(201);
}

fn failing(goes_on: bool) -> Value {
    json!({"component": "status", "actionParameters": {"code": 400, "message": "no such table"}, "continueOnFailure": goes_on})
}

#[tokio::test]
async fn how_a_job_ends_is_the_commands_exit_code() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let person = Person::of(&process.base);
    make(&process, "Good", json!([{"component": "sync"}])).await;
    make(
        &process,
        "Bad",
        json!([failing(false), {"component": "sync"}]),
    )
    .await;
    make(
        &process,
        "So-so",
        json!([failing(true), {"component": "sync"}]),
    )
    .await;

    for (name, code, wanted) in [
        ("Good", 0, "success"),
        ("Bad", 3, "no such table"),
        ("So-so", 4, "no such table"),
    ] {
        let said = person.call(&["run", name, "--wait"]).await;
        assert_eq!(said.code, Some(code), "{said:?}");
        assert!(said.out.contains(wanted), "{said:?}");
        // No terminal: a line per event, and nothing that steers one.
        assert!(
            said.err.contains("processing") && !said.err.contains('\u{1b}'),
            "{said:?}"
        );
    }
    let bad = person.call(&["jobs", "show", "2"]).await.ok();
    assert!(bad.contains("not reached"), "{bad}");
    let unasked = person.call(&["run", "Bad"]).await;
    assert_eq!(unasked.code, Some(0), "{unasked:?}");
    let none = person.call(&["run", "Nobody"]).await;
    assert_eq!(none.code, Some(1), "{none:?}");
}

#[tokio::test]
async fn a_job_is_followed_with_what_its_tasks_log_while_it_runs() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let person = Person::of(&process.base);
    let tasks = json!([{"id": "one", "component": "async", "actionParameters": {"seconds": 1}}, {"id": "two", "component": "sync"}]);
    make(&process, "Both", tasks).await;

    let said = person.call(&["run", "Both", "--follow", "--json"]).await;

    assert_eq!(said.code, Some(0), "{said:?}");
    let job: Value = serde_json::from_str(&said.out).expect("JSON alone");
    assert_eq!(job["status"], "success");
    assert!(said.err.contains("one async  debug  POST"), "{said:?}");
    let logs = person
        .call(&["jobs", "logs", "1", "--follow", "--task", "two"])
        .await
        .ok();
    assert_eq!(logs.lines().count(), 1, "{logs}");
    assert!(logs.contains("two sync  debug  POST"), "{logs}");
}

#[tokio::test]
async fn only_some_tasks_are_run_and_only_what_failed_once_more() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    let tasks = json!([{"id": "one", "component": "sync"}, failing(true), {"id": "three", "component": "delay", "actionParameters": {"seconds": 1}}]);
    make(&process, "Three", tasks).await;

    let some = ["run", "Three", "--wait", "--task", "one", "--task", "delay"];
    person.call(&some).await.ok();
    let all = person.call(&["run", "Three", "--wait"]).await;
    assert_eq!(all.code, Some(4), "{all:?}");
    let again = person
        .call(&["jobs", "retry", "2", "--failed", "--wait"])
        .await;
    assert_eq!(again.code, Some(4), "{again:?}");

    let ran = async |job: &str| {
        let job = client.get(&format!("/jobs/{job}")).await.expect(200);
        let tasks = job["results"]["tasks"].as_array().expect("tasks").clone();
        let names = tasks
            .iter()
            .map(|task| task["component"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(ran("1").await, ["sync", "delay"]);
    assert_eq!(ran("2").await, ["sync", "status", "delay"]);
    assert_eq!(ran("3").await, ["status"]);
    let nothing = person
        .call(&["jobs", "retry", "1", "--failed"])
        .await
        .error();
    assert!(nothing.contains("every task"), "{nothing}");
    let unknown = person
        .call(&["run", "Three", "--task", "four"])
        .await
        .error();
    assert!(unknown.contains("one  sync"), "{unknown}");
    let listed = person
        .call(&["jobs", "list", "Three", "--status", "warning"])
        .await
        .ok();
    assert_eq!(listed.lines().count(), 3, "{listed}");
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_and_whoever_waits_for_it_is_told() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let (person, client) = (Person::of(&process.base), process.client());
    // Of one orchestration one job runs at a time.
    let tasks = json!([{"component": "delay", "actionParameters": {"seconds": 3600}}]);
    make(&process, "Long", tasks).await;
    person.call(&["run", "Long"]).await.ok();
    let waiting = person.call(&["run", "Long", "--wait"]);
    let cancel = async {
        // It is not there at first.
        until("the job to wait", || async {
            let answer = client.get("/jobs/2").await;
            let is_there = answer.status == 200;
            is_there.then_some(()).ok_or(answer.json.to_string())
        })
        .await;
        person.call(&["jobs", "cancel", "2"]).await.ok();
    };

    let (said, ()) = tokio::join!(waiting, cancel);

    assert_eq!(said.code, Some(5), "{said:?}");
    process
        .job_when(&json!(1), "the first to run", |job| {
            job["status"] == "processing"
        })
        .await;
    let refused = person.call(&["jobs", "cancel", "1"]).await.error();
    assert!(refused.contains("only a waiting job"), "{refused}");
}
