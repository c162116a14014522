//! The minute at which everybody's schedules are due, against one that is quiet.

use super::claim::end;
use super::compare;
use super::database::{Database, Failure, Filled, NOON, add_orchestrations, add_projects};
use orchestrator::clock::Clock;
use orchestrator::domain::time::Timestamp;
use orchestrator::scheduler::Scheduler;
use orchestrator::store::Capacity;
use orchestrator::wake::{Pause, Stop, Wake};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const ROUNDS: i64 = 3;
const SMALL_PROJECTS: i64 = 200;
/// Orchestrations of all small projects.
const SMALL: i64 = 1_000;
const LARGE: i64 = 9_000;
const WORKERS: usize = 64;
const WORKERS_OF_A_PROJECT: usize = 32;
const LONGEST: Duration = Duration::from_secs(5);

pub async fn measure(database: &Database) -> Result<bool, Failure> {
    let filled = database.open().await?;
    let model = filled.model().await?;
    let large = filled.project.0;
    let small = format!("{large} + 1 + i % {SMALL_PROJECTS}");
    filled
        .fill(&[
            // The large project's come first by every natural order.
            add_orchestrations(&model, LARGE, &large.to_string(), NOON),
            add_projects(SMALL_PROJECTS),
            add_orchestrations(&model, SMALL, &small, NOON),
        ])
        .await?;
    let (mut jobs, mut starts, mut quiet_starts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let minute = |number: i64| Timestamp(NOON.0 + (2 * round + number) * 300_000_000);
        make_due(&filled, &format!("project_id <> {large}"), minute(0)).await?;
        quiet_starts.push(work_through(&filled, minute(0)).await?.small_start);
        make_due(&filled, "true", minute(1)).await?;
        let rush = work_through(&filled, minute(1)).await?;
        jobs.push(rush.all_are_jobs);
        starts.push(rush.small_start);
    }
    let slowest = jobs.iter().min().copied().unwrap_or(Duration::MAX);
    println!(
        "  10,000 due in one minute, 9,000 of one project: all are jobs after {:.2} s (at most {} s)",
        slowest.as_secs_f64(),
        LONGEST.as_secs()
    );
    compare(
        "small projects' median start, quiet minute (baseline)",
        &quiet_starts,
        &quiet_starts,
    );
    let holds = compare(
        "small projects' median start, with 9,000 of one",
        &starts,
        &quiet_starts,
    );
    Ok(holds && slowest <= LONGEST)
}

/// Makes the orchestrations due of which `condition` is true, and no others.
async fn make_due(filled: &Filled, condition: &str, due: Timestamp) -> Result<(), Failure> {
    let sql = format!(
        "UPDATE orchestrations SET next_scheduled_at = CASE WHEN {condition} THEN {} END \
         WHERE crontab_record IS NOT NULL",
        due.0
    );
    filled.fill(&[sql]).await
}

/// How long after the minute's begin.
struct Minute {
    all_are_jobs: Duration,
    /// Median of the small projects' jobs.
    small_start: Duration,
}

/// Lets the scheduler and a runner with steps that take no time work until the small projects' jobs have run.
async fn work_through(filled: &Filled, now: Timestamp) -> Result<Minute, Failure> {
    let runner = Wake::default();
    let scheduler = Scheduler {
        store: filled.store.clone(),
        pause: Pause {
            clock: Clock::manual(now),
            wake: Wake::default(),
            stop: Stop::default(),
        },
        runner: runner.clone(),
        events: Wake::default(),
    };
    let begin = Instant::now();
    let passing = tokio::spawn(async move {
        scheduler.pass().await?;
        Ok::<_, Failure>(begin.elapsed())
    });
    let mut starts = Vec::new();
    while starts.len() < usize::try_from(SMALL)? {
        let capacity = Capacity {
            free: WORKERS,
            per_project: WORKERS_OF_A_PROJECT,
            running: HashMap::new(),
        };
        let steps = filled.store.claim_steps(filled.host, capacity, now).await?;
        if steps.is_empty() {
            runner.poked().await;
            continue;
        }
        let small = steps
            .iter()
            .filter(|step| step.job.project_id != filled.project);
        starts.extend(small.map(|_| begin.elapsed()));
        end(filled, steps).await?;
    }
    let small_start = starts.get(starts.len() / 2).copied();
    Ok(Minute {
        all_are_jobs: passing.await??,
        small_start: small_start.unwrap_or(Duration::MAX),
    })
}
