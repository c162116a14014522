//! What a job's trouble promises, and to whom.

use crate::support::store::{
    NOON, TestStore, new_job, new_orchestration, notification, seconds_after, task, token,
};
use orchestrator::domain::delivery::DeliveryStatus;
use orchestrator::domain::ids::HostId;
use orchestrator::domain::job::{Job, Status};
use orchestrator::domain::orchestration::Orchestration;
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::time::Timestamp;
use orchestrator::store::{AttemptEnd, CreatedJob, NewJob, Redelivered, StepEnd, TokenChoice};
use serde_json::json;

async fn watched(test: &TestStore) -> Orchestration {
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.notifications = vec![
        notification("error", &json!({})),
        notification("waiting", &json!({"timeout": 10})),
        notification("processing", &json!({"tolerance": 20})),
    ];
    test.create(new).await
}

/// Runs the waiting job for so many seconds.
async fn run(
    test: &TestStore,
    host: HostId,
    start: Timestamp,
    seconds: i64,
    status: Status,
) -> Job {
    let steps = test.claim(host, start).await;
    let end = StepEnd::Done {
        status,
        response: None,
        error_code: None,
        message: Some("table missing".into()),
    };
    let ended = seconds_after(start, seconds);
    test.store
        .end_step(steps[0].lease, end, Usage::default(), ended)
        .await
        .unwrap();
    steps[0].job.clone()
}

async fn promised(test: &TestStore, job: &Job) -> Vec<(&'static str, String)> {
    let deliveries = test
        .store
        .list_deliveries(test.project, job.id)
        .await
        .unwrap();
    deliveries
        .into_iter()
        .map(|delivery| (delivery.channel.as_str(), delivery.target.email))
        .collect()
}

#[tokio::test]
async fn a_failed_job_promises_its_error_mail_with_its_end() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    test.job(of.id, NOON).await;

    let job = run(&test, host, NOON, 1, Status::Error).await;

    let expected = [("error", "ops@example.com".to_owned())];
    assert_eq!(promised(&test, &job).await, expected);
}

#[tokio::test]
async fn addresses_of_one_run_stand_in_place_of_the_subscriptions() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    let new = NewJob {
        notifications_emails: Some(vec!["me@example.com".into()]),
        ..new_job(test.project, of.id)
    };
    let made = test.store.create_job(new, NOON).await.unwrap();
    assert!(matches!(made, CreatedJob::Created(_)));

    assert_eq!(test.store.next_alarm_time().await.unwrap(), None);
    let job = run(&test, host, NOON, 1, Status::Error).await;

    assert_eq!(
        promised(&test, &job).await,
        [("error", "me@example.com".to_owned())]
    );
}

#[tokio::test]
async fn a_job_that_waits_too_long_is_told_once() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = watched(&test).await;
    let job = test.job(of.id, NOON).await;
    let due = seconds_after(NOON, 600);

    assert_eq!(test.store.next_alarm_time().await.unwrap(), Some(due));
    assert_eq!(
        test.store
            .raise_alarms(seconds_after(NOON, 599), 10)
            .await
            .unwrap(),
        0
    );
    assert_eq!(test.store.raise_alarms(due, 10).await.unwrap(), 1);
    assert_eq!(
        test.store
            .raise_alarms(seconds_after(NOON, 6000), 10)
            .await
            .unwrap(),
        0
    );

    let expected = [("waiting", "ops@example.com".to_owned())];
    assert_eq!(promised(&test, &job).await, expected);
}

#[tokio::test]
async fn a_job_that_runs_longer_than_its_predecessors_is_told_once() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    for _ in 0..3 {
        test.job(of.id, NOON).await;
        run(&test, host, NOON, 100, Status::Success).await;
    }
    let job = test.job(of.id, NOON).await;
    test.claim(host, NOON).await;

    assert_eq!(
        test.store
            .raise_alarms(seconds_after(NOON, 119), 10)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        test.store
            .raise_alarms(seconds_after(NOON, 121), 10)
            .await
            .unwrap(),
        1
    );

    let expected = [("processing", "ops@example.com".to_owned())];
    assert_eq!(promised(&test, &job).await, expected);
}

