//! Error mail, from the end of a job to a real SMTP server.

use crate::support::process::{Installation, PATIENCE, until};
use crate::support::smtp::SmtpSink;
use crate::support::steps::demo;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_failed_job_is_told_by_mail_within_two_seconds() {
    let (demo, smtp) = (demo().await, SmtpSink::start().await);
    let installation = Installation::new(&demo)
        .with(format!("--smtp-url={}", smtp.url()))
        .with("--mail-from=Orchestrator <orchestrator@example.com>".to_owned())
        .with("--public-url=https://orchestrator.example/base".to_owned());
    let process = installation.start().await;

    let id = process
        .run(json!({
            "name": "Nightly",
            "notifications": [{"email": "ops@example.com", "channel": "error"}],
            "tasks": [{"component": "status", "actionParameters": {"code": 400, "message": "no such table"}}],
        }))
        .await;
    process.finished(&id).await;
    let ended = Instant::now();
    let mails = smtp.wait_for(1, PATIENCE).await;
    let took = ended.elapsed();

    assert!(took < Duration::from_secs(2), "{took:?}");
    let mail = &mails[0];
    assert_eq!(mail.to, ["ops@example.com"]);
    assert_eq!(mail.subject(), "[Orchestrator] Nightly: job failed");
    let link = format!("https://orchestrator.example/base/jobs/{id}");
    assert!(
        mail.text().contains(&link) && mail.html().contains(&link),
        "{}",
        mail.text()
    );
    assert!(mail.text().contains("no such table"), "{}", mail.text());
    let raw = String::from_utf8_lossy(&mail.raw);
    assert!(raw.contains("Auto-Submitted: auto-generated"), "{raw}");
}

#[tokio::test]
async fn a_mail_that_was_refused_for_now_is_sent_again_with_the_same_message_id() {
    let (demo, smtp) = (demo().await, SmtpSink::start().await);
    smtp.fail_next(1, 451);
    let installation = Installation::new(&demo).with(format!("--smtp-url={}", smtp.url()));
    let process = installation.start().await;

    process
        .run(json!({
            "name": "Nightly",
            "notifications": [{"email": "ops@example.com", "channel": "error"}],
            "tasks": [{"component": "status"}],
        }))
        .await;
    smtp.wait_for_refusals(1, PATIENCE).await;
    // Killed between two attempts: the promise outlives the process.
    process.kill();
    let process = installation.start().await;
    let mails = smtp.wait_for(1, PATIENCE).await;

    let message_id = mails[0].parsed.message_id().unwrap_or_default();
    assert!(message_id.starts_with("delivery-1."), "{message_id}");
    assert!(process.stop().await.success());
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn a_recipient_that_the_mail_server_refuses_for_good_is_given_up() {
    let (demo, smtp) = (demo().await, SmtpSink::start().await);
    smtp.fail_next_rcpt(1, 550);
    let installation = Installation::new(&demo).with(format!("--smtp-url={}", smtp.url()));
    let process = installation.start().await;

    process
        .run(json!({
            "name": "Nightly",
            "notifications": [{"email": "gone@example.com", "channel": "error"}],
            "tasks": [{"component": "status"}],
        }))
        .await;
    let log = until("the delivery to be given up", || async {
        let log = process.log();
        if log.contains("notification given up") {
            Ok(log)
        } else {
            Err(log)
        }
    })
    .await;

    assert!(log.contains("MAIL_REFUSED"), "{log}");
    assert!(smtp.mails().is_empty());
}
