//! Task runs: what becomes of a step, and of the job when its phase is over.
//!
//! Every change is made under a lease: it names host and epoch, and does nothing once another host has taken the run
//! over. The end of a phase, the next phase or the end of the job, and the notifications that this promises are one
//! transaction.

use super::claims::{Lease, LeasedStep};
use super::job_events::{News, RunOf};
use super::jobs::advance_queue;
use super::locks::lock_orchestration_of_run;
use super::promises::promise_notifications;
use super::rows::{Columns, storable};
use super::said::{Speaker, StepReport};
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::ids::{HostId, JobId, ProjectId, TaskRunId};
use crate::domain::job::{Job, Status, TaskEnd, outcome, stops_job};
use crate::domain::phases::{end_of, next_active};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;

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
    /// What the tasks of a job that have ended answered, by their positions: JSON text.
    pub async fn read_responses(
        &self,
        project: ProjectId,
        job: JobId,
    ) -> Result<Vec<(usize, Option<String>)>> {
        let rows = sqlx::query(
            "SELECT position, response FROM task_runs WHERE job_id = $1 AND project_id = $2 AND end_at IS NOT NULL",
        )
        .bind(job.0)
        .bind(project.0)
        .fetch_all(&self.read)
        .await?;
        let read = |row: &AnyRow| {
            let columns = Columns::of(row, "task_runs");
            Ok((columns.count("position")?, columns.maybe_text("response")?))
        };
        rows.iter().map(read).collect()
    }

    /// Records how a step ended, what it reports beside, and what follows from it for its job.
    pub async fn end_step(
        &self,
        lease: Lease,
        end: StepEnd,
        report: impl Into<StepReport>,
        now: Timestamp,
    ) -> Result<Accepted> {
        let store = self.clone();
        let report = report.into();
        self.write(move |tx| {
            Box::pin(async move {
                if matches!(end, StepEnd::Done { .. }) {
                    // Two hosts may end the last two tasks of a phase at once: the second one sees the first one's end.
                    lock_orchestration_of_run(tx, lease.run).await?;
                }
                store.seize_where_unfenced(tx, lease).await?;
                let Some(mut speaker) = record(tx, lease, &end, &report, now).await? else {
                    return Ok(Accepted::LeaseLost);
                };
                let mut news = News::default();
                report.tell(&end, &mut speaker, now, &mut news);
                let accepted = match end {
                    StepEnd::Done { .. } => {
                        advance_job(&store, tx, speaker.run.job, now, &mut news).await?
                    }
                    StepEnd::Wait { wake_at, .. } | StepEnd::Abandoned { wake_at } => {
                        Accepted::Yes {
                            has_more: wake_at <= now,
                            ends_job: false,
                        }
                    }
                };
                news.write(tx).await?;
                Ok(accepted)
            })
        })
        .await
    }

    /// Notes that a request which may change something is about to leave. `false`: the lease is lost, it must not leave.
    pub async fn mark_sent(&self, lease: Lease, component_digest: String) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                store.seize_where_unfenced(tx, lease).await?;
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

    /// Does nothing, but in a store without fences: there the run becomes the lease's, whosever it was.
    async fn seize_where_unfenced(&self, tx: &mut Tx, lease: Lease) -> Result<()> {
        if self.is_fenced {
            return Ok(());
        }
        sqlx::query("UPDATE task_runs SET host_id = $2, epoch = $3 WHERE id = $1")
            .bind(lease.run.0)
            .bind(lease.host.0)
            .bind(lease.epoch)
            .execute(tx)
            .await?;
        Ok(())
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

/// Compare-and-set of one run; `None` where the lease is lost.
async fn record(
    tx: &mut Tx,
    lease: Lease,
    end: &StepEnd,
    report: &StepReport,
    now: Timestamp,
) -> Result<Option<Speaker>> {
    let weight = report.weight(end);
    let used = report.used;
    let of_lease = |query: Query| {
        query
            .bind(lease.run.0)
            .bind(lease.host.0)
            .bind(lease.epoch)
            .bind(stored(used.cpu_micros))
            .bind(stored(used.sent_bytes))
            .bind(stored(used.received_bytes))
            .bind(weight.0)
            .bind(weight.1)
    };
    let query = match end {
        StepEnd::Done {
            status,
            response,
            error_code,
            message,
        } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             status = $9, end_at = $10, response = COALESCE($11, response), error_code = $12, message = $13, host_id = NULL, wake_at = NULL, state = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
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
        } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             state = $9, wake_at = $10, response = COALESCE($11, response), message = $12, component_digest = $13, step = step + 1, attempt = 1, host_id = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
        .bind(state.clone())
        .bind(wake_at.0)
        .bind(response.as_deref().map(storable))
        .bind(message.as_deref().map(storable))
        .bind(component_digest.clone()),
        StepEnd::Abandoned { wake_at } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             wake_at = $9, attempt = attempt + 1, host_id = NULL \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
        .bind(wake_at.0),
    };
    let row = query.fetch_optional(tx).await?;
    row.map(|row| Speaker::read(&row, report.tasks, weight))
        .transpose()
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// After the end of a task: where its phase is over, begins the next one or ends the job.
async fn advance_job(
    store: &Store,
    tx: &mut Tx,
    id: JobId,
    now: Timestamp,
    news: &mut News,
) -> Result<Accepted> {
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
    let rows = sqlx::query(
        "SELECT position, status, end_at FROM task_runs WHERE job_id = $1 ORDER BY position",
    )
    .bind(id.0)
    .fetch_all(&mut *tx)
    .await?;
    let mut ends = Vec::with_capacity(rows.len());
    let mut last = 0;
    // Another host may have ended another task at a later time and yet before this one: a job never ends before a task.
    let mut now = now;
    for row in &rows {
        let columns = Columns::of(row, "task_runs");
        now = columns
            .maybe_time("end_at")?
            .map_or(now, |end| end.max(now));
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
        finish_job(tx, &job, outcome(&ends), now, news).await?;
    } else {
        let runs = NewRuns {
            tasks: &tasks,
            positions: &next,
            host: HostId(0),
            most_leased: 0,
        };
        insert_runs(tx, &job, &runs, now, news).await?;
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
    news: &mut News,
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
        let run = RunOf {
            project: job.project_id,
            job: job.id,
            position: i64::try_from(*position).unwrap_or(i64::MAX),
        };
        news.task(run, Status::Processing, None, None, now);
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
            progress: None,
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
    news: &mut News,
) -> Result<()> {
    news.job(job.project_id, job.id, status, now);
    sqlx::query(
        "UPDATE jobs SET status = $2, end_at = $3, alarm_at = NULL WHERE id = $1 AND status = 'processing'",
    )
    .bind(job.id.0)
    .bind(status.as_str())
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    promise_notifications(tx, job, status, now).await?;
    advance_queue(tx, job.orchestration_id).await?;
    drop_unused_token(tx, job.orchestration_id, job.token.id).await
}
