//! The operator's commands against a running server.

use crate::support::client::Client;
use crate::support::process::{self, Installation, Process, command, until};
use crate::support::steps::demo;
use serde_json::{Value, json};
use std::fs;

const OPERATOR: &str = "operator-token-of-the-process";

async fn operate(process: &Process, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("--url={}", process.base);
    let arguments = arguments.iter().copied().chain([url.as_str()]);
    let arguments: Vec<String> = arguments.map(str::to_owned).collect();
    let mut command = command(&arguments);
    command.env("ORCHESTRATOR_OPERATOR_TOKEN", OPERATOR);
    let output = process::output(command).await;
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

async fn json_of(process: &Process, arguments: &[&str]) -> Value {
    let (code, out, err) = operate(process, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).expect("JSON")
}

#[tokio::test]
async fn an_operator_makes_limits_disables_and_deletes_a_project() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let file = installation.dir.path().join("operator.toml");
    fs::write(&file, format!("operator-token = '{OPERATOR}'\n")).expect("written");
    let installation = installation.with(format!("--config={}", file.display()));
    let process = installation.start().await;

    let made = ["project", "create", "Acme", "--quota", "jobsPerDay=1"];
    let made = json_of(&process, &made).await;
    let id = made["id"].to_string();
    let secret = made["masterToken"].as_str().expect("a token").to_owned();
    let client = Client::new(process.base.clone(), Some(secret));
    let of = json!({"name": "Nightly", "tasks": [{"component": "sync"}]});
    let of = client.post("/orchestrations", of).await.expect(201);
    let kept = async || {
        let quotas = client.get("/quotas").await.expect(200);
        quotas["storageBytes"]["used"].as_u64().expect("a number")
    };
    let before = kept().await;
    let run = json!({"config": of["id"]});
    let job = client.post("/run", run.clone()).await.expect(202);
    let path = format!("/jobs/{}", job["id"]);
    until("the job to finish", || async {
        let job = client.get(&path).await.expect(200);
        (job["status"] == "success")
            .then_some(())
            .ok_or(job.to_string())
    })
    .await;
    // What the step used is counted soon after it.
    until("the answer to be counted", || async {
        let now = kept().await;
        (now > before).then_some(()).ok_or(format!("{now} bytes"))
    })
    .await;
    assert_eq!(
        client.post("/run", run.clone()).await.refusal(429),
        "QUOTA_EXCEEDED"
    );
    let (_, out, _) = operate(
        &process,
        &["project", "limit", &id, "--quota", "jobsPerDay=9"],
    )
    .await;
    assert!(
        out.contains("jobsPerDay                     9  (its own)"),
        "{out}"
    );
    client.post("/run", run).await.expect(202);

    assert_eq!(
        operate(&process, &["project", "disable", &id]).await.0,
        Some(0)
    );
    assert_eq!(client.get("/quotas").await.refusal(401), "PROJECT_DISABLED");
    let (_, out, _) = operate(&process, &["project", "list"]).await;
    assert!(out.contains("disabled") && out.contains("Acme"), "{out}");
    assert_eq!(
        operate(&process, &["project", "enable", &id]).await.0,
        Some(0)
    );
    client.get("/quotas").await.expect(200);

    let token = ["token", "create", "--project", &id, "--description", "ci"];
    let token = json_of(&process, &token).await;
    let number = token["id"].as_str().expect("an id");
    let bearer = |token: &Value| {
        let secret = token["token"].as_str().expect("a token").to_owned();
        Client::new(process.base.clone(), Some(secret))
    };
    bearer(&token).get("/quotas").await.expect(200);
    let rotated = json_of(&process, &["token", "rotate", number, "--project", &id]).await;
    bearer(&token).get("/quotas").await.expect(401);
    bearer(&rotated).get("/quotas").await.expect(200);
    let revoke = ["token", "revoke", number, "--project", &id];
    assert_eq!(operate(&process, &revoke).await.0, Some(0));
    bearer(&rotated).get("/quotas").await.expect(401);

    assert_eq!(
        operate(&process, &["project", "delete", &id]).await.0,
        Some(0)
    );
    assert_eq!(client.get("/quotas").await.refusal(401), "UNAUTHORIZED");
    until("everything of it to be removed", || {
        let log = process.log();
        let is_gone = log.contains("removed all of a deleted project");
        std::future::ready(is_gone.then_some(()).ok_or(log))
    })
    .await;
    let (code, _, err) = operate(&process, &["project", "delete", &id]).await;
    assert_eq!(code, Some(1));
    assert!(
        err.starts_with("error: There is nothing at this address"),
        "{err}"
    );
    for secret in [OPERATOR, made["masterToken"].as_str().expect("a token")] {
        assert!(!process.log().contains(secret), "{}", process.log());
    }
    assert!(process.stop().await.success());
}

#[tokio::test]
async fn without_the_operators_token_the_commands_say_where_it_belongs() {
    let arguments = ["project".to_owned(), "list".to_owned()];
    let output = process::output(command(&arguments)).await;
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.contains("ORCHESTRATOR_OPERATOR_TOKEN"), "{err}");
}
