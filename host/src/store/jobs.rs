//! Jobs: read, cancelled, and their place in their orchestration's queue. How they are made is in [`super::new_jobs`].
//!
//! Of an orchestration's waiting jobs at most the first is *ready*, and only while none runs: a claim reads ready jobs
//! and nothing else. What a runner does to a job is in [`super::runs`].

use super::dialect::Dialect;
use super::job_events::News;
use super::locks::lock_orchestration_of_job;
use super::pages::APART;
use super::rows::{Columns, to_json};
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::audit::of_cancelled_job;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TaskRunId, TokenId};
use crate::domain::job::{InitiatorToken, Job, Status, TaskRun};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::plugin::Usage;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use crate::metrics::JobEnd;
use sqlx::any::AnyRow;
use std::collections::HashMap;
use std::sync::Arc;

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
    notifications_emails, active_tasks, parent_run_id, traceparent";

/// Columns of a task run, for [`read_run`].
pub(super) const RUN_COLUMNS: &str = "id, position, status, start_at, end_at, response, error_code, message, \
    cpu_micros, sent_bytes, received_bytes";

/// Jobs of a live orchestration, whatever became of them.
const COUNT: &str =
    "SELECT job_count FROM orchestrations WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL";

/// A page near the newest job. Ids first: what is passed over is walked over in the index only. A plus keeps the indexes of the
/// whole project out of it, which lead to all of its jobs.
fn near_page() -> String {
    let ids = "SELECT id FROM jobs WHERE orchestration_id = $1 ORDER BY id DESC LIMIT $3 OFFSET $4";
    format!(
        "SELECT {COLUMNS}, ({COUNT}) AS job_count FROM jobs WHERE id IN ({ids}) AND +project_id = $2 ORDER BY id DESC"
    )
}

/// A page of these ids.
fn deep_page(dialect: Dialect) -> String {
    let ids = dialect.rows("$1", &["of_job"], &[]);
    format!(
        "SELECT {COLUMNS} FROM {ids} d JOIN jobs ON jobs.id = d.of_job WHERE +project_id = $2 ORDER BY id DESC"
    )
}

impl Store {
    /// Jobs of a live orchestration, newest first, with their task runs; `None` where there is no such orchestration.
    pub async fn list_jobs(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
        limit: u32,
        offset: u64,
    ) -> Result<Option<JobPage>> {
        // One connection for all that a page needs: taking one costs about as much as a query.
        let mut connection = self.read.acquire().await?;
        let (first, depth) = (i64::from(limit), i64::try_from(offset).unwrap_or(i64::MAX));
        let near = if offset <= APART {
            let page = sqlx::query(sqlx::AssertSqlSafe(near_page()));
            let page = page.bind(orchestration.0).bind(project.0);
            let page = page.bind(first).bind(depth);
            page.fetch_all(&mut *connection).await?
        } else {
            Vec::new()
        };
        let total = match near.first() {
            Some(row) => Columns::of(row, "orchestrations").maybe_int("job_count")?,
            None => {
                let counted = sqlx::query(COUNT).bind(orchestration.0).bind(project.0);
                let row = counted.fetch_optional(&mut *connection).await?;
                row.map(|row| Columns::of(&row, "orchestrations").int("job_count"))
                    .transpose()?
            }
        };
        let Some(total) = total.and_then(|total| u64::try_from(total).ok()) else {
            return Ok(None);
        };
        let rows = if offset <= APART {
            near
        } else {
            let page = self.deep_page_of_jobs(&mut connection, orchestration, total, limit, offset);
            let page = to_json("jobs", &page.await?)?;
            let query = sqlx::query(sqlx::AssertSqlSafe(deep_page(self.dialect)));
            let query = query.bind(page).bind(project.0);
            query.fetch_all(&mut *connection).await?
        };
        let jobs = self.complete(&mut connection, &rows).await?;
        Ok(Some(JobPage { jobs, total }))
    }

    /// How the database goes about a page of an orchestration's jobs: one near the newest, and one far from it. For tests.
    #[doc(hidden)]
    pub async fn explain_list_jobs(&self) -> Result<[Vec<String>; 2]> {
        let near = sqlx::query(sqlx::AssertSqlSafe(self.explained(&near_page())));
        let near = near.bind(1_i64).bind(1_i64).bind(50_i64).bind(0_i64);
        let deep = sqlx::query(sqlx::AssertSqlSafe(
            self.explained(&deep_page(self.dialect)),
        ));
        let deep = deep.bind("[[1], [2]]").bind(1_i64);
        Ok([self.plan(near).await?, self.plan(deep).await?])
    }