#[tokio::test]
async fn a_delivery_is_tried_again_and_recorded_once() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    test.job(of.id, NOON).await;
    let job = run(&test, host, NOON, 1, Status::Error).await;
    let now = seconds_after(NOON, 1);
    let later = seconds_after(NOON, 6);

    let first = test.store.lease_deliveries(host, 10, now).await.unwrap();
    assert_eq!((first.len(), first[0].attempt), (1, 1));
    assert_eq!(
        first[0].job.task_runs[0].message.as_deref(),
        Some("table missing")
    );
    assert!(
        test.store
            .lease_deliveries(host, 10, now)
            .await
            .unwrap()
            .is_empty()
    );
    let retry = AttemptEnd::Retry {
        kind: "transient",
        message: "451 later".into(),
        next_at: later,
    };
    assert!(
        test.store
            .end_delivery(first[0].lease, 1, now, retry, now)
            .await
            .unwrap()
    );
    let second = test.store.lease_deliveries(host, 10, later).await.unwrap();
    let done = || AttemptEnd::Delivered {
        receipt: Some("250 ok".into()),
    };
    let stale = test
        .store
        .end_delivery(first[0].lease, 1, now, done(), later)
        .await
        .unwrap();
    let fresh = test
        .store
        .end_delivery(second[0].lease, 2, later, done(), later)
        .await
        .unwrap();

    assert!(!stale && fresh);
    let recorded = test
        .store
        .list_deliveries(test.project, job.id)
        .await
        .unwrap();
    assert_eq!((recorded.len(), recorded[0].attempts), (1, 2));
    assert_eq!(recorded[0].status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn errors_in_a_row_are_one_incident_until_a_success() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    let mut jobs = Vec::new();
    for status in [Status::Error, Status::Error, Status::Success, Status::Error] {
        test.job(of.id, NOON).await;
        jobs.push(run(&test, host, NOON, 1, status).await.id);
    }

    let leased = test
        .store
        .lease_deliveries(host, 10, seconds_after(NOON, 9))
        .await
        .unwrap();

    let incidents: Vec<_> = leased
        .iter()
        .map(|one| (one.job.id, one.incident))
        .collect();
    assert_eq!(
        incidents,
        [(jobs[0], jobs[0]), (jobs[1], jobs[0]), (jobs[3], jobs[3])]
    );
}

#[tokio::test]
async fn each_end_of_a_job_is_told_to_those_who_listen_to_it() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.tasks[0].continue_on_failure = true;
    new.notifications = ["error", "success", "warning", "recovery"]
        .map(|channel| notification(channel, &json!({})))
        .to_vec();
    let lenient = test.create(new.clone()).await;
    new.tasks[0].continue_on_failure = false;
    new.token = TokenChoice::Make(token("of another one"));
    let strict = test.create(new).await;
    let mut told = Vec::new();
    for (of, status) in [
        (&strict, Status::Success),
        (&strict, Status::Error),
        (&strict, Status::Error),
        (&strict, Status::Success),
        (&strict, Status::Success),
        (&lenient, Status::Error),
        (&lenient, Status::Success),
    ] {
        test.job(of.id, NOON).await;
        let job = run(&test, host, NOON, 1, status).await;
        let channels = promised(&test, &job).await.into_iter();
        told.push(channels.map(|(channel, _)| channel).collect::<Vec<_>>());
    }

    let expected = [
        vec!["success"],
        vec!["error"],
        vec!["error"],
        vec!["success", "recovery"],
        vec!["success"],
        vec!["warning"],
        vec!["success"],
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_delivery_that_is_sent_again_has_its_days_anew_and_a_gone_receiver_is_left_alone() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = watched(&test).await;
    test.job(of.id, NOON).await;
    run(&test, host, NOON, 1, Status::Error).await;
    let later = seconds_after(NOON, 5 * 86_400);
    let leased = test.store.lease_deliveries(host, 10, later).await.unwrap();
    let gone = AttemptEnd::Failed {
        kind: "not-found",
        message: "410".into(),
        is_gone: true,
    };
    let lease = leased[0].lease;
    let ended = test.store.end_delivery(lease, 1, later, gone, later).await;
    assert!(ended.unwrap());
    test.job(of.id, later).await;
    let second = run(&test, host, later, 1, Status::Error).await;
    let skipped = test
        .store
        .list_deliveries(test.project, second.id)
        .await
        .unwrap();
    assert_eq!(skipped[0].status, DeliveryStatus::Disabled);

    let renewed = test
        .store
        .redeliver(test.project, of.id, lease.delivery, later)
        .await
        .unwrap();
    assert!(matches!(renewed, Redelivered::Due(_)), "{renewed:?}");
    let leased = test.store.lease_deliveries(host, 10, later).await.unwrap();
    assert_eq!(leased.len(), 1);
    let again = &leased[0];
    assert_eq!((again.attempt, again.attempt_since), (2, 1));
    assert_eq!(again.tried_since, later);
    let done = AttemptEnd::Delivered { receipt: None };
    let ended = test
        .store
        .end_delivery(again.lease, 2, later, done, later)
        .await;
    assert!(ended.unwrap());
    test.job(of.id, later).await;
    let third = run(&test, host, later, 1, Status::Error).await;
    let promised = test
        .store
        .list_deliveries(test.project, third.id)
        .await
        .unwrap();
    assert_eq!(promised[0].status, DeliveryStatus::Pending);
}
