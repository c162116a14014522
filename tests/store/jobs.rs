//! Queue, phases, outcomes and cancelling.

use crate::support::store::{NOON, TestStore, in_phase, new_job, seconds_after, task};
use futures_util::future::join_all;
use orchestrator::domain::ids::HostId;
use orchestrator::domain::job::{Initiator, Status};
use orchestrator::domain::task::Task;
use orchestrator::store::{Accepted, Cancelled, Capacity, CreatedJob, LeasedStep, NewJob, StepEnd};
use std::collections::HashMap;

fn end(status: Status) -> StepEnd {
    StepEnd::Done {
        status,
        response: Some(r#"{"ok":1}"#.into()),
        error_code: None,
        message: None,
    }
}

async fn finish(test: &TestStore, step: &LeasedStep, status: Status) {
    let accepted = test.store.end_step(step.lease, end(status), NOON).await;
    assert!(matches!(accepted, Ok(Accepted::Yes { .. })), "{accepted:?}");
}

fn components(steps: &[LeasedStep]) -> Vec<&str> {
    steps.iter().map(|step| step.task.target()).collect()
}

async fn host(test: &TestStore) -> HostId {
    let lease_until = seconds_after(NOON, 10);
    test.store.register_host(NOON, lease_until).await.unwrap()
}

#[tokio::test]
async fn phases_run_one_after_another_and_their_tasks_side_by_side() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let inactive = Task {
        active: false,
        ..task("never")
    };
    let tasks = vec![in_phase("1", "a"), in_phase("1", "b"), inactive, task("c")];
    let of = test.orchestration(tasks).await;
    let job = test.job(of.id, NOON).await;

    let first = test.claim(host, NOON).await;
    assert_eq!(components(&first), ["a", "b"]);
    finish(&test, &first[0], Status::Success).await;
    assert!(test.claim(host, NOON).await.is_empty());
    finish(&test, &first[1], Status::Success).await;
    let second = test.claim(host, NOON).await;
    assert_eq!(components(&second), ["c"]);
    finish(&test, &second[0], Status::Success).await;

    let job = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(job.status, Status::Success);
    let positions: Vec<_> = job.task_runs.iter().map(|run| run.position).collect();
    assert_eq!(positions, [0, 1, 3]);
    let response = job.task_runs[0].response.as_ref().map(|json| json.get());
    assert_eq!(response, Some(r#"{"ok":1}"#));
}

#[tokio::test]
async fn a_failed_task_lets_its_phase_finish_and_ends_the_job() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let tasks = vec![in_phase("1", "a"), in_phase("1", "b"), task("c")];
    let of = test.orchestration(tasks).await;
    let job = test.job(of.id, NOON).await;

    let first = test.claim(host, NOON).await;
    finish(&test, &first[0], Status::Error).await;
    let meanwhile = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    finish(&test, &first[1], Status::Success).await;

    assert_eq!(meanwhile.status, Status::Processing);
    assert!(test.claim(host, NOON).await.is_empty());
    let job = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((job.status, job.task_runs.len()), (Status::Error, 2));
}

#[tokio::test]
async fn a_tolerated_failure_makes_a_warning_of_the_job() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let tolerated = Task {
        continue_on_failure: true,
        ..task("a")
    };
    let of = test.orchestration(vec![tolerated, task("b")]).await;
    let job = test.job(of.id, NOON).await;

    let first = test.claim(host, NOON).await;
    finish(&test, &first[0], Status::Warning).await;
    let second = test.claim(host, NOON).await;
    finish(&test, &second[0], Status::Success).await;

    let job = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(job.status, Status::Warning);
}

#[tokio::test]
async fn a_job_without_active_tasks_succeeds_at_once() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(Vec::new()).await;
    let job = test.job(of.id, NOON).await;

    assert!(test.claim(host, NOON).await.is_empty());

    let job = test
        .store
        .read_job(test.project, job.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((job.status, job.start_at), (Status::Success, Some(NOON)));
}

#[tokio::test]
async fn jobs_of_one_orchestration_run_one_at_a_time_in_their_order() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(vec![task("a")]).await;
    let first = test.job(of.id, NOON).await;
    let second = test.job(of.id, NOON).await;
    let third = test.job(of.id, NOON).await;

    let steps = test.claim(host, NOON).await;
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].job.id, first.id);
    assert!(test.claim(host, NOON).await.is_empty());
    finish(&test, &steps[0], Status::Success).await;
    let cancelled = test.store.cancel_job(test.project, second.id, NOON).await;
    assert_eq!(cancelled.unwrap(), Cancelled::Done);
    let steps = test.claim(host, NOON).await;

    assert_eq!(steps[0].job.id, third.id);
    let of = test
        .store
        .read_orchestration(test.project, of.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(of.last_executed_job.map(|job| job.id), Some(third.id));
}