    pub async fn read_job(&self, project: ProjectId, id: JobId) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND project_id = $2");
        let mut connection = self.read.acquire().await?;
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .bind(project.0)
            .fetch_optional(&mut *connection)
            .await?;
        let row: Vec<_> = row.into_iter().collect();
        Ok(self.complete(&mut connection, &row).await?.pop())
    }

    /// Cancels a job that still waits. Whoever comes second, a claim or a cancel, finds the other's status.
    pub async fn cancel_job(
        &self,
        project: ProjectId,
        id: JobId,
        now: Timestamp,
    ) -> Result<Cancelled> {
        let store = self.clone();
        let cancelling = self.write(move |tx| {
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
                    advance_queues(tx, &[orchestration]).await?;
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
        });
        let cancelled = cancelling.await?;
        if cancelled == Cancelled::Done {
            self.metrics.job_ended(JobEnd {
                status: Status::Cancelled,
                ran: None,
            });
        }
        Ok(cancelled)
    }

    /// The job as a transaction sees it, without its task runs.
    pub(super) async fn find_job(&self, tx: &mut Tx, id: JobId) -> Result<Option<Job>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .fetch_optional(&mut *tx)
            .await?;
        let row: Vec<_> = row.into_iter().collect();
        Ok(self.read_jobs_in(tx, &row).await?.pop())
    }

    /// Jobs from their rows in a transaction, in the same order, without their task runs.
    pub(super) async fn read_jobs_in(&self, tx: &mut Tx, rows: &[AnyRow]) -> Result<Vec<Job>> {
        let ids = rows.iter().map(revision_id).collect::<Result<_>>()?;
        let revisions = self.revisions.read_all_in(&self.read, tx, ids).await?;
        let job = |row: &AnyRow| {
            let revision = revisions.get(&revision_id(row)?);
            let missing = || Columns::of(row, "jobs").damaged("its revision is missing");
            read(row, Arc::clone(revision.ok_or_else(missing)?))
        };
        rows.iter().map(job).collect()
    }

    /// Jobs from their rows, in the same order, with their task runs.
    async fn complete(&self, connection: &mut Tx, rows: &[AnyRow]) -> Result<Vec<Job>> {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let revision = self.revisions.read(&self.read, revision_id(row)?).await?;
            jobs.push(read(row, revision)?);
        }
        let started = jobs.iter().filter(|job| job.start_at.is_some());
        let started: Vec<_> = started.map(|job| [job.id.0]).collect();
        if started.is_empty() {
            return Ok(jobs);
        }
        let rows = self.dialect.rows("$1", &["of_job"], &[]);
        let sql = format!(
            "SELECT job_id, {RUN_COLUMNS} FROM {rows} d JOIN task_runs ON job_id = d.of_job ORDER BY job_id, position"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to_json("task_runs", &started)?)
            .fetch_all(connection)
            .await?;
        let mut runs: HashMap<i64, Vec<TaskRun>> = HashMap::new();
        for row in &rows {
            let job = Columns::of(row, "task_runs").int("job_id")?;
            runs.entry(job).or_default().push(read_run(row)?);
        }
        for job in &mut jobs {
            job.task_runs = runs.remove(&job.id.0).unwrap_or_default();
        }
        Ok(jobs)
    }
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
        trace: columns
            .maybe_text("traceparent")?
            .and_then(|text| TraceContext::parse(&text)),
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

/// Makes the first waiting job of each of these orchestrations ready, unless one of it runs. They are locked.
pub(super) async fn advance_queues(tx: &mut Tx, of: &[OrchestrationId]) -> Result<()> {
    let rows = Dialect::of(tx).rows("$1", &["queue"], &[]);
    // Not EXISTS: for many orchestrations at once PostgreSQL would read all open jobs to answer it.
    let sql = format!(
        "UPDATE jobs SET is_ready = 1 FROM {rows} d WHERE \
         jobs.id = (SELECT MIN(w.id) FROM jobs w WHERE w.orchestration_id = d.queue AND w.status = 'waiting') \
         AND (SELECT r.id FROM jobs r WHERE r.orchestration_id = d.queue AND r.status = 'processing' LIMIT 1) IS NULL"
    );
    let queues: Vec<_> = of.iter().map(|id| [id.0]).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &queues)?)
        .execute(tx)
        .await?;
    Ok(())
}
