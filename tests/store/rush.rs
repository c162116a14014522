//! The minute at which everybody's schedules are due: ten thousand ticks, nine thousand of them one project's.

use crate::support::store::{NOON, TestStore, new_orchestration, seconds_after, task};
use futures_util::future::join_all;
use orchestrator::clock::Clock;
use orchestrator::domain::ids::ProjectId;
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::time::Timestamp;
use orchestrator::scheduler::Scheduler;
use orchestrator::store::{Capacity, StepEnd};
use orchestrator::wake::{Pause, Stop, Wake};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const SMALL_PROJECTS: i64 = 200;
const OF_EACH: i64 = 5;
const OF_THE_LARGE_ONE: i64 = 9_000;
const WORKERS: usize = 64;
const WORKERS_OF_A_PROJECT: usize = 32;

/// Orchestrations of all projects: the small ones' are due at the sixth minute, those of the large one at `large_due`.
async fn fill(test: &TestStore, small_due: Timestamp, large_due: Timestamp) {
    let model = test
        .create(new_orchestration(test.project, vec![task("a")]))
        .await;
    let numbers = |most: i64| {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) ")
    };
    let add = |project: &str, due: Timestamp| {
        format!(
            "INSERT INTO orchestrations (project_id, revision_id, name, crontab_record, active, token_id, \
             token_description, created_at, next_scheduled_at, task_number, job_count) \
             SELECT {project}, {}, 'one of many', '*/5 * * * *', 1, {}, '', 0, {}, 1, 0 FROM n",
            model.revision.id.0, model.token.id.0, due.0
        )
    };
    let (large, first_small) = (test.project.0, test.project.0 + 1);
    test.sql(&[
        // The large project's come first by every natural order.
        numbers(OF_THE_LARGE_ONE) + &add(&large.to_string(), large_due),
        numbers(SMALL_PROJECTS)
            + "INSERT INTO projects (name, created_at) SELECT 'small', 0 FROM n",
        numbers(SMALL_PROJECTS * OF_EACH)
            + &add(&format!("{first_small} + i % {SMALL_PROJECTS}"), small_due),
    ])
    .await;
}

/// How long after the minute's begin.
struct Minute {
    all_are_jobs: Duration,
    /// Median of the small projects' jobs.
    small_start: Duration,
}

/// Lets the scheduler and a runner with steps that take no time work through a minute.
async fn work_through(test: &TestStore, now: Timestamp) -> Minute {
    let clock = Clock::manual(now);
    let runner = Wake::default();
    let scheduler = Scheduler {
        store: test.store.clone(),
        pause: Pause {
            clock: clock.clone(),
            wake: Wake::default(),
            stop: Stop::default(),
        },
        runner: runner.clone(),
        events: Wake::default(),
    };
    let host = test
        .store
        .register_host(now, seconds_after(now, 600))
        .await
        .unwrap();
    let begin = Instant::now();
    let passing = tokio::spawn(async move {
        scheduler.pass().await.unwrap();
        begin.elapsed()
    });
    let mut starts = Vec::new();
    while starts.len() < usize::try_from(SMALL_PROJECTS * OF_EACH).unwrap() {
        assert!(begin.elapsed() < Duration::from_secs(120));
        let capacity = Capacity {
            free: WORKERS,
            per_project: WORKERS_OF_A_PROJECT,
            running: HashMap::new(),
        };
        let steps = test.store.claim_steps(host, capacity, now).await.unwrap();
        if steps.is_empty() {
            runner.poked().await;
            continue;
        }
        let is_small = |project: ProjectId| project != test.project;
        let small = steps.iter().filter(|step| is_small(step.job.project_id));
        starts.extend(small.map(|_| begin.elapsed()));
        let ends = steps.iter().map(|step| {
            let end = StepEnd::Done {
                status: Status::Success,
                response: None,
                error_code: None,
                message: None,
            };
            test.store.end_step(step.lease, end, Usage::default(), now)
        });
        for ended in join_all(ends).await {
            ended.unwrap();
        }
    }
    Minute {
        all_are_jobs: passing.await.unwrap(),
        small_start: starts[starts.len() / 2],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_ticks_of_one_minute_become_jobs_and_small_projects_start_as_if_alone() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let (quiet_at, rush_at) = (seconds_after(NOON, 300), seconds_after(NOON, 600));
    fill(&test, quiet_at, rush_at).await;

    let quiet = work_through(&test, quiet_at).await;
    let rush = work_through(&test, rush_at).await;

    let ratio = rush.small_start.as_secs_f64() / quiet.small_start.as_secs_f64();
    println!(
        "10,000 jobs after {:?}; small projects start after {:?}, in a quiet minute after {:?} (ratio {ratio:.2})",
        rush.all_are_jobs, rush.small_start, quiet.small_start
    );
    assert_eq!(
        test.store.next_due_time().await.unwrap(),
        Some(seconds_after(NOON, 900))
    );
    // Generous, because other tests run beside this one; the bench `scale` has the bounds of a machine to itself.
    assert!(rush.all_are_jobs < Duration::from_secs(20));
    assert!(ratio < 6.0, "{ratio:.2}");
}
