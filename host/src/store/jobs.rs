//! Jobs: made, read, cancelled, and their place in their orchestration's queue.
//!
//! Of an orchestration's waiting jobs at most the first is *ready*, and only while none runs: a claim reads ready jobs
//! and nothing else. What a runner does to a job is in [`super::runs`].

use super::job_events::News;
use super::locks::{lock_orchestration, lock_orchestration_of_job};
use super::quotas::{admit_job, count_job};
use super::rows::{Columns, storable, to_json};
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::alarm::{Alarms, JobTimes};
use crate::domain::audit::{Action, Change, of_cancelled_job, of_job};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TaskRunId, TokenId};
use crate::domain::job::{Initiator, InitiatorToken, Job, Status, TaskRun};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::plugin::Usage;
use crate::domain::task::{Task, run_flags};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::sync::Arc;

/// A job to be made by hand, by a run or by a trigger.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub project_id: ProjectId,
    pub orchestration_id: OrchestrationId,
    pub initialized_by: Initiator,
    pub initiator: Option<InitiatorToken>,
    /// Where given, not empty.
    pub notifications_emails: Option<Vec<String>>,
    /// All tasks of the orchestration, with `active` as wanted for this run.
    pub tasks: Option<Vec<Task>>,
    pub parent_run_id: Option<String>,
}

/// What became of the wish for a job.
#[derive(Clone, Debug)]
pub enum CreatedJob {
    Created(Box<Job>),
    NotFound,
    /// A trigger needs an active orchestration.
    Inactive,
    /// The tasks given for the run are not the orchestration's: which one differs.
    TasksDiffer(String),
}

/// What became of the wish to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    Done,
    NotFound,
    NotWaiting(Status),
}

/// A page of an orchestration's jobs, newest first.
#[derive(Clone, Debug)]
pub struct JobPage {
    pub jobs: Vec<Job>,
    /// Of all pages.
    pub total: u64,
}

/// Columns of a job, for [`read`].
pub(super) const COLUMNS: &str = "id, project_id, orchestration_id, revision_id, status, initialized_by, created_at, \
    start_at, end_at, token_id, token_description, initiator_id, initiator_description, initiator_user_agent, \
    notifications_emails, active_tasks, parent_run_id";

/// Columns of a task run, for [`read_run`].
pub(super) const RUN_COLUMNS: &str = "id, position, status, start_at, end_at, response, error_code, message, \
    cpu_micros, sent_bytes, received_bytes";

impl Store {
    pub async fn create_job(&self, new: NewJob, now: Timestamp) -> Result<CreatedJob> {
        let store = self.clone();
        self.write(move |tx| Box::pin(async move { create_job_in(&store, tx, new, now).await }))
            .await
    }

    /// Jobs of a live orchestration, newest first, with their task runs; `None` where there is no such orchestration.
    pub async fn list_jobs(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
        limit: u32,
        offset: u64,
    ) -> Result<Option<JobPage>> {
        let counted = sqlx::query(
            "SELECT job_count FROM orchestrations WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL",
        )
        .bind(orchestration.0)
        .bind(project.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(counted) = counted else {
            return Ok(None);
        };
        let total = Columns::of(&counted, "orchestrations").count("job_count")?;
        // Ids first: a deep page walks the index only.
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE id IN (SELECT id FROM jobs WHERE orchestration_id = $1 \
             ORDER BY id DESC LIMIT $3 OFFSET $4) AND project_id = $2 ORDER BY id DESC"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(orchestration.0)
            .bind(project.0)
            .bind(i64::from(limit))
            .bind(i64::try_from(offset).unwrap_or(i64::MAX))
            .fetch_all(&self.read)
            .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            jobs.push(self.complete(row).await?);
        }
        Ok(Some(JobPage { jobs, total }))
    }

