//! Notifications that go out by plugins: signed webhooks and chat, to a real receiver over TLS that takes them, fails in
//! every way, or is away.

use crate::support::process::{Installation, Process, until};
use crate::support::steps::{certificates, demo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use demo_components::{DemoServer, Options, RecordedRequest};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::SocketAddr;

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn started() -> (DemoServer, Installation, Process) {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let key = json!({"type": "hmac", "secret": format!("whsec_{KEY}")});
    process
        .client()
        .put("/credentials/hook", key)
        .await
        .expect(201);
    (demo, installation, process)
}

/// An orchestration whose only task fails or not, told by this notification.
fn orchestration(component: &str, notification: &Value) -> Value {
    json!({"name": "Nightly <b>", "tasks": [{"component": component}], "notifications": [notification]})
}

fn webhook(channel: &str, demo: &DemoServer, answers: &str) -> Value {
    let url = format!("{}/receiver/{answers}", demo.base_url());
    json!({"plugin": "webhook", "channel": channel, "config": {"url": url, "credential": "hook"}})
}

/// Runs a job of it to its end and returns the orchestration's path.
async fn run(process: &Process, orchestration: Value) -> String {
    let id = process.run(orchestration).await;
    let job = process.finished(&id).await;
    format!("/orchestrations/{}", job["orchestrationId"])
}

/// The newest delivery, once it stands so.
async fn delivery_when(process: &Process, path: &str, status: &str) -> Value {
    let path = format!("{path}/deliveries");
    let client = process.client();
    until(&format!("the delivery to be {status}"), || async {
        let list = client.get(&path).await.expect(200);
        if list[0]["status"] == status {
            Ok(list[0].clone())
        } else {
            Err(list.to_string())
        }
    })
    .await
}

fn received(demo: &DemoServer) -> Vec<RecordedRequest> {
    let requests = demo.requests().into_iter();
    requests
        .filter(|one| one.path.starts_with("/receiver/"))
        .collect()
}

/// As the specification of Standard Webhooks tells a receiver to do it.
fn verify(request: &RecordedRequest) -> bool {
    let header = |name| request.header(name).expect("a header");
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).expect("base64")).expect("a key");
    for part in [header("webhook-id"), ".", header("webhook-timestamp"), "."] {
        mac.update(part.as_bytes());
    }
    mac.update(&request.body);
    let signature = header("webhook-signature").strip_prefix("v1,").expect("v1");
    let signature = STANDARD.decode(signature).expect("base64");
    mac.verify_slice(&signature).is_ok()
}

#[tokio::test]
async fn a_webhook_is_signed_and_repeated_under_one_id_until_it_is_taken() {
    let (demo, _installation, process) = started().await;

    let path = run(
        &process,
        orchestration("status", &webhook("error", &demo, "500,204")),
    )
    .await;
    let delivery = delivery_when(&process, &path, "delivered").await;

    assert_eq!(delivery["attempts"], 2, "{delivery}");
    assert_eq!(delivery["receipt"], "204");
    let seen = received(&demo);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_ne!(
        seen[0].header("webhook-timestamp"),
        seen[1].header("webhook-timestamp")
    );
    assert!(seen.iter().all(verify), "the signatures are right");
    let mut changed = seen[0].clone();
    changed.body.push(b' ');
    assert!(!verify(&changed), "and of these bodies only");
    let body = seen[0].json().expect("JSON");
    assert_eq!(body["type"], "job.error");
    assert_eq!(body["data"]["orchestration"]["name"], "Nightly <b>");
    assert_eq!(body["data"]["failedTasks"][0]["component"], "status");
    assert_eq!(seen[0].header("x-storageapi-token"), None);
}

#[tokio::test]
async fn a_busy_receiver_is_left_alone_for_as_long_as_it_asks() {
    let (demo, _installation, process) = started().await;

    let path = run(
        &process,
        orchestration("status", &webhook("error", &demo, "429-7200,204")),
    )
    .await;
    let delivery = {
        let list = format!("{path}/deliveries");
        let client = process.client();
        until("the first attempt", || async {
            let answer = client.get(&list).await;
            assert_eq!(answer.headers["x-total-count"], "1");
            let list = answer.expect(200);
            match &list[0]["lastAttempt"] {
                Value::Null => Err(list.to_string()),
                _ => Ok(list[0].clone()),
            }
        })
        .await
    };

    assert_eq!(delivery["status"], "pending", "{delivery}");
    assert_eq!(delivery["lastAttempt"]["outcome"], "rate-limit");
    let time = |key: &str| {
        let text = delivery[key].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text).expect("ISO 8601")
    };
    let waits = time("nextAttemptTime") - time("createdTime");
    assert!((7_200..7_300).contains(&waits.num_seconds()), "{waits}");
    let again = format!("{path}/deliveries/{}/redeliver", delivery["id"]);
    let refusal = process.client().post(&again, json!({})).await.refusal(409);
    assert_eq!(refusal, "DELIVERY_PENDING");
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_more_until_a_delivery_succeeds() {
    let (demo, _installation, process) = started().await;
    let client = process.client();
    let made = orchestration("status", &webhook("error", &demo, "410,204"));

    let path = run(&process, made).await;
    let gone = delivery_when(&process, &path, "failed").await;
    assert_eq!(
        gone["lastAttempt"]["message"],
        "GONE: the receiver answered 410"
    );
    let jobs = format!("{path}/jobs");
    let again = client.post(&jobs, json!({})).await.expect(201);
    process.finished(&again["id"]).await;
    let skipped = delivery_when(&process, &path, "disabled").await;
    assert_eq!(
        (&skipped["attempts"], received(&demo).len()),
        (&json!(0), 1)
    );

    let redeliver = format!("{path}/deliveries/{}/redeliver", skipped["id"]);
    client.post(&redeliver, json!({})).await.expect(202);
    delivery_when(&process, &path, "delivered").await;
    let third = client.post(&jobs, json!({})).await.expect(201);
    process.finished(&third["id"]).await;
    let delivery = delivery_when(&process, &path, "delivered").await;

    assert_eq!(delivery["jobId"], third["id"]);
    assert_eq!(received(&demo).len(), 3);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let (demo, _installation, process) = started().await;

    let path = run(
        &process,
        orchestration("status", &webhook("error", &demo, "307,204")),
    )
    .await;
    let delivery = delivery_when(&process, &path, "delivered").await;
    assert_eq!(
        delivery["attempts"], 2,
        "a redirect is a failure like any other"
    );

    let private =
        json!({"plugin": "webhook", "channel": "error", "config": {"url": "https://10.1.2.3/"}});
    let path = run(&process, orchestration("status", &private)).await;
    let delivery = delivery_when(&process, &path, "failed").await;
    let message = delivery["lastAttempt"]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(message.starts_with("ADDRESS_REFUSED"), "{delivery}");
}