#[tokio::test]
async fn a_job_is_cancelled_only_while_it_waits() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(vec![task("a")]).await;
    let job = test.job(of.id, NOON).await;
    let other = test.another_project().await;

    let foreign = test.store.cancel_job(other, job.id, NOON).await.unwrap();
    test.claim(host, NOON).await;
    let running = test
        .store
        .cancel_job(test.project, job.id, NOON)
        .await
        .unwrap();

    assert_eq!(foreign, Cancelled::NotFound);
    assert_eq!(running, Cancelled::NotWaiting(Status::Processing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_and_a_cancel_of_the_same_job_never_both_win() {
    const ROUNDS: usize = 100;
    const JOBS: usize = 100;
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let mut ids = Vec::new();
    for _ in 0..JOBS {
        ids.push(test.orchestration(vec![task("a")]).await.id);
    }
    let mut won_by_cancel = 0;
    for _ in 0..ROUNDS {
        let jobs = join_all(ids.iter().map(|of| test.job(*of, NOON))).await;
        // From both ends of the queue, so that they meet somewhere.
        let cancelling = async {
            let mut cancels = Vec::with_capacity(JOBS);
            for some in jobs.rchunks(10) {
                let some = some.iter().rev();
                let some = some.map(|job| test.store.cancel_job(test.project, job.id, NOON));
                cancels.extend(join_all(some).await);
            }
            cancels
        };
        let claiming = async {
            let mut claimed = Vec::new();
            for _ in 0..JOBS / 10 {
                let capacity = Capacity {
                    free: 10,
                    per_project: 10,
                    running: HashMap::new(),
                };
                claimed.extend(test.store.claim_steps(host, capacity, NOON).await.unwrap());
            }
            claimed
        };
        let (cancels, claimed) = tokio::join!(cancelling, claiming);

        let mut cancelled = 0;
        for (job, cancel) in jobs.iter().rev().zip(cancels) {
            let claims = claimed.iter().filter(|step| step.job.id == job.id).count();
            match cancel.unwrap() {
                Cancelled::Done => assert_eq!(claims, 0),
                Cancelled::NotWaiting(Status::Processing) => assert_eq!(claims, 1),
                other => panic!("{other:?}"),
            }
            cancelled += 1 - claims;
        }
        join_all(
            claimed
                .iter()
                .map(|step| finish(&test, step, Status::Success)),
        )
        .await;
        won_by_cancel += cancelled;
    }
    println!(
        "{won_by_cancel} of {} races were won by the cancel",
        ROUNDS * JOBS
    );
}

#[tokio::test]
async fn tasks_of_one_run_may_differ_in_active_only() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    let of = test.orchestration(vec![task("a"), task("b")]).await;
    let given = |tasks: Vec<Task>| NewJob {
        tasks: Some(tasks),
        ..new_job(test.project, of.id)
    };
    let off = Task {
        active: false,
        ..task("a")
    };

    let different = given(vec![off.clone(), task("c")]);
    let different = test.store.create_job(different, NOON).await.unwrap();
    let CreatedJob::TasksDiffer(reason) = different else {
        panic!("{different:?}")
    };
    assert_eq!(
        reason,
        "Task 2 (tasks[1]) is different from orchestration task"
    );

    let made = test
        .store
        .create_job(given(vec![off, task("b")]), NOON)
        .await;
    assert!(matches!(made, Ok(CreatedJob::Created(_))));
    let steps = test.claim(host, NOON).await;
    assert_eq!(components(&steps), ["b"]);
}

#[tokio::test]
async fn a_trigger_needs_an_active_orchestration_and_a_run_by_hand_does_not() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let mut new = crate::support::store::new_orchestration(test.project, vec![]);
    new.active = false;
    let of = test.create(new).await;
    let by = |initialized_by| NewJob {
        initialized_by,
        ..new_job(test.project, of.id)
    };

    let triggered = test.store.create_job(by(Initiator::Trigger), NOON).await;
    let by_hand = test.store.create_job(by(Initiator::Manually), NOON).await;

    assert!(matches!(triggered, Ok(CreatedJob::Inactive)));
    assert!(matches!(by_hand, Ok(CreatedJob::Created(_))));
}

#[tokio::test]
async fn small_projects_are_served_beside_a_large_one() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = host(&test).await;
    for _ in 0..50 {
        let of = test.orchestration(vec![task("large")]).await;
        test.job(of.id, NOON).await;
    }
    let small = test.another_project().await;
    let new = crate::support::store::new_orchestration(small, vec![task("small")]);
    let of = test.create(new).await;
    let made = test.store.create_job(new_job(small, of.id), NOON).await;
    assert!(matches!(made, Ok(CreatedJob::Created(_))));

    let capacity = Capacity {
        free: 4,
        per_project: 4,
        running: HashMap::new(),
    };
    let steps = test.store.claim_steps(host, capacity, NOON).await.unwrap();

    assert_eq!(steps.len(), 4);
    assert!(components(&steps).contains(&"small"));
}

#[tokio::test]
async fn pages_of_jobs_are_newest_first_and_count_all() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = test.orchestration(vec![task("a")]).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(test.job(of.id, NOON).await.id);
    }

    let page = test
        .store
        .list_jobs(test.project, of.id, 2, 1)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(page.total, 5);
    let listed: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
    assert_eq!(listed, [ids[3], ids[2]]);
    let other = test.another_project().await;
    assert!(
        test.store
            .list_jobs(other, of.id, 2, 0)
            .await
            .unwrap()
            .is_none()
    );
}
