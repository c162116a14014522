//! New task runs: the tasks of a phase that begins, for many jobs at once.

use super::claims::{Lease, LeasedStep};
use super::dialect::Dialect;
use super::job_events::{News, RunOf};
use super::rows::{Columns, to_json};
use super::{Result, Tx};
use crate::domain::ids::{HostId, JobId, TaskRunId};
use crate::domain::job::{Job, Status};
use crate::domain::time::Timestamp;
use std::collections::HashMap;

/// Runs to be added for one phase of a job.
pub(super) struct NewRuns {
    pub(super) job: Job,
    /// Of its tasks.
    pub(super) positions: Vec<usize>,
    pub(super) host: HostId,
    /// How many of them that host takes at once.
    pub(super) most_leased: usize,
    pub(super) now: Timestamp,
}

impl NewRuns {
    /// The epoch of a run's first lease.
    const FIRST: i64 = 1;

    fn leased(&self) -> &[usize] {
        let most = self.most_leased.min(self.positions.len());
        self.positions.get(..most).unwrap_or_default()
    }
}

/// Adds runs, and returns those that are leased, in their order; the others wait to be claimed.
pub(super) async fn insert_runs(
    tx: &mut Tx,
    phases: Vec<NewRuns>,
    news: &mut News,
) -> Result<Vec<LeasedStep>> {
    if phases.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Dialect::of(tx).rows(
        "$1",
        &[
            "project", "of_job", "place", "begun", "wakes", "host", "lease",
        ],
        &[],
    );
    let sql = format!(
        "INSERT INTO task_runs (project_id, job_id, position, status, start_at, step, attempt, is_sent, is_checkpointed, \
         wake_at, host_id, epoch) SELECT d.project, d.of_job, d.place, 'processing', d.begun, 0, 1, 0, 0, d.wakes, d.host, \
         d.lease FROM {rows} d ORDER BY d.of_job, d.place RETURNING id, job_id, position"
    );
    let mut bound = Vec::new();
    for phase in &phases {
        let (project, job, now) = (phase.job.project_id.0, phase.job.id.0, phase.now.0);
        for (number, position) in phase.positions.iter().enumerate() {
            let is_leased = number < phase.most_leased;
            bound.push((
                project,
                job,
                *position,
                now,
                (!is_leased).then_some(now),
                is_leased.then_some(phase.host.0),
                if is_leased { NewRuns::FIRST } else { 0 },
            ));
        }
    }
    let added = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("task_runs", &bound)?)
        .fetch_all(tx)
        .await?;
    let mut ids: HashMap<(JobId, usize), TaskRunId> = HashMap::with_capacity(added.len());
    for row in &added {
        let columns = Columns::of(row, "task_runs");
        let (job, id) = (columns.int("job_id")?, columns.int("id")?);
        ids.insert((JobId(job), columns.count("position")?), TaskRunId(id));
    }
    let mut leased = Vec::new();
    for phase in &phases {
        for position in phase.leased() {
            let task = phase.job.revision.tasks.get(*position);
            let (Some(run), Some(task)) = (ids.get(&(phase.job.id, *position)), task) else {
                continue;
            };
            let begun = RunOf {
                project: phase.job.project_id,
                job: phase.job.id,
                position: i64::try_from(*position).unwrap_or(i64::MAX),
            };
            news.task(begun, Status::Processing, None, None, phase.now);
            leased.push(LeasedStep {
                lease: Lease {
                    run: *run,
                    host: phase.host,
                    epoch: NewRuns::FIRST,
                },
                job: phase.job.clone(),
                task: task.clone(),
                start_at: phase.now,
                step: 0,
                attempt: 1,
                is_sent: false,
                is_checkpointed: false,
                state: None,
                component_digest: None,
                progress: None,
            });
        }
    }
    Ok(leased)
}
