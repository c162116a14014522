//! Writes that are made together: what they cost, that they do not trouble each other, and pages of what they leave.

use crate::support::store::{NOON, TestStore, in_phase, new_job, seconds_after, task};
use futures_util::future::join_all;
use orchestrator::domain::ids::{HostId, JobId, OrchestrationId};
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::store::{
    Accepted, Border, CreatedJob, FailPoints, LeasedStep, StepEnd, Store, StoreError,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn success() -> StepEnd {
    StepEnd::Done {
        status: Status::Success,
        response: None,
        error_code: None,
        message: None,
    }
}

async fn host(test: &TestStore) -> HostId {
    let lease_until = seconds_after(NOON, 10);
    test.store.register_host(NOON, lease_until).await.unwrap()
}

/// The same database through a store that counts its commits.
async fn counting(test: &TestStore) -> (Store, Arc<AtomicUsize>) {
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&commits);
    let fail_points = FailPoints::new(move |border| {
        counted.fetch_add(usize::from(border == Border::AfterCommit), Ordering::SeqCst);
        false
    });
    (test.failing_host(fail_points).await, commits)
}

async fn orchestrations(test: &TestStore, number: usize) -> Vec<OrchestrationId> {
    let mut ids = Vec::new();
    for _ in 0..number {
        ids.push(test.orchestration(vec![task("a")]).await.id);
    }
    ids
}

fn id(created: Result<CreatedJob, StoreError>) -> JobId {
    match created {
        Ok(CreatedJob::Created(job)) => job.id,
        other => panic!("no job: {other:?}"),
    }
}

#[tokio::test]
async fn a_hundred_jobs_at_once_cost_a_handful_of_commits_from_the_wish_to_the_end() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = orchestrations(&test, 100).await;
    let (store, commits) = counting(&test).await;

    let wishes = of
        .iter()
        .map(|of| store.create_job(new_job(test.project, *of), NOON));
    let mut jobs: Vec<_> = join_all(wishes).await.into_iter().map(id).collect();
    let steps = store.claim_steps(host, many(), NOON).await.unwrap();
    let ends = steps
        .iter()
        .map(|step| store.end_step(step.lease, success(), Usage::default(), NOON));
    for ended in join_all(ends).await {
        let ends_job = true;
        let has_more = true;
        assert_eq!(ended.unwrap(), Accepted::Yes { has_more, ends_job });
    }

    assert_eq!(steps.len(), 100);
    // The first of each kind goes at once, and the others gather behind it.
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits <= 5, "{commits}");
    jobs.dedup();
    assert_eq!(jobs.len(), 100);
    for job in jobs {
        let job = store.read_job(test.project, job).await.unwrap().unwrap();
        assert_eq!((job.status, job.task_runs.len()), (Status::Success, 1));
    }
    store.close().await;
}

fn many() -> orchestrator::store::Capacity {
    orchestrator::store::Capacity {
        free: 200,
        per_project: 200,
        running: std::collections::HashMap::new(),
    }
}

