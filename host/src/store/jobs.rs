//! Jobs: read, cancelled, and their place in their orchestration's queue. How they are made is in [`super::new_jobs`].
//!
//! Of an orchestration's waiting jobs at most the first is *ready*, and only while none runs: a claim reads ready jobs
//! and nothing else. What a runner does to a job is in [`super::runs`].

use super::dialect::{Dialect, Statement};
use super::job_events::News;
use super::job_rows::{JOB_COLUMNS, job_column, runs_column};
use super::locks::lock_orchestration_of_job;
use super::pages::APART;
use super::rows::{Columns, to_json};
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::audit::of_cancelled_job;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TokenId};
use crate::domain::job::{Job, Status};
use crate::domain::time::Timestamp;
use crate::metrics::JobEnd;
use std::cmp::Reverse;

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

/// Jobs of a live orchestration, whatever became of them.
const COUNT: &str =
    "SELECT job_count FROM orchestrations WHERE id = $1 AND project_id = $2 AND deleted_at IS NULL";

/// The jobs of a page: those that `walk` leads to, as a condition and an order. `more` are further columns, each after a comma.
fn page(dialect: Dialect, walk: &str, more: &str) -> String {
    let (job, runs) = (job_column(dialect, "page"), runs_column(dialect, "page"));
    let columns = JOB_COLUMNS.join(", ");
    // The project is asked of the page only: SQLite walks over what is passed over without looking at it.
    format!(
        "SELECT {job}, {runs}{more} FROM (SELECT {columns} FROM jobs WHERE {walk} LIMIT $3 OFFSET $4) page \
         WHERE page.project_id = $2"
    )
}

/// A page near the newest job. As a range: where the orchestration is one and the order that of the ids alone, PostgreSQL may
/// walk through everybody's jobs to the first of these.
static NEAR_PAGE: Statement = Statement::new(|dialect| {
    let walk =
        "orchestration_id >= $1 AND orchestration_id <= $1 ORDER BY orchestration_id DESC, id DESC";
    page(dialect, walk, &format!(", ({COUNT}) AS job_count"))
});

/// A page behind job `$5`, oldest first.
static DEEP_PAGE: Statement = Statement::new(|dialect| {
    let behind = dialect.jobs_after("$5");
    let walk = format!("{behind} ORDER BY orchestration_id, id");
    page(dialect, &walk, "")
});

impl Store {
    /// Jobs of a live orchestration, newest first, with their task runs; `None` where there is no such orchestration.
    pub async fn list_jobs(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
        limit: u32,
        offset: u64,
    ) -> Result<Option<JobPage>> {
        let (first, depth) = (i64::from(limit), i64::try_from(offset).unwrap_or(i64::MAX));
        let near = if offset <= APART {
            let page = sqlx::query(NEAR_PAGE.text(self.dialect));
            let page = page.bind(orchestration.0).bind(project.0);
            let page = page.bind(first).bind(depth);
            page.fetch_all(&self.read).await?
        } else {
            Vec::new()
        };
        let total = match near.first() {
            Some(row) => Columns::of(row, "orchestrations").maybe_int("job_count")?,
            None => {
                let counted = sqlx::query(COUNT).bind(orchestration.0).bind(project.0);
                let row = counted.fetch_optional(&self.read).await?;
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
            let place = self.place_of_page(orchestration, total, limit, offset);
            let place = place.await?;
            let page = sqlx::query(DEEP_PAGE.text(self.dialect));
            let page = page.bind(orchestration.0).bind(project.0);
            let page = page.bind(place.jobs).bind(place.passed);
            page.bind(place.after).fetch_all(&self.read).await?
        };
        let mut jobs = self.read_jobs_with_runs(&rows).await?;
        jobs.sort_by_key(|job| Reverse(job.id));
        Ok(Some(JobPage { jobs, total }))
    }

    /// How the database goes about a page of an orchestration's jobs: one near the newest, and one far from it. For tests.
    #[doc(hidden)]
    pub async fn explain_list_jobs(&self) -> Result<[Vec<String>; 2]> {
        let near = sqlx::query(sqlx::AssertSqlSafe(
            self.explained(NEAR_PAGE.text(self.dialect)),
        ));
        let near = near.bind(1_i64).bind(1_i64).bind(50_i64).bind(0_i64);
        let deep = sqlx::query(sqlx::AssertSqlSafe(
            self.explained(DEEP_PAGE.text(self.dialect)),
        ));
        let deep = deep.bind(1_i64).bind(1_i64).bind(50_i64).bind(0_i64);
        let deep = deep.bind(1_i64);
        Ok([self.plan(near).await?, self.plan(deep).await?])
    }

    pub async fn read_job(&self, project: ProjectId, id: JobId) -> Result<Option<Job>> {
        let (job, runs) = (
            job_column(self.dialect, "jobs"),
            runs_column(self.dialect, "jobs"),
        );
        let sql = format!("SELECT {job}, {runs} FROM jobs WHERE id = $1 AND project_id = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .bind(project.0)
            .fetch_optional(&self.read)
            .await?;
        let row: Vec<_> = row.into_iter().collect();
        Ok(self.read_jobs_with_runs(&row).await?.pop())
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
        let job = job_column(self.dialect, "jobs");
        let sql = format!("SELECT {job} FROM jobs WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .fetch_optional(&mut *tx)
            .await?;
        let row: Vec<_> = row.into_iter().collect();
        Ok(self.read_jobs_in(tx, &row).await?.pop())
    }
}

/// Makes the first waiting job of each of these orchestrations ready, unless one of it runs. They are locked.
pub(super) async fn advance_queues(tx: &mut Tx, of: &[OrchestrationId]) -> Result<()> {
    let rows = Dialect::of(tx).rows("$1", &["queue"], &[]);
    // Not EXISTS: for many orchestrations at once PostgreSQL would read all open jobs to answer it.
    let sql = format!(
        "UPDATE jobs SET is_ready = 1 FROM {rows} d WHERE \
         jobs.id = (SELECT MIN(w.id) FROM jobs w WHERE w.orchestration_id = d.queue AND w.status = 'waiting') \
         AND (SELECT MIN(r.orchestration_id) FROM jobs r WHERE r.orchestration_id = d.queue AND r.status = 'processing') IS NULL"
    );
    let queues: Vec<_> = of.iter().map(|id| [id.0]).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &queues)?)
        .execute(tx)
        .await?;
    Ok(())
}