#[tokio::test]
async fn a_receiver_that_is_away_gets_it_when_it_is_back_also_from_the_next_start() {
    let (demo, installation, process) = started().await;
    let away = self::demo().await;
    let address: SocketAddr = away.address();
    let notification = webhook("error", &away, "204");
    drop(away);

    let path = run(&process, orchestration("status", &notification)).await;
    let list = format!("{path}/deliveries");
    let client = process.client();
    until("an attempt that finds nobody", || async {
        let list = client.get(&list).await.expect(200);
        let message = list[0]["lastAttempt"]["message"].as_str();
        match message.filter(|text| text.starts_with("NO_ANSWER")) {
            Some(_) => Ok(()),
            None => Err(list.to_string()),
        }
    })
    .await;
    process.kill();
    let back = DemoServer::start(Options {
        listen: address,
        certificates: Some(certificates()),
    })
    .await
    .expect("the receiver is back");
    let process = installation.start().await;
    let delivery = delivery_when(&process, &path, "delivered").await;

    assert!(delivery["attempts"].as_u64() >= Some(2), "{delivery}");
    let seen = received(&back);
    assert!(seen.len() == 1 && verify(&seen[0]));
    drop(demo);
}

#[tokio::test]
async fn a_chat_gets_text_and_blocks_when_an_orchestration_recovers() {
    let (demo, _installation, process) = started().await;
    let client = process.client();
    let url = format!("{}/receiver/200", demo.base_url());
    let chat = json!({"plugin": "slack", "channel": "recovery", "config": {"url": url}});
    let warning = json!({"plugin": "slack", "channel": "warning", "config": {"url": url}});
    // Fails the first time: the demo counts its calls by the name.
    let task = json!({"component": "http-request", "actionParameters": {
        "url": format!("{}/receiver/500,200", demo.base_url()), "method": "POST"}});
    let made = json!({"name": "Nightly <b>", "tasks": [task], "notifications": [chat, warning]});

    let path = run(&process, made).await;
    let jobs = format!("{path}/jobs");
    for _ in 0..2 {
        let job = client.post(&jobs, json!({})).await.expect(201);
        let job = process.finished(&job["id"]).await;
        assert_eq!(job["status"], "success", "{job}");
    }
    let delivery = delivery_when(&process, &path, "delivered").await;

    assert_eq!(delivery["channel"], "recovery");
    let list = client.get(&format!("{path}/deliveries")).await.expect(200);
    assert_eq!(
        list.as_array().map(Vec::len),
        Some(1),
        "once per recovery: {list}"
    );
    let seen = demo.requests();
    let chat = seen.iter().find(|one| one.path == "/receiver/200");
    let message = chat.and_then(RecordedRequest::json).expect("a message");
    let text = message["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("*Nightly &lt;b&gt;*: job "), "{message}");
    assert!(
        text.ends_with("for the first time since an error"),
        "{message}"
    );
    assert_eq!(message["blocks"][0]["type"], "section");
}

#[tokio::test]
async fn a_credential_that_is_not_there_ends_the_delivery_and_one_of_another_type_is_added() {
    let (demo, _installation, process) = started().await;
    let url = format!("{}/receiver/204", demo.base_url());
    let with = |credential: &str| {
        let config = json!({"url": url, "credential": credential});
        json!({"plugin": "webhook", "channel": "error", "config": config})
    };

    let path = run(&process, orchestration("status", &with("missing"))).await;
    let delivery = delivery_when(&process, &path, "failed").await;
    let message = &delivery["lastAttempt"]["message"];
    assert_eq!(
        message,
        "NO_CREDENTIAL: the project has no credential \"missing\""
    );
    assert!(received(&demo).is_empty());

    let bearer = json!({"type": "bearer", "token": "t0ken", "hosts": [demo.base_url()]});
    let client = process.client();
    client.put("/credentials/bearer", bearer).await.expect(201);
    let path = run(&process, orchestration("status", &with("bearer"))).await;
    delivery_when(&process, &path, "delivered").await;
    let seen = received(&demo);
    assert_eq!(seen[0].header("authorization"), Some("Bearer t0ken"));
    assert_eq!(seen[0].header("webhook-signature"), None);
}