    pub async fn read_job(&self, project: ProjectId, id: JobId) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND project_id = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .bind(project.0)
            .fetch_optional(&self.read)
            .await?;
        match row {
            Some(row) => self.complete(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Cancels a job that still waits. Whoever comes second, a claim or a cancel, finds the other's status.
    pub async fn cancel_job(
        &self,
        project: ProjectId,
        id: JobId,
        now: Timestamp,
    ) -> Result<Cancelled> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                lock_orchestration_of_job(tx, project, id).await?;
                let cancelled = sqlx::query(
                    "UPDATE jobs SET status = 'cancelled', end_at = $3, is_ready = 0, alarm_at = NULL \
                     WHERE id = $1 AND project_id = $2 AND status = 'waiting' RETURNING orchestration_id, token_id",
                )
                .bind(id.0)
                .bind(project.0)
                .bind(now.0)
                .fetch_optional(&mut *tx)
                .await?;
                if let Some(row) = cancelled {
                    let mut news = News::default();
                    news.job(project, id, Status::Cancelled, now);
                    news.write(tx).await?;
                    let columns = Columns::of(&row, "jobs");
                    let orchestration = OrchestrationId(columns.int("orchestration_id")?);
                    advance_queue(tx, orchestration).await?;
                    let token = TokenId(columns.int("token_id")?);
                    drop_unused_token(tx, orchestration, token).await?;
                    let change = of_cancelled_job(id, orchestration);
                    store.note(tx, project, change, now).await?;
                    return Ok(Cancelled::Done);
                }
                let row = sqlx::query("SELECT status FROM jobs WHERE id = $1 AND project_id = $2")
                    .bind(id.0)
                    .bind(project.0)
                    .fetch_optional(tx)
                    .await?;
                row.map_or(Ok(Cancelled::NotFound), |row| {
                    Ok(Cancelled::NotWaiting(Columns::of(&row, "jobs").status("status")?))
                })
            })
        })
        .await
    }

    /// The job as a transaction sees it, without its task runs.
    pub(super) async fn find_job(&self, tx: &mut Tx, id: JobId) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let revision = self.revisions.read_in(tx, revision_id(&row)?).await?;
        read(&row, revision).map(Some)
    }

    async fn complete(&self, row: &AnyRow) -> Result<Job> {
        let revision = self.revisions.read(&self.read, revision_id(row)?).await?;
        let mut job = read(row, revision)?;
        if job.start_at.is_some() {
            let sql =
                format!("SELECT {RUN_COLUMNS} FROM task_runs WHERE job_id = $1 ORDER BY position");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(job.id.0)
                .fetch_all(&self.read)
                .await?;
            job.task_runs = rows.iter().map(read_run).collect::<Result<_>>()?;
        }
        Ok(job)
    }
}

/// Makes a job inside a transaction.
pub(super) async fn create_job_in(
    store: &Store,
    tx: &mut Tx,
    new: NewJob,
    now: Timestamp,
) -> Result<CreatedJob> {
    let account = admit_job(store, tx, new.project_id, now).await?;
    lock_orchestration(tx, new.project_id, new.orchestration_id).await?;
    let Some(of) = store.find(tx, new.project_id, new.orchestration_id).await? else {
        return Ok(CreatedJob::NotFound);
    };
    if new.initialized_by == Initiator::Trigger && !of.active {
        return Ok(CreatedJob::Inactive);
    }
    let active_tasks = match &new.tasks {
        None => None,
        Some(given) => match run_flags(&of.revision.tasks, given) {
            Ok(flags) => Some(flags),
            Err(difference) => return Ok(CreatedJob::TasksDiffer(difference)),
        },
    };
    let row = JobRow {
        project_id: new.project_id,
        orchestration_id: new.orchestration_id,
        revision: &of.revision,
        initialized_by: new.initialized_by,
        token: of.token,
        initiator: new.initiator.as_ref(),
        notifications_emails: new.notifications_emails.as_deref().unwrap_or_default(),
        active_tasks: active_tasks.as_deref(),
        parent_run_id: new.parent_run_id.as_deref(),
    };
    let id = insert_job(tx, &row, now).await?;
    let mut news = News::default();
    news.job(new.project_id, id, Status::Waiting, now);
    news.write(tx).await?;
    count_job(tx, new.project_id, account, now).await?;
    let job = store.find_job(tx, id).await?;
    let change = Change {
        action: Action::JobCreate,
        subject: id.to_string(),
        before: None,
        after: job.as_ref().map(of_job),
    };
    store.note(tx, new.project_id, change, now).await?;
    Ok(job.map_or(CreatedJob::NotFound, |job| {
        CreatedJob::Created(Box::new(job))
    }))
}

pub(super) fn revision_id(row: &AnyRow) -> Result<RevisionId> {
    Ok(RevisionId(Columns::of(row, "jobs").int("revision_id")?))
}

