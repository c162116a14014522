//! What waits, as those see it who operate the server.

use crate::support::store::{NOON, TestStore, new_orchestration, seconds_after, task};
use orchestrator::clock::Clock;
use orchestrator::metrics::{Backlog, Metrics};
use orchestrator::scheduler::Scheduler;
use orchestrator::wake::{Pause, Stop, Wake};
use std::time::Duration;

#[tokio::test]
async fn what_waits_is_counted_with_the_age_of_the_oldest() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let empty = test.store.read_backlog(NOON).await.unwrap();
    let of = test.orchestration(vec![task("a")]).await;
    let mut scheduled = new_orchestration(test.project, vec![task("a")]);
    scheduled.crontab_record = Some("*/5 * * * *".into());
    test.create(scheduled).await;
    let host = test
        .store
        .register_host(NOON, seconds_after(NOON, 1_000))
        .await
        .unwrap();

    test.job(of.id, seconds_after(NOON, 10)).await;
    test.claim(host, seconds_after(NOON, 11)).await;
    test.job(of.id, seconds_after(NOON, 20)).await;
    test.job(of.id, seconds_after(NOON, 30)).await;
    let other = test.orchestration(vec![task("a")]).await;
    test.job(other.id, seconds_after(NOON, 40)).await;
    let seen = test.store.read_backlog(seconds_after(NOON, 360)).await;

    assert_eq!(empty, Backlog::default());
    let expected = Backlog {
        jobs_waiting: 3,
        jobs_ready: 1,
        jobs_processing: 1,
        oldest_waiting: Duration::from_secs(340),
        oldest_ready: Duration::from_secs(320),
        schedules_due: 1,
        schedule_overdue: Duration::from_secs(60),
        hosts: 1,
        ..Backlog::default()
    };
    assert_eq!(seen.unwrap(), expected);
}

#[tokio::test]
async fn ticks_ends_of_jobs_and_lost_leases_are_counted_once_they_are_durable() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let metrics = Metrics::default();
    let store = test.store.clone().with_metrics(metrics.clone());
    let mut scheduled = new_orchestration(test.project, Vec::new());
    scheduled.crontab_record = Some("*/5 * * * *".into());
    test.create(scheduled).await;
    let now = seconds_after(NOON, 27 * 60);
    let scheduler = Scheduler {
        store: store.clone(),
        pause: Pause {
            clock: Clock::manual(now),
            wake: Wake::default(),
            stop: Stop::default(),
        },
        runner: Wake::default(),
        events: Wake::default(),
    };
    let host = store.register_host(NOON, now).await.unwrap();
    let late = seconds_after(now, 60);
    let capacity = orchestrator::store::Capacity {
        free: 10,
        per_project: 10,
        running: std::collections::HashMap::new(),
    };

    scheduler.pass().await.unwrap();
    // It has no task: it ends where it begins.
    store.claim_steps(host, capacity, now).await.unwrap();
    store.reap_dead_hosts(late).await.unwrap();
    store.renew_host(host, late).await.unwrap();

    let printed = metrics.print().unwrap();
    for line in [
        r#"orchestrator_ticks_total{outcome="missed"} 4"#,
        r#"orchestrator_ticks_total{outcome="caught-up"} 1"#,
        "orchestrator_tick_lateness_seconds_sum 120.0",
        r#"orchestrator_jobs_ended_total{outcome="success"} 1"#,
        "orchestrator_host_leases_lost_total 1",
    ] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
}
