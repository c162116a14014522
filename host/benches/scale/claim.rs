//! A claim of 32 jobs of many projects: a long history is to cost it nothing.

use super::compare;
use super::database::{Database, Failure, Filled, NOON, add_orchestrations, add_projects, numbers};
use orchestrator::domain::ids::{OrchestrationId, ProjectId};
use orchestrator::domain::job::{Initiator, Status};
use orchestrator::domain::plugin::Usage;
use orchestrator::store::{Capacity, LeasedStep, NewJob, StepEnd};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const JOBS: usize = 32;
const PROJECTS: i64 = 50;
const ORCHESTRATIONS: i64 = 1_000;

pub async fn measure(database: &Database, sizes: &[i64]) -> Result<bool, Failure> {
    let mut of_sizes = Vec::new();
    for size in [0].iter().chain(sizes) {
        of_sizes.push((*size, filled(database, *size).await?, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (_, filled, times) in &mut of_sizes {
            times.push(claim(filled).await?);
        }
    }
    let mut of_sizes = of_sizes.into_iter();
    let Some((_, _, baseline)) = of_sizes.next() else {
        return Ok(false);
    };
    compare(
        "claim of 32 jobs, no history (baseline)",
        &baseline,
        &baseline,
    );
    let mut holds = true;
    for (size, _, times) in of_sizes {
        holds &= compare(
            &format!("claim of 32 jobs, {size} finished jobs"),
            &times,
            &baseline,
        );
    }
    Ok(holds)
}

async fn filled(database: &Database, finished: i64) -> Result<Filled, Failure> {
    let filled = database.open().await?;
    let model = filled.model().await?;
    let (project, first) = (filled.project.0, model.id.0 + 1);
    let mut statements = vec![
        add_projects(PROJECTS - 1),
        add_orchestrations(
            &model,
            ORCHESTRATIONS,
            &format!("{project} + i % {PROJECTS}"),
            NOON,
        ),
        "UPDATE orchestrations SET next_scheduled_at = NULL".to_owned(),
    ];
    if finished > 0 {
        let status = "CASE i % 4 WHEN 0 THEN 'error' WHEN 1 THEN 'warning' ELSE 'success' END";
        statements.push(
            numbers(finished)
                + &format!(
                    "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, \
                     created_at, start_at, end_at, token_id, token_description) \
                     SELECT {project} + (i + 1) % {PROJECTS}, {first} + i % {ORCHESTRATIONS}, {}, {status}, 0, 'scheduler', \
                     i * 1000, i * 1000, i * 1000 + 500, {}, '' FROM n",
                    model.revision.id.0, model.token.id.0
                ),
        );
        statements.push(
            "INSERT INTO task_runs (project_id, job_id, position, status, start_at, end_at, step, attempt, is_sent, \
             is_checkpointed, epoch) SELECT project_id, id, 0, status, start_at, end_at, 1, 1, 0, 0, 1 FROM jobs"
                .to_owned(),
        );
    }
    filled.fill(&statements).await?;
    Ok(filled)
}

/// Makes jobs, times the claim of them all, and ends them.
async fn claim(filled: &Filled) -> Result<Duration, Failure> {
    let (store, project) = (&filled.store, filled.project.0);
    for number in 0..i64::try_from(JOBS)? {
        // Of as many projects: the fill gave orchestration `i + 1` to project `project + i % PROJECTS`.
        let i = number + 1;
        let new = NewJob {
            project_id: ProjectId(project + i % PROJECTS),
            orchestration_id: OrchestrationId(1 + i),
            initialized_by: Initiator::Manually,
            initiator: None,
            notifications_emails: None,
            tasks: None,
            parent_run_id: None,
            trace: None,
        };
        store.create_job(new, NOON).await?;
    }
    let capacity = Capacity {
        free: JOBS,
        per_project: JOBS,
        running: HashMap::new(),
    };
    let begin = Instant::now();
    let steps = store.claim_steps(filled.host, capacity, NOON).await?;
    let time = begin.elapsed();
    if steps.len() != JOBS {
        return Err(format!("{} of {JOBS} jobs were claimed", steps.len()).into());
    }
    end(filled, steps).await?;
    Ok(time)
}

/// Ends steps that took no time.
pub async fn end(filled: &Filled, steps: Vec<LeasedStep>) -> Result<(), Failure> {
    let ends: Vec<_> = steps
        .into_iter()
        .map(|step| {
            let store = filled.store.clone();
            let end = StepEnd::Done {
                status: Status::Success,
                response: None,
                error_code: None,
                message: None,
            };
            tokio::spawn(async move {
                store
                    .end_step(step.lease, end, Usage::default(), NOON)
                    .await
            })
        })
        .collect();
    for ended in ends {
        ended.await??;
    }
    Ok(())
}