pub(super) fn read(row: &AnyRow, revision: Arc<Revision>) -> Result<Job> {
    let columns = Columns::of(row, "jobs");
    let initiator = match (
        columns.maybe_int("initiator_id")?,
        columns.maybe_text("initiator_description")?,
    ) {
        (Some(id), Some(description)) => Some(InitiatorToken {
            id: TokenId(id),
            description,
            user_agent: columns.maybe_text("initiator_user_agent")?,
        }),
        _ => None,
    };
    Ok(Job {
        id: JobId(columns.int("id")?),
        project_id: ProjectId(columns.int("project_id")?),
        orchestration_id: OrchestrationId(columns.int("orchestration_id")?),
        revision,
        status: columns.status("status")?,
        initialized_by: columns.initiator("initialized_by")?,
        created_at: columns.time("created_at")?,
        start_at: columns.maybe_time("start_at")?,
        end_at: columns.maybe_time("end_at")?,
        token: TokenReference {
            id: TokenId(columns.int("token_id")?),
            description: columns.text("token_description")?,
        },
        initiator,
        notifications_emails: columns
            .maybe_json("notifications_emails")?
            .unwrap_or_default(),
        active_tasks: columns.maybe_json("active_tasks")?,
        parent_run_id: columns.maybe_text("parent_run_id")?,
        task_runs: Vec::new(),
    })
}

pub(super) fn read_run(row: &AnyRow) -> Result<TaskRun> {
    let columns = Columns::of(row, "task_runs");
    Ok(TaskRun {
        id: TaskRunId(columns.int("id")?),
        position: columns.count("position")?,
        status: columns.status("status")?,
        start_at: columns.time("start_at")?,
        end_at: columns.maybe_time("end_at")?,
        response: columns.maybe_json("response")?,
        error_code: columns.maybe_text("error_code")?,
        message: columns.maybe_text("message")?,
        usage: Usage {
            cpu_micros: columns.count("cpu_micros")?,
            sent_bytes: columns.count("sent_bytes")?,
            received_bytes: columns.count("received_bytes")?,
        },
    })
}

/// A job that is about to be written.
pub(super) struct JobRow<'a> {
    pub(super) project_id: ProjectId,
    pub(super) orchestration_id: OrchestrationId,
    pub(super) revision: &'a Revision,
    pub(super) initialized_by: Initiator,
    pub(super) token: TokenReference,
    pub(super) initiator: Option<&'a InitiatorToken>,
    pub(super) notifications_emails: &'a [String],
    pub(super) active_tasks: Option<&'a [bool]>,
    pub(super) parent_run_id: Option<&'a str>,
}

/// Adds a job at the end of its orchestration's queue. The orchestration is locked.
pub(super) async fn insert_job(tx: &mut Tx, job: &JobRow<'_>, now: Timestamp) -> Result<JobId> {
    let times = JobTimes {
        created_at: now,
        start_at: None,
        average: None,
    };
    let alarms = Alarms::of(&job.revision.notifications, job.notifications_emails);
    let emails = (!job.notifications_emails.is_empty())
        .then(|| to_json("jobs", &job.notifications_emails))
        .transpose()?;
    let active_tasks = job
        .active_tasks
        .map(|flags| to_json("jobs", &flags))
        .transpose()?;
    let row = sqlx::query(
        "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
         token_id, token_description, initiator_id, initiator_description, initiator_user_agent, \
         notifications_emails, active_tasks, parent_run_id, alarm_at) \
         SELECT $1, $2, $3, 'waiting', \
         CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE orchestration_id = $2 AND status = 'waiting') \
         OR EXISTS (SELECT 1 FROM jobs WHERE orchestration_id = $2 AND status = 'processing') THEN 0 ELSE 1 END, \
         $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 RETURNING id",
    )
    .bind(job.project_id.0)
    .bind(job.orchestration_id.0)
    .bind(job.revision.id.0)
    .bind(job.initialized_by.as_str())
    .bind(now.0)
    .bind(job.token.id.0)
    .bind(storable(&job.token.description))
    .bind(job.initiator.map(|token| token.id.0))
    .bind(job.initiator.map(|token| storable(&token.description)))
    .bind(job.initiator.and_then(|token| token.user_agent.as_deref().map(storable)))
    .bind(emails)
    .bind(active_tasks)
    .bind(job.parent_run_id.map(storable))
    .bind(alarms.next_after(&times, None).map(|time| time.0))
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "UPDATE orchestrations SET job_count = job_count + 1 WHERE id = $1 AND project_id = $2",
    )
    .bind(job.orchestration_id.0)
    .bind(job.project_id.0)
    .execute(tx)
    .await?;
    Ok(JobId(Columns::of(&row, "jobs").int("id")?))
}

/// Makes the first waiting job of an orchestration ready, unless one runs. The orchestration is locked.
pub(super) async fn advance_queue(tx: &mut Tx, orchestration: OrchestrationId) -> Result<()> {
    sqlx::query(
        "UPDATE jobs SET is_ready = 1 \
         WHERE id = (SELECT MIN(id) FROM jobs WHERE orchestration_id = $1 AND status = 'waiting') \
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE orchestration_id = $1 AND status = 'processing')",
    )
    .bind(orchestration.0)
    .execute(tx)
    .await?;
    Ok(())
}
