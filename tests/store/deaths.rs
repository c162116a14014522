//! A host dies at every border between two writes of a job's life, one border after another.
//!
//! The host here does in a fixed order what the loops of a server do, with a component and a mailbox that remember what
//! reached them. Before each commit nothing of it is written, after it nobody was told: both are tried for every commit,
//! until a life comes to its end without meeting the border. Another host then goes on with what the dead one left.

use crate::support::store::{
    NOON, TestStore, new_job, new_orchestration, notification, seconds_after, task,
};
use orchestrator::clock::Clock;
use orchestrator::domain::delivery::DeliveryStatus;
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId};
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::time::Timestamp;
use orchestrator::scheduler::Scheduler;
use orchestrator::store::{
    AttemptEnd, Border, Capacity, FailPoints, IdempotencyKey, LeasedStep, StepEnd, Store,
    StoreError,
};
use orchestrator::wake::{Pause, Stop, Wake};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is outside and survives every host.
struct World {
    project: ProjectId,
    of: OrchestrationId,
    /// The client repeats its request until it is answered.
    is_answered: bool,
    /// How often the component was started, by job.
    starts: HashMap<JobId, usize>,
    mails: HashMap<JobId, usize>,
}

/// One life of a host: works until nothing is left to do, or it dies.
async fn live(store: &Store, world: &mut World, now: Timestamp) -> Result<(), StoreError> {
    let host = store.register_host(now, seconds_after(now, 10)).await?;
    store.reap_dead_hosts(now).await?;
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
    loop {
        scheduler.pass().await?;
        if !world.is_answered {
            let key = IdempotencyKey {
                key: format!("key of {}", world.of.0),
                call: "jobs",
            };
            let new = new_job(world.project, world.of);
            store.create_job_once(new, key, now).await?;
            world.is_answered = true;
        }
        let capacity = Capacity {
            free: 10,
            per_project: 10,
            running: HashMap::new(),
        };
        let steps = store.claim_steps(host, capacity, now).await?;
        let deliveries = store.lease_deliveries(host, 10, now).await?;
        if steps.is_empty() && deliveries.is_empty() {
            return Ok(());
        }
        for step in &steps {
            run(store, world, step, now).await?;
        }
        for delivery in deliveries {
            *world.mails.entry(delivery.job.id).or_default() += 1;
            let end = AttemptEnd::Delivered { receipt: None };
            let (lease, attempt) = (delivery.lease, delivery.attempt);
            store.end_delivery(lease, attempt, now, end, now).await?;
        }
    }
}

/// As a component's plugin: starts a remote job, knows it from then on, and finds it failed.
async fn run(
    store: &Store,
    world: &mut World,
    step: &LeasedStep,
    now: Timestamp,
) -> Result<(), StoreError> {
    let failed = |code: &str| StepEnd::Done {
        status: Status::Error,
        response: None,
        error_code: Some(code.into()),
        message: None,
    };
    let end = if step.state.is_none() && step.is_sent {
        failed("IN_DOUBT")
    } else if step.step > 0 {
        failed("REMOTE_ERROR")
    } else {
        if step.state.is_none() {
            if !store.mark_sent(step.lease, "d1".into()).await? {
                return Ok(());
            }
            *world.starts.entry(step.job.id).or_default() += 1;
            let state = b"remote job 1".to_vec();
            store
                .save_checkpoint(step.lease, state, "d1".into())
                .await?;
        }
        StepEnd::Wait {
            state: b"remote job 1".to_vec(),
            wake_at: now,
            response: None,
            message: None,
            component_digest: "d1".into(),
        }
    };
    store
        .end_step(step.lease, end, Usage::default(), now)
        .await?;
    Ok(())
}

/// Dies at the given border; what is dead writes nothing more.
fn dying_at(deadly: Border, number: usize, passed: &Arc<AtomicUsize>) -> FailPoints {
    let passed = Arc::clone(passed);
    FailPoints::new(move |border| {
        let before = passed.load(Ordering::SeqCst);
        if before >= number {
            return true;
        }
        border == deadly && passed.fetch_add(1, Ordering::SeqCst) + 1 == number
    })
}

async fn check(test: &TestStore, world: &World, what: &str) {
    let store = &test.store;
    let page = store.list_jobs(world.project, world.of, 10, 0).await;
    let page = page.unwrap().unwrap();
    assert_eq!((page.total, page.jobs.len()), (2, 2), "{what}");
    let ticks = store.list_ticks(world.project, world.of).await.unwrap();
    assert_eq!(ticks.len(), 1, "{what}: {ticks:?}");
    assert!(
        page.jobs.iter().any(|job| Some(job.id) == ticks[0].job_id),
        "{what}"
    );
    for job in &page.jobs {
        assert_eq!(job.status, Status::Error, "{what}");
        assert_eq!(job.task_runs.len(), 1, "{what}");
        let (starts, run) = (world.starts.get(&job.id).copied(), &job.task_runs[0]);
        match run.error_code.as_deref() {
            Some("REMOTE_ERROR") => assert_eq!(starts, Some(1), "{what}"),
            // It was started once, or the host died just before.
            Some("IN_DOUBT") => assert!(starts.unwrap_or(0) <= 1, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        let deliveries = store.list_deliveries(world.project, job.id).await.unwrap();
        assert_eq!(deliveries.len(), 1, "{what}");
        assert_eq!(deliveries[0].status, DeliveryStatus::Delivered, "{what}");
        assert!(world.mails[&job.id] >= 1, "{what}");
    }
    assert_eq!(store.next_wake_time().await.unwrap(), None, "{what}");
}

/// Returns whether the host died.
async fn die_once(test: &TestStore, deadly: Border, number: usize) -> bool {
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.crontab_record = Some("5 12 5 1 *".into());
    new.notifications = vec![notification("error", &json!({}))];
    let of = test.create(new).await;
    let mut world = World {
        project: test.project,
        of: of.id,
        is_answered: false,
        starts: HashMap::new(),
        mails: HashMap::new(),
    };
    let passed = Arc::new(AtomicUsize::new(0));
    let due = seconds_after(NOON, 300);

    let first = test.failing_host(dying_at(deadly, number, &passed)).await;
    let died = live(&first, &mut world, due).await.is_err();
    first.close().await;
    // Later than the dead one's lease; the others are long gone.
    let next = test.another_host().await;
    live(&next, &mut world, seconds_after(due, 11))
        .await
        .unwrap();
    next.close().await;

    check(test, &world, &format!("{deadly:?} {number}")).await;
    died
}

#[tokio::test]
async fn a_host_that_dies_between_any_two_writes_costs_no_job_and_doubles_none() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    for deadly in [Border::BeforeCommit, Border::AfterCommit] {
        let mut number = 1;
        while die_once(&test, deadly, number).await {
            number += 1;
        }
        println!("{deadly:?}: {} borders", number - 1);
        assert!(number > 12, "{number}");
    }
}
