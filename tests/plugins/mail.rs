//! Mail through the host: what the plugin does not say is added, and the server's answer decides.

use std::time::Duration;

use orchestrator::domain::event::{Event, EventJob, FailedTask};
use orchestrator::domain::ids::{DeliveryId, JobId, OrchestrationId, ProjectId};
use orchestrator::domain::job::{Initiator, Status};
use orchestrator::domain::notification::Channel;
use orchestrator::domain::step::{Failure, FailureKind};
use orchestrator::plugins::{MailSettings, MailThread, PluginSettings, Plugins, StepError};

use crate::support::guests::guest;
use crate::support::smtp::{Mail, SmtpSink};
use crate::support::steps::{NOW, open, plugins, settings};

fn event() -> Event {
    Event {
        project_id: ProjectId(1),
        delivery_id: DeliveryId(7),
        message_id: "delivery_7_abc".into(),
        attempt: 1,
        channel: Channel::Error,
        incident: "error-5-12.abc".into(),
        time: NOW,
        address: "ops@example.com".into(),
        config: "{}".into(),
        parameters: "{}".into(),
        orchestration_id: OrchestrationId(5),
        orchestration_name: "Nightly load".into(),
        orchestration_url: "https://orchestrator.example/orchestrations/5".into(),
        job: EventJob {
            id: JobId(12),
            status: Status::Error,
            initialized_by: Initiator::Scheduler,
            created_at: NOW,
            start_at: Some(NOW),
            end_at: Some(NOW),
            url: "https://orchestrator.example/jobs/12".into(),
        },
        failed_tasks: vec![FailedTask {
            task_id: "1".into(),
            component: "ex-db".into(),
            status: Status::Error,
            message: "component answered 500".into(),
        }],
        expected: None,
        actual: None,
    }
}

fn thread() -> MailThread {
    MailThread {
        message_id: "delivery-7.abc".into(),
        thread_id: "error-5-3.abc".into(),
        unsubscribe: Some("https://orchestrator.example/unsubscribe/x".into()),
    }
}

fn open_with(sink: &SmtpSink) -> Plugins {
    open(PluginSettings {
        mail: Some(MailSettings {
            smtp_url: sink.url(),
            from: "Orchestrator <orchestrator@example.org>".into(),
        }),
        ..settings()
    })
}

async fn deliver(plugins: &Plugins, event: Event) -> Result<Option<String>, StepError> {
    let email = plugins.builtin("email").expect("built in");
    plugins.deliver(&email, event, thread(), Vec::new()).await
}

fn header<'a>(mail: &'a Mail, name: &'a str) -> &'a str {
    mail.parsed.header_raw(name).unwrap_or_default().trim()
}

#[tokio::test]
async fn the_host_adds_what_belongs_to_the_letter() {
    let sink = SmtpSink::start().await;
    let plugins = open_with(&sink);

    let receipt = deliver(&plugins, event()).await.expect("delivered");

    assert_eq!(receipt.as_deref(), Some("250 kept"));
    let mail = &sink.mails()[0];
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        (
            "orchestrator@example.org",
            &["ops@example.com".to_owned()][..]
        )
    );
    assert_eq!(mail.subject(), "[Orchestrator] Nightly load: job failed");
    assert_eq!(
        header(mail, "From"),
        "Orchestrator <orchestrator@example.org>"
    );
    assert_eq!(header(mail, "Message-ID"), "<delivery-7.abc@example.org>");
    assert_eq!(header(mail, "In-Reply-To"), "<error-5-3.abc@example.org>");
    assert_eq!(header(mail, "References"), "<error-5-3.abc@example.org>");
    assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(
        header(mail, "List-Unsubscribe"),
        "<https://orchestrator.example/unsubscribe/x>"
    );
    assert_eq!(
        header(mail, "List-Unsubscribe-Post"),
        "List-Unsubscribe=One-Click"
    );
    assert_eq!(header(mail, "Date"), "Sun, 15 Jun 2025 15:06:40 +0000");
    assert!(mail.text().contains("https://orchestrator.example/jobs/12"));
    assert!(mail.html().contains("component answered 500"));
    let parts: Vec<_> = mail
        .parsed
        .parts
        .iter()
        .filter(|part| part.is_text())
        .collect();
    assert_eq!(parts.len(), 2);
}

#[tokio::test]
async fn a_repeat_carries_the_same_message_id() {
    let sink = SmtpSink::start().await;
    let plugins = open_with(&sink);

    for attempt in [1, 2] {
        deliver(&plugins, Event { attempt, ..event() })
            .await
            .expect("delivered");
    }

    let mails = sink.mails();
    assert_eq!(
        header(&mails[0], "Message-ID"),
        header(&mails[1], "Message-ID")
    );
}

#[tokio::test]
async fn the_servers_answer_decides_whether_another_attempt_could_help() {
    let sink = SmtpSink::start().await;
    let plugins = open_with(&sink);
    for (code, kind, name) in [
        (451, FailureKind::Transient, "MAIL_UNAVAILABLE"),
        (550, FailureKind::Remote, "MAIL_REFUSED"),
    ] {
        sink.fail_next(1, code);

        let failure = failure(deliver(&plugins, event()).await);

        assert_eq!((failure.kind, failure.code.as_str()), (kind, name));
        assert!(
            failure.message.contains(&code.to_string()),
            "{}",
            failure.message
        );
    }
    assert!(deliver(&plugins, event()).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_away_is_a_passing_fault() {
    let plugins = {
        let sink = SmtpSink::start().await;
        let plugins = open_with(&sink);
        drop(sink);
        plugins
    };

    let failure = failure(deliver(&plugins, event()).await);

    assert_eq!(failure.kind, FailureKind::Transient);
}

#[tokio::test]
async fn an_address_that_is_none_is_a_fault_of_the_subscription() {
    let sink = SmtpSink::start().await;
    let plugins = open_with(&sink);

    let nobody = Event {
        address: "nobody".into(),
        ..event()
    };

    assert_eq!(
        failure(deliver(&plugins, nobody).await).code,
        "MAIL_INVALID"
    );
    assert!(sink.mails().is_empty());
}

#[tokio::test]
async fn without_a_mail_server_the_receipt_says_that_it_was_only_logged() {
    let receipt = deliver(plugins(), event()).await.expect("delivered");

    assert_eq!(
        receipt.as_deref(),
        Some("written to the log only: no smtp-url is set")
    );
}

#[tokio::test]
async fn other_deliveries_answer_for_themselves() {
    let delivers = plugins().add_component(guest("delivers")).expect("valid");
    let asks = |answer: &str| Event {
        parameters: format!(r#"{{"answer":"{answer}"}}"#),
        attempt: 2,
        ..event()
    };

    let delivered = plugins()
        .deliver(&delivers, asks("ok"), thread(), Vec::new())
        .await;
    let limited = failure(
        plugins()
            .deliver(&delivers, asks("rate-limit"), thread(), Vec::new())
            .await,
    );

    assert_eq!(delivered, Ok(Some("delivery_7_abc in attempt 2".into())));
    assert_eq!(
        (limited.kind, limited.retry_after),
        (FailureKind::RateLimit, Some(Duration::from_secs(60)))
    );
}

fn failure(result: Result<Option<String>, StepError>) -> Failure {
    match result {
        Err(StepError::Failed(failure)) => failure,
        other => panic!("not a failure: {other:?}"),
    }
}
