//! Task runs: what becomes of a step, and of the job when its phase is over.
//!
//! Every change is made under a lease: it names host and epoch, and does nothing once another host has taken the run
//! over. The end of a phase, the next phase or the end of the job, and the notifications that this promises are one
//! transaction.

use super::claims::{Lease, LeasedStep};
use super::deliveries::{NewDelivery, insert_delivery};
use super::jobs::advance_queue;
use super::locks::lock_orchestration_of_run;
use super::rows::{Columns, storable};
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::ids::{HostId, JobId, TaskRunId};
use crate::domain::job::{Job, Status, TaskEnd, outcome, stops_job};
use crate::domain::notification::Channel;
use crate::domain::phases::{end_of, next_active};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use serde_json::Map;

/// How a step ended.
#[derive(Clone, Debug)]
pub enum StepEnd {
    /// The task is over.
    Done {
        /// `success`, `warning` or `error`.
        status: Status,
        /// JSON text; `None` keeps what an earlier step answered.
        response: Option<String>,
        error_code: Option<String>,
        message: Option<String>,
    },
    /// The task goes on with another step.
    Wait {
        /// Sealed.
        state: Vec<u8>,
        wake_at: Timestamp,
        response: Option<String>,
        message: Option<String>,
        component_digest: String,
    },
    /// The host could not run it to its end; the same step is to be tried again.
    Abandoned { wake_at: Timestamp },
}

/// What became of a step's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Recorded.
    Yes {
        /// There may be something to claim now.
        has_more: bool,
        /// It was the last one of its job, which may have promised notifications.
        ends_job: bool,
    },
    /// Another host has taken the run over; this result counts for nothing.
    LeaseLost,
}

impl Store {
    /// Records how a step ended and what follows from it for its job.
    pub async fn end_step(&self, lease: Lease, end: StepEnd, now: Timestamp) -> Result<Accepted> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if matches!(end, StepEnd::Done { .. }) {
                    // Two hosts may end the last two tasks of a phase at once: the second one sees the first one's end.
                    lock_orchestration_of_run(tx, lease.run).await?;
                }
                let Some(job) = record(tx, lease, &end, now).await? else {
                    return Ok(Accepted::LeaseLost);
                };
                match end {
                    StepEnd::Done { .. } => advance_job(&store, tx, job, now).await,
                    StepEnd::Wait { wake_at, .. } | StepEnd::Abandoned { wake_at } => {
                        Ok(Accepted::Yes {
                            has_more: wake_at <= now,
                            ends_job: false,
                        })
                    }
                }
            })
        })
        .await
    }

    /// Notes that a request which may change something is about to leave. `false`: the lease is lost, it must not leave.
    pub async fn mark_sent(&self, lease: Lease, component_digest: String) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let marked = sqlx::query(
                    "UPDATE task_runs SET is_sent = 1, component_digest = $4 \
                     WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.run.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(component_digest)
                .execute(tx)
                .await?;
                Ok(marked.rows_affected() == 1)
            })
        })
        .await
    }

    /// Keeps a state in mid-step: after a crash the task goes on from it, and nothing before it is in doubt. `false`: the
    /// lease is lost.
    pub async fn save_checkpoint(
        &self,
        lease: Lease,
        state: Vec<u8>,
        component_digest: String,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let saved = sqlx::query(
                    "UPDATE task_runs SET state = $4, is_checkpointed = 1, is_sent = 0, component_digest = $5 \
                     WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.run.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(state)
                .bind(component_digest)
                .execute(tx)
                .await?;
                Ok(saved.rows_affected() == 1)
            })
        })
        .await
    }
}

/// Compare-and-set of one run; returns its job, or `None` where the lease is lost.
async fn record(tx: &mut Tx, lease: Lease, end: &StepEnd, now: Timestamp) -> Result<Option<JobId>> {
    let query = match end {
        StepEnd::Done {
            status,
            response,
            error_code,
            message,
        } => sqlx::query(
            "UPDATE task_runs SET status = $4, end_at = $5, response = COALESCE($6, response), error_code = $7, \
             message = $8, host_id = NULL, wake_at = NULL, state = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING job_id",
        )
        .bind(lease.run.0)
        .bind(lease.host.0)
        .bind(lease.epoch)
        .bind(status.as_str())
        .bind(now.0)
        .bind(response.as_deref().map(storable))
        .bind(error_code.as_deref().map(storable))
        .bind(message.as_deref().map(storable)),
        StepEnd::Wait {
            state,
            wake_at,
            response,
            message,
            component_digest,
        } => sqlx::query(
            "UPDATE task_runs SET state = $4, wake_at = $5, response = COALESCE($6, response), message = $7, \
             component_digest = $8, step = step + 1, attempt = 1, host_id = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING job_id",
        )
        .bind(lease.run.0)
        .bind(lease.host.0)
        .bind(lease.epoch)
        .bind(state.clone())
        .bind(wake_at.0)
        .bind(response.as_deref().map(storable))
        .bind(message.as_deref().map(storable))
        .bind(component_digest.clone()),
        StepEnd::Abandoned { wake_at } => sqlx::query(
            "UPDATE task_runs SET wake_at = $4, attempt = attempt + 1, host_id = NULL \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING job_id",
        )
        .bind(lease.run.0)
        .bind(lease.host.0)
        .bind(lease.epoch)
        .bind(wake_at.0),
    };
    let row = query.fetch_optional(tx).await?;
    row.map(|row| Ok(JobId(Columns::of(&row, "task_runs").int("job_id")?)))
        .transpose()
}

