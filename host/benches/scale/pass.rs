//! A pass of the scheduler: it is to cost what is due, not what exists.

use super::compare;
use super::database::{Database, Failure, Filled, NOON, add_orchestrations, add_projects};
use orchestrator::clock::Clock;
use orchestrator::domain::time::Timestamp;
use orchestrator::scheduler::Scheduler;
use orchestrator::wake::{Pause, Stop, Wake};
use std::time::{Duration, Instant};

const BASELINE: i64 = 1_000;
const DUE: i64 = 100;
/// Each makes others due: together all of the baseline's.
const ROUNDS: i64 = BASELINE / DUE;
const PROJECTS: i64 = 100;
const A_YEAR: i64 = 365 * 86_400_000_000;

pub async fn measure(database: &Database, sizes: &[i64]) -> Result<bool, Failure> {
    let mut of_sizes = Vec::new();
    for size in [BASELINE].iter().chain(sizes) {
        of_sizes.push((*size, filled(database, *size).await?, Vec::new()));
    }
    for round in 0..ROUNDS {
        for (size, database, times) in &mut of_sizes {
            times.push(pass(database, *size, round).await?);
        }
    }
    let mut of_sizes = of_sizes.into_iter();
    let Some((_, _, baseline)) = of_sizes.next() else {
        return Ok(false);
    };
    compare(
        "scheduler pass, 100 due of 1,000 (baseline)",
        &baseline,
        &baseline,
    );
    let mut holds = true;
    for (size, _, times) in of_sizes {
        holds &= compare(
            &format!("scheduler pass, 100 due of {size}"),
            &times,
            &baseline,
        );
    }
    Ok(holds)
}

async fn filled(database: &Database, size: i64) -> Result<Filled, Failure> {
    let filled = database.open().await?;
    let model = filled.model().await?;
    let project = format!("{} + i % {PROJECTS}", filled.project.0);
    let later = Timestamp(NOON.0 + A_YEAR);
    filled
        .fill(&[
            add_projects(PROJECTS),
            add_orchestrations(&model, size, &project, later),
        ])
        .await?;
    Ok(filled)
}

/// Makes some due that lie far apart, and times the pass that fires them.
async fn pass(filled: &Filled, size: i64, round: i64) -> Result<Duration, Failure> {
    let stride = size / BASELINE;
    let due = format!(
        "UPDATE orchestrations SET next_scheduled_at = {} WHERE id IN \
         (WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT 2 + i * {stride} FROM n)",
        NOON.0,
        round * DUE,
        round * DUE + DUE - 1,
    );
    filled.fill(&[due]).await?;
    let scheduler = Scheduler {
        store: filled.store.clone(),
        pause: Pause {
            clock: Clock::manual(NOON),
            wake: Wake::default(),
            stop: Stop::default(),
        },
        runner: Wake::default(),
        events: Wake::default(),
    };
    let begin = Instant::now();
    scheduler.pass().await?;
    Ok(begin.elapsed())
}
