//! Everything that became of what an installation was asked for, in one reading: for a checker, never for a request.
//!
//! Deleted orchestrations and the whole of every table are in it. Nothing is written. Whoever wants a history that holds
//! still reads it once the hosts have stopped.

use super::delivery_list::{self, Delivery};
use super::dialect::Dialect;
use super::job_rows::{job_column, runs_column};
use super::rows::Columns;
use super::ticks::{self, Tick};
use super::{Result, Store, pool};
use crate::domain::ids::OrchestrationId;
use crate::domain::job::Job;
use crate::domain::time::Timestamp;

/// What an installation has kept.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub orchestrations: Vec<KeptOrchestration>,
    /// With their task runs, by ascending id.
    pub jobs: Vec<Job>,
    /// Of each orchestration, oldest first.
    pub ticks: Vec<(OrchestrationId, Tick)>,
    pub deliveries: Vec<Delivery>,
}

/// An orchestration, whether it was deleted or not.
#[derive(Clone, Debug)]
pub struct KeptOrchestration {
    pub id: OrchestrationId,
    pub name: String,
    pub crontab_record: Option<String>,
    pub active: bool,
    pub created_at: Timestamp,
    pub paused_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    /// What `X-Total-Count` says.
    pub job_count: u64,
}

/// What is not over yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenWork {
    /// Waiting or processing.
    pub jobs: u64,
    pub deliveries: u64,
}

impl Store {
    /// Whether the database holds no table at all; an SQLite file is made where there is none.
    ///
    /// # Errors
    /// An address that cannot be used, or a database that does not answer.
    pub async fn is_unused(url: &str) -> Result<bool> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(url)?;
        let pool = pool(dialect, 1).connect_with(dialect.options(url)?).await?;
        let row = sqlx::query(dialect.count_tables()).fetch_one(&pool).await?;
        let tables: u64 = Columns::of(&row, "tables").count("tables")?;
        pool.close().await;
        Ok(tables == 0)
    }

    /// How much work is not over.
    pub async fn count_open_work(&self) -> Result<OpenWork> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM jobs WHERE status IN ('waiting', 'processing')) AS jobs, \
             (SELECT COUNT(*) FROM deliveries WHERE status = 'pending') AS deliveries",
        )
        .fetch_one(&self.read)
        .await?;
        let columns = Columns::of(&row, "jobs");
        Ok(OpenWork {
            jobs: columns.count("jobs")?,
            deliveries: columns.count("deliveries")?,
        })
    }

    /// Reads it all: takes as long as there is much.
    pub async fn read_history(&self) -> Result<History> {
        Ok(History {
            orchestrations: self.read_kept_orchestrations().await?,
            jobs: self.read_all_jobs().await?,
            ticks: self.read_all_ticks().await?,
            deliveries: self.read_all_deliveries().await?,
        })
    }

    async fn read_kept_orchestrations(&self) -> Result<Vec<KeptOrchestration>> {
        let rows = sqlx::query(
            "SELECT id, name, crontab_record, active, created_at, paused_at, deleted_at, job_count \
             FROM orchestrations ORDER BY id",
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "orchestrations");
                Ok(KeptOrchestration {
                    id: OrchestrationId(columns.int("id")?),
                    name: columns.text("name")?,
                    crontab_record: columns.maybe_text("crontab_record")?,
                    active: columns.flag("active")?,
                    created_at: columns.time("created_at")?,
                    paused_at: columns.maybe_time("paused_at")?,
                    deleted_at: columns.maybe_time("deleted_at")?,
                    job_count: columns.count("job_count")?,
                })
            })
            .collect()
    }

    async fn read_all_jobs(&self) -> Result<Vec<Job>> {
        let (job, runs) = (
            job_column(self.dialect, "jobs"),
            runs_column(self.dialect, "jobs"),
        );
        let sql = format!("SELECT {job}, {runs} FROM jobs ORDER BY id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.read)
            .await?;
        self.read_jobs_with_runs(&rows).await
    }

    async fn read_all_ticks(&self) -> Result<Vec<(OrchestrationId, Tick)>> {
        let rows = sqlx::query(
            "SELECT orchestration_id, outcome, from_at, to_at, ticks, job_id, reason FROM ticks \
             ORDER BY orchestration_id, from_at",
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let of = OrchestrationId(Columns::of(row, "ticks").int("orchestration_id")?);
                Ok((of, ticks::read(row)?))
            })
            .collect()
    }

    async fn read_all_deliveries(&self) -> Result<Vec<Delivery>> {
        let (columns, from) = (delivery_list::COLUMNS, delivery_list::WITH_LAST_ATTEMPT);
        let sql = format!("SELECT {columns} FROM {from} ORDER BY d.id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(delivery_list::read).collect()
    }
}