#[tokio::test]
async fn a_damaged_job_refuses_its_own_step_and_no_others() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    for of in orchestrations(&test, 10).await {
        test.job(of, NOON).await;
    }
    let steps = test.claim(host, NOON).await;
    let damaged = steps[3].job.id;
    let damage = format!(
        "UPDATE jobs SET active_tasks = 'no JSON' WHERE id = {}",
        damaged.0
    );
    test.sql(&[damage]).await;

    let ends = steps.iter().map(|step| {
        test.store
            .end_step(step.lease, success(), Usage::default(), NOON)
    });
    let ended = join_all(ends).await;

    for (step, ended) in steps.iter().zip(ended) {
        if step.job.id == damaged {
            assert!(
                matches!(ended, Err(StoreError::Damaged { .. })),
                "{ended:?}"
            );
        } else {
            assert!(matches!(ended, Ok(Accepted::Yes { .. })), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn jobs_that_are_wished_for_together_queue_up_and_one_is_ready() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(vec![task("a")]).await.id;

    let wishes = (0..20).map(|_| test.store.create_job(new_job(test.project, of), NOON));
    let mut jobs: Vec<_> = join_all(wishes).await.into_iter().map(id).collect();

    jobs.sort();
    for expected in jobs {
        let steps = test.claim(host, NOON).await;
        let [step] = steps.as_slice() else {
            panic!("{steps:?}");
        };
        assert_eq!(step.job.id, expected);
        let ended = test
            .store
            .end_step(step.lease, success(), Usage::default(), NOON);
        ended.await.unwrap();
    }
    assert!(test.claim(host, NOON).await.is_empty());
}

async fn end_and_go_on(test: &TestStore, step: &LeasedStep) -> Option<LeasedStep> {
    let used = Usage::default();
    let ended = test
        .store
        .end_step_and_go_on(step.lease, success(), used, NOON, true);
    ended.await.unwrap().1
}

#[tokio::test]
async fn who_ends_a_task_may_go_on_with_the_next_one_in_the_same_commit() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let tasks = vec![task("a"), in_phase("1", "b"), in_phase("1", "c"), task("d")];
    let of = test.orchestration(tasks).await;
    let job = test.job(of.id, NOON).await;
    let first = test.claim(host, NOON).await;

    let second = end_and_go_on(&test, &first[0]).await.expect("leased");
    let third = test.claim(host, NOON).await;
    assert!(
        end_and_go_on(&test, &second).await.is_none(),
        "c still runs"
    );
    let last = end_and_go_on(&test, &third[0]).await.expect("leased");
    assert!(end_and_go_on(&test, &last).await.is_none());

    let targets = [&second, &third[0], &last].map(|step| step.task.target().to_owned());
    assert_eq!(targets, ["b", "c", "d"]);
    let job = test.store.read_job(test.project, job.id).await;
    assert_eq!(job.unwrap().unwrap().status, Status::Success);
}

#[tokio::test]
async fn a_host_that_was_declared_dead_and_a_disabled_project_go_on_with_nothing() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(vec![task("a"), task("b")]).await;
    test.job(of.id, NOON).await;
    let first = test.claim(host, NOON).await;
    let disable = format!(
        "UPDATE projects SET disabled_at = 1 WHERE id = {}",
        test.project.0
    );
    test.sql(&[disable]).await;

    assert!(end_and_go_on(&test, &first[0]).await.is_none());

    let enable = "UPDATE projects SET disabled_at = NULL".to_owned();
    test.sql(&[enable]).await;
    let second = test.claim(host, NOON).await;
    assert_eq!(second[0].task.target(), "b");
    let later = seconds_after(NOON, 11);
    let other = test.store.register_host(later, seconds_after(later, 10));
    let other = other.await.unwrap();
    assert_eq!(test.store.reap_dead_hosts(later).await.unwrap(), 1);
    assert!(end_and_go_on(&test, &second[0]).await.is_none());
    assert_eq!(test.claim(other, later).await.len(), 1);
}

#[tokio::test]
async fn every_page_of_a_long_history_has_its_own_jobs() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    const JOBS: usize = 3_100;
    let [short, long] = [0, 1].map(|_| test.orchestration(vec![task("a")]));
    let (short, long) = (short.await.id, long.await.id);
    let mut jobs = Vec::new();
    for _ in 0..JOBS / 100 {
        // The ids of one orchestration's jobs have gaps.
        test.job(short, NOON).await;
        let wishes = (0..100).map(|_| test.store.create_job(new_job(test.project, long), NOON));
        jobs.extend(join_all(wishes).await.into_iter().map(id));
    }
    jobs.sort_by_key(|id| std::cmp::Reverse(*id));

    for offset in [
        0, 990, 1_000, 1_001, 1_995, 2_050, 3_000, 3_090, 3_099, 3_100, 9_000,
    ] {
        let page = test
            .store
            .list_jobs(test.project, long, 20, offset as u64)
            .await
            .unwrap()
            .unwrap();
        let ids: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
        let expected: Vec<_> = jobs.iter().skip(offset).take(20).copied().collect();
        assert_eq!((page.total, ids), (JOBS as u64, expected), "{offset}");
    }
}
