//! What plugins say and how far they are, as it can be read while they run.

use super::Running;
use super::plugins::{caller, http, with};
use crate::support::guests::guest;
use crate::support::process::until;
use crate::support::store::task;
use orchestrator::domain::ids::JobId;
use orchestrator::domain::job::Status;
use orchestrator::domain::job_event::{Cursor, EventKind, JobEvent};
use orchestrator::store::EventsOf;
use serde_json::json;
use std::time::Duration;

async fn events(running: &Running, job: JobId, kind: EventKind) -> Vec<JobEvent> {
    let of = EventsOf::Job(running.test.project, job);
    let listed = running.test.store.list_job_events(of, Cursor::START, 500);
    let mut events = listed.await.unwrap();
    events.retain(|event| event.kind == kind);
    events
}

async fn lines(running: &Running, job: JobId) -> Vec<(String, String)> {
    let events = events(running, job, EventKind::Log).await;
    let line = |event: JobEvent| (event.label, event.message.unwrap_or_default());
    events.into_iter().map(line).collect()
}

#[tokio::test]
async fn what_a_plugin_writes_before_it_traps_is_kept_with_its_end() {
    let running = Running::start().await;
    running.upload(guest("traps")).await;

    let job = running.run(vec![task("traps")]).await;

    assert_eq!(job.status, Status::Error);
    let lines = lines(&running, job.id).await;
    let (level, first) = &lines[0];
    assert_eq!(level, "stderr");
    assert!(first.starts_with("about to trap in run "), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|(_, text)| text.contains("trapped on purpose")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn what_a_plugin_says_is_kept_while_it_goes_on() {
    let running = Running::start().await;
    let own = running.demo.base_url().to_owned();
    running.upload(&caller(std::slice::from_ref(&own))).await;
    running
        .grant("caller", http(std::slice::from_ref(&own)))
        .await;
    let parameters =
        json!({"url": format!("{own}/hang/run"), "method": "POST", "say": "on my way"});

    let id = running.job(vec![with("caller", &parameters)]).await;
    running.called("POST").await;
    let kept = until("the lines to be kept", || async {
        running.clock.advance(Duration::from_millis(100));
        let lines = lines(&running, id).await;
        if lines.is_empty() {
            Err("none".to_owned())
        } else {
            Ok(lines)
        }
    })
    .await;

    let expected = [("info", "on my way"), ("stderr", "on my way, aside")];
    let expected = expected.map(|(level, text)| (level.to_owned(), text.to_owned()));
    assert_eq!(kept, expected);
    let of = EventsOf::Job(running.test.project, id);
    let end = running.test.store.read_job(running.test.project, id).await;
    assert_eq!(end.unwrap().unwrap().status, Status::Processing, "{of:?}");
}

#[tokio::test]
async fn a_task_that_waits_for_the_same_thing_says_so_once() {
    let running = Running::start().await;
    let parameters = json!({"polls": 3});

    let id = running.job(vec![with("async", &parameters)]).await;
    let job = until("the job to finish", || async {
        running.clock.advance(Duration::from_secs(1));
        let job = running.test.store.read_job(running.test.project, id).await;
        let job = job.unwrap().unwrap();
        if job.status.is_finished() {
            Ok(job)
        } else {
            Err(format!("{job:?}"))
        }
    })
    .await;

    assert_eq!(job.status, Status::Success);
    let told = events(&running, id, EventKind::Task).await;
    let progress: Vec<_> = told
        .iter()
        .filter_map(|event| event.message.clone())
        .collect();
    let mut once = progress.clone();
    once.dedup();
    assert!(!progress.is_empty() && progress == once, "{progress:?}");
    assert_eq!(
        told.last().map(|event| event.label.as_str()),
        Some("success")
    );
}