/// After the end of a task: where its phase is over, begins the next one or ends the job.
async fn advance_job(store: &Store, tx: &mut Tx, id: JobId, now: Timestamp) -> Result<Accepted> {
    let unchanged = Accepted::Yes {
        has_more: false,
        ends_job: false,
    };
    let running = sqlx::query(
        "SELECT 1 AS one FROM task_runs WHERE job_id = $1 AND status = 'processing' LIMIT 1",
    )
    .bind(id.0)
    .fetch_optional(&mut *tx)
    .await?;
    if running.is_some() {
        return Ok(unchanged);
    }
    let Some(job) = store.find_job(tx, id).await? else {
        return Ok(unchanged);
    };
    let tasks = job.tasks();
    let rows =
        sqlx::query("SELECT position, status FROM task_runs WHERE job_id = $1 ORDER BY position")
            .bind(id.0)
            .fetch_all(&mut *tx)
            .await?;
    let mut ends = Vec::with_capacity(rows.len());
    let mut last = 0;
    for row in &rows {
        let columns = Columns::of(row, "task_runs");
        last = columns.count("position")?;
        ends.push(TaskEnd {
            status: columns.status("status")?,
            continue_on_failure: tasks.get(last).is_some_and(|task| task.continue_on_failure),
        });
    }
    let next = if stops_job(&ends) {
        Vec::new()
    } else {
        next_active(&tasks, end_of(&tasks, last))
    };
    if next.is_empty() {
        finish_job(tx, &job, outcome(&ends), now).await?;
    } else {
        let runs = NewRuns {
            tasks: &tasks,
            positions: &next,
            host: HostId(0),
            most_leased: 0,
        };
        insert_runs(tx, &job, &runs, now).await?;
    }
    Ok(Accepted::Yes {
        has_more: true,
        ends_job: next.is_empty(),
    })
}

/// Runs to be added for one phase.
pub(super) struct NewRuns<'a> {
    /// All of the job.
    pub(super) tasks: &'a [Task],
    pub(super) positions: &'a [usize],
    pub(super) host: HostId,
    /// How many of them that host takes at once.
    pub(super) most_leased: usize,
}

/// Adds runs; those beyond `most_leased` wait to be claimed.
pub(super) async fn insert_runs(
    tx: &mut Tx,
    job: &Job,
    runs: &NewRuns<'_>,
    now: Timestamp,
) -> Result<Vec<LeasedStep>> {
    let mut leased = Vec::with_capacity(runs.most_leased.min(runs.positions.len()));
    for (number, position) in runs.positions.iter().enumerate() {
        let is_leased = number < runs.most_leased;
        let row = sqlx::query(
            "INSERT INTO task_runs (project_id, job_id, position, status, start_at, step, attempt, is_sent, \
             is_checkpointed, wake_at, host_id, epoch) \
             VALUES ($1, $2, $3, 'processing', $4, 0, 1, 0, 0, $5, $6, $7) RETURNING id",
        )
        .bind(job.project_id.0)
        .bind(job.id.0)
        .bind(i64::try_from(*position).unwrap_or(i64::MAX))
        .bind(now.0)
        .bind((!is_leased).then_some(now.0))
        .bind(is_leased.then_some(runs.host.0))
        .bind(i64::from(is_leased))
        .fetch_one(&mut *tx)
        .await?;
        let Some(task) = runs.tasks.get(*position).filter(|_| is_leased) else {
            continue;
        };
        leased.push(LeasedStep {
            lease: Lease {
                run: TaskRunId(Columns::of(&row, "task_runs").int("id")?),
                host: runs.host,
                epoch: 1,
            },
            job: job.clone(),
            task: task.clone(),
            start_at: now,
            step: 0,
            attempt: 1,
            is_sent: false,
            is_checkpointed: false,
            state: None,
            component_digest: None,
        });
    }
    Ok(leased)
}

/// Ends a running job, promises its notifications and lets the next job of its orchestration go.
pub(super) async fn finish_job(
    tx: &mut Tx,
    job: &Job,
    status: Status,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET status = $2, end_at = $3, alarm_at = NULL WHERE id = $1 AND status = 'processing'",
    )
    .bind(job.id.0)
    .bind(status.as_str())
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    if status == Status::Error {
        promise_error_notifications(tx, job, now).await?;
    }
    advance_queue(tx, job.orchestration_id).await?;
    drop_unused_token(tx, job.orchestration_id, job.token.id).await
}

async fn promise_error_notifications(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<()> {
    let none = Map::new();
    let subscriptions = job.revision.notifications.iter();
    let receivers: Vec<_> = if job.notifications_emails.is_empty() {
        subscriptions
            .filter(|one| one.channel == Channel::Error)
            .map(|one| (one.email.as_str(), &one.parameters))
            .collect()
    } else {
        let emails = job.notifications_emails.iter();
        emails.map(|email| (email.as_str(), &none)).collect()
    };
    for (address, parameters) in receivers {
        let delivery = NewDelivery {
            job,
            channel: Channel::Error,
            address,
            parameters,
            expected: None,
            actual: None,
        };
        insert_delivery(tx, &delivery, now).await?;
    }
    Ok(())
}
