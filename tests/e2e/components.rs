//! Each way in which a component may answer, through the whole server.

use crate::support::client::Client;
use crate::support::process::{Installation, MASTER, PATIENCE, Process, files_below};
use crate::support::steps::demo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;

/// A key as Standard Webhooks writes it.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn started(workers: &str) -> (demo_components::DemoServer, Installation, Process) {
    let demo = demo().await;
    let installation = Installation::new(&demo).with(workers.to_owned());
    let installation = installation.with("--step-wall-seconds=3".to_owned());
    let process = installation.start().await;
    (demo, installation, process)
}

fn one(task: &Value) -> Value {
    json!({"name": "One task", "tasks": [task]})
}

fn only_result(job: &Value) -> &Value {
    let results = job["results"]["tasks"].as_array().expect("results");
    assert_eq!(results.len(), 1, "{job}");
    &results[0]
}

#[tokio::test]
async fn each_answer_of_a_component_ends_its_task_as_it_should() {
    let (demo, _installation, process) = started("--workers=8").await;
    let mut jobs = Vec::new();
    for (component, parameters, status, code) in [
        ("sync", json!({}), "success", None),
        ("empty", json!({}), "success", None),
        ("not-json", json!({}), "success", None),
        ("async", json!({"polls": 2}), "success", None),
        ("async-no-flag", json!({"polls": 1}), "success", None),
        (
            "async",
            json!({"polls": 0, "result": "warning"}),
            "error",
            None,
        ),
        (
            "async",
            json!({"polls": 0, "result": "terminated"}),
            "error",
            None,
        ),
        (
            "flaky-poll",
            json!({"failures": 2, "polls": 2}),
            "success",
            None,
        ),
        ("flaky", json!({"failures": 1}), "success", None),
        ("status", json!({"code": 404}), "error", None),
        ("status", json!({"code": 500}), "error", None),
        ("hang", json!({}), "error", Some("TIME_LIMIT")),
        ("close", json!({}), "error", Some("NO_ANSWER")),
        (
            "huge",
            json!({"megabytes": 9}),
            "error",
            Some("RESPONSE_TOO_LARGE"),
        ),
        ("redirect", json!({}), "error", None),
        ("redirect-poll", json!({"polls": 1}), "success", None),
        (
            "redirect-poll",
            json!({"polls": 1, "to": "https://10.1.2.3/x"}),
            "error",
            Some("ADDRESS_REFUSED"),
        ),
        (
            "redirect-poll",
            json!({"polls": 1, "to": "http://127.0.0.1/x"}),
            "error",
            Some("NOT_HTTPS"),
        ),
        (
            "elsewhere",
            json!({"polls": 1, "url": "https://169.254.169.254/latest"}),
            "error",
            Some("ADDRESS_REFUSED"),
        ),
    ] {
        let task = json!({"component": component, "actionParameters": parameters});
        jobs.push((process.run(one(&task)).await, task, status, code));
    }

    for (id, task, status, code) in jobs {
        let job = process.finished(&id).await;
        assert_eq!(job["status"], status, "{task}: {job}");
        let result = only_result(&job);
        assert_eq!(result["code"].as_str(), code, "{task}: {result}");
        if status == "error" {
            assert!(
                result["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{result}"
            );
        }
    }
    let starts = demo
        .requests()
        .iter()
        .filter(|one| one.path == "/close/run")
        .count();
    assert_eq!(starts, 1, "a POST that may have arrived is not repeated");
    assert!(process.stop().await.success());
}

#[tokio::test]
async fn a_component_that_refuses_connections_is_tried_again_while_the_task_has_time() {
    let (_demo, _installation, process) = started("--workers=8").await;
    let task = json!({"componentUrl": "https://127.0.0.1:9/never", "timeoutMinutes": 5});
    let id = process.run(one(&task)).await;

    let job = process
        .job_when(&id, "a second try", |job| {
            let message = job["results"]["tasks"][0]["message"].as_str();
            message.is_some_and(|text| text.starts_with("try 3 follows"))
        })
        .await;

    let message = only_result(&job)["message"].as_str().unwrap_or_default();
    assert!(message.contains("the connection was refused"), "{message}");
    assert_eq!(job["status"], "processing");
}

#[tokio::test]
async fn waiting_tasks_hold_no_worker_and_phases_run_side_by_side() {
    let (demo, _installation, process) = started("--workers=1").await;
    let wait = json!({"component": "async", "actionParameters": {"seconds": 600}, "phase": "load"});
    let id = process
        .run(json!({"name": "Many", "tasks": vec![wait; 20]}))
        .await;
    demo.wait_for(
        |seen| seen.iter().filter(|one| one.method == "POST").count() == 20,
        PATIENCE,
    )
    .await
    .expect("twenty starts with one worker, none of them over");

    let other = process.run(one(&json!({"component": "sync"}))).await;
    assert_eq!(process.finished(&other).await["status"], "success");
    demo.finish_jobs();
    let job = process.finished(&id).await;

    assert_eq!(job["status"], "success");
    assert_eq!(demo.jobs().len(), 20);
    assert_eq!(job["results"]["phases"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn no_secret_is_found_in_the_data_directory_the_log_or_an_answer() {
    let demo = demo().await;
    let mail_password = "password-of-the-mail-server";
    let installation = Installation::new(&demo)
        .with("--log=debug".to_owned())
        .with(format!(
            "--smtp-url=smtp://user:{mail_password}@127.0.0.1:9"
        ));
    let process = installation.start().await;
    let client = process.client();
    let secret = "secret/of-the \"shop\"";
    let hosts = [demo.base_url()];
    let basic = json!({"type": "basic", "username": "me", "password": secret, "hosts": hosts});
    client.put("/credentials/shop", basic).await.expect(201);
    let key = json!({"type": "hmac", "secret": KEY});
    client.put("/credentials/hook", key).await.expect(201);
    let request = json!({"component": "http-request", "actionParameters": {
        "url": format!("{}/echo/run", demo.base_url()), "body": {"said": secret.len()}, "credential": "shop"}});
    // A plugin that asks for no credentials gets none, whatever the task says.
    let plain =
        json!({"component": "echo", "action": "plain", "actionParameters": {"credential": "shop"}});
    let tasks = json!([{"component": "echo-token"}, request, plain]);
    let hook = json!({"url": format!("{}/echo/hook", demo.base_url()), "credential": "hook"});
    let hook = json!({"plugin": "webhook", "channel": "success", "config": hook});
    let id = process
        .run(json!({"name": "Secrets", "tasks": tasks, "notifications": [hook]}))
        .await;
    let job = process.finished(&id).await;
    demo.wait_for(
        |seen| seen.iter().any(|one| one.path == "/echo/hook"),
        PATIENCE,
    )
    .await
    .expect("a signed notification");
    let waits = json!({"component": "async", "actionParameters": {"seconds": 600}});
    let waits = process.run(one(&waits)).await;
    let mut made = Vec::new();
    for _ in 0..2 {
        let token = json!({"description": "Made", "canManageTokens": true});
        made.push(client.post("/v2/storage/tokens", token).await.expect(201));
    }
    let path = format!(
        "/v2/storage/tokens/{}/refresh",
        made[0]["id"].as_str().expect("an id")
    );
    made.push(client.post(&path, json!({})).await.expect(200));
    client
        .post("/orchestrations/1/create-token", json!({}))
        .await
        .expect(200);
    let refused = "a-token-that-nobody-ever-made";
    let stranger = Client::new(process.base.clone(), Some(refused.to_owned()));
    stranger.get("/orchestrations").await.expect(401);
    process
        .job_when(&waits, "a sealed state", |job| {
            job["results"]["tasks"][0]["response"]["url"].is_string()
        })
        .await;
    let signing_in = client
        .request(reqwest::Method::POST, "/ui/session")
        .header("Sec-Fetch-Site", "same-origin")
        .body(json!({"token": MASTER}).to_string());
    let signed_in = client.send(signing_in).await;
    let cookie = signed_in.headers["set-cookie"].to_str().expect("text");
    let (_, session) = cookie.split_once('=').expect("a value");
    let session = session.split(';').next().expect("a value").to_owned();
    let signed_in = signed_in.expect(201);

    let mut secrets = vec![
        MASTER.to_owned(),
        mail_password.to_owned(),
        refused.to_owned(),
    ];
    for token in &made {
        secrets.push(token["token"].as_str().expect("shown once").to_owned());
    }
    let sent = demo.requests();
    let of_jobs = sent
        .iter()
        .filter_map(|one| one.header("x-storageapi-token"));
    let before = secrets.len();
    secrets.extend(of_jobs.map(str::to_owned));
    assert!(secrets.len() > before + 1, "components were called");
    assert_ne!(secrets.last().map(String::as_str), Some(MASTER));
    let with_credential = sent.iter().find(|one| one.path == "/echo/run");
    let sent_credential = with_credential.and_then(|one| one.header("authorization"));
    let encoded = STANDARD.encode(format!("me:{secret}"));
    assert_eq!(sent_credential, Some(format!("Basic {encoded}").as_str()));
    let plain = sent.iter().find(|one| one.path == "/echo/plain");
    assert_eq!(plain.expect("called").header("authorization"), None);
    let echoed = &job["results"]["tasks"][1]["response"]["headers"]["authorization"];
    assert_eq!(echoed, "Basic ***", "{job}");
    let key_bytes = KEY.strip_prefix("whsec_").unwrap_or_default();
    secrets.extend([secret.to_owned(), encoded, key_bytes.to_owned(), session]);
    assert!(job.to_string().contains("***"), "{job}");
    let key = fs::read_to_string(installation.data_dir().join("master.key"));
    let key = key.expect("a key").trim().to_owned();

    let mut places = Vec::new();
    for path in [
        "/orchestrations",
        "/orchestrations/1",
        "/orchestrations/1/tasks",
        "/orchestrations/1/notifications",
        "/orchestrations/1/jobs",
        "/orchestrations/1/deliveries",
        "/events?limit=500",
        "/jobs/1/events",
        "/credentials",
        "/jobs/1",
        "/jobs/2",
        "/audit?limit=500",
        "/v2/storage/tokens",
        "/v2/storage/tokens/1",
        "/v2/storage/tokens/2",
        "/health/live",
        "/health/ready",
        "/nothing/here",
    ] {
        let answer = client.get(path).await;
        let head = format!("{:?}", answer.headers);
        places.push((path.into(), format!("{head}{}", answer.json).into_bytes()));
    }
    let log = process.log();
    assert!(process.stop().await.success());
    places.extend(files_below(&installation.data_dir()));
    places.push(("the log".into(), log.into_bytes()));
    places.push(("the session".into(), signed_in.to_string().into_bytes()));
    assert!(places.len() > 20, "there is something to search");
    assert!(secrets.len() > 10, "there is something to find");
    for (place, bytes) in &places {
        let has = |secret: &str| {
            bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
        };
        for secret in &secrets {
            assert!(!has(secret), "a secret is in {}", place.display());
        }
        // Where it has to be, and nowhere else.
        assert_eq!(
            has(&key),
            place.ends_with("master.key"),
            "{}",
            place.display()
        );
    }
}
