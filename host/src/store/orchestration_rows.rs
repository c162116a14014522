//! Orchestrations as they are read: one, many at once, and all of a project; each row is one column, as in [`super::job_rows`].

use super::dialect::{Dialect, Statement};
use super::rows::{Columns, read_for_keys};
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TokenId};
use crate::domain::job::Status;
use crate::domain::orchestration::{ExecutedJob, Orchestration, Revision, TokenReference};
use crate::domain::time::Timestamp;
use serde::Deserialize;
use sqlx::any::AnyRow;
use std::sync::Arc;

/// The columns that an [`OrchestrationRow`] has, in its order.
const COLUMNS: &str = "o.id, o.project_id, o.revision_id, o.name, o.crontab_record, o.active, o.token_id, \
    o.token_description, o.created_at, o.paused_at, o.last_scheduled_at, o.next_scheduled_at, o.task_number, \
    o.last_executed_job_id, j.status, j.created_at, j.start_at, j.end_at";
const FROM: &str = "orchestrations o LEFT JOIN jobs j ON j.id = o.last_executed_job_id";

/// A row of `orchestrations` and its newest job that has started.
#[derive(Clone, Deserialize)]
pub(super) struct OrchestrationRow {
    id: i64,
    project_id: i64,
    revision_id: i64,
    name: String,
    crontab_record: Option<String>,
    active: i64,
    token_id: i64,
    token_description: String,
    created_at: i64,
    paused_at: Option<i64>,
    last_scheduled_at: Option<i64>,
    next_scheduled_at: Option<i64>,
    task_number: i64,
    job_id: Option<i64>,
    job_status: Option<Status>,
    job_created_at: Option<i64>,
    job_start_at: Option<i64>,
    job_end_at: Option<i64>,
}

/// Selects an orchestration as the column `orchestration`, `FROM` [`FROM`].
fn column(dialect: Dialect) -> String {
    let orchestration = dialect.json_array(COLUMNS);
    format!("{} AS orchestration", dialect.json_text(&orchestration))
}

impl Store {
    /// All of a project, by ascending id.
    pub async fn list_orchestrations(&self, project: ProjectId) -> Result<Vec<Orchestration>> {
        let sql = format!(
            "SELECT {} FROM {FROM} WHERE o.project_id = $1 AND o.deleted_at IS NULL ORDER BY o.id",
            column(self.dialect)
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        let mut list = Vec::with_capacity(rows.len());
        for row in &rows {
            list.push(self.complete(OrchestrationRow::of(row)?).await?);
        }
        Ok(list)
    }

    pub async fn read_orchestration(
        &self,
        project: ProjectId,
        id: OrchestrationId,
    ) -> Result<Option<Orchestration>> {
        let key = (project, id);
        let row = self.looked_up.orchestrations.read(self, key).await?;
        match row {
            Some(row) => self.complete(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn complete(&self, row: OrchestrationRow) -> Result<Orchestration> {
        let revision = RevisionId(row.revision_id);
        let revision = self.revisions.read(&self.read, revision).await?;
        Ok(row.into_orchestration(revision))
    }

    /// The orchestration as a transaction sees it.
    pub(super) async fn find(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        id: OrchestrationId,
    ) -> Result<Option<Orchestration>> {
        let sql = format!(
            "SELECT {} FROM {FROM} WHERE o.id = $1 AND o.project_id = $2 AND o.deleted_at IS NULL",
            column(self.dialect)
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.0)
            .bind(project.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = OrchestrationRow::of(&row)?;
        let revision = RevisionId(row.revision_id);
        let revision = self.revisions.read_in(&self.read, tx, revision).await?;
        Ok(Some(row.into_orchestration(revision)))
    }
}

static FIND_ORCHESTRATIONS: Statement = Statement::new(|dialect| {
    let rows = dialect.rows("$1", &["place", "project", "wanted"], &[]);
    format!(
        "SELECT d.place AS place, {} FROM {rows} d CROSS JOIN {FROM} \
         WHERE o.id = d.wanted AND +o.project_id = d.project AND +o.deleted_at IS NULL",
        column(dialect)
    )
});

/// The rows of many, for [`Store::read_orchestration`]: what a row points to is for whoever asked for it to read.
pub(super) async fn find_rows(
    store: &Store,
    keys: &[(ProjectId, OrchestrationId)],
) -> Result<Vec<Result<Option<OrchestrationRow>>>> {
    let bound = keys.iter().enumerate();
    let bound: Vec<_> = bound
        .map(|(place, (project, id))| (place, project.0, id.0))
        .collect();
    read_for_keys(
        store,
        "orchestrations",
        &FIND_ORCHESTRATIONS,
        &bound,
        |row| OrchestrationRow::of(&row),
    )
    .await
}

impl OrchestrationRow {
    /// What [`column`] selected.
    fn of(row: &AnyRow) -> Result<Self> {
        Columns::of(row, "orchestrations").json("orchestration")
    }

    fn into_orchestration(self, revision: Arc<Revision>) -> Orchestration {
        let job = self.job_id.zip(self.job_status).zip(self.job_created_at);
        Orchestration {
            id: OrchestrationId(self.id),
            project_id: ProjectId(self.project_id),
            name: self.name,
            crontab_record: self.crontab_record,
            created_at: Timestamp(self.created_at),
            paused_at: self.paused_at.map(Timestamp),
            last_scheduled_at: self.last_scheduled_at.map(Timestamp),
            next_scheduled_at: self.next_scheduled_at.map(Timestamp),
            active: self.active != 0,
            token: TokenReference {
                id: TokenId(self.token_id),
                description: self.token_description,
            },
            task_number: self.task_number,
            revision,
            last_executed_job: job.map(|((id, status), created_at)| ExecutedJob {
                id: JobId(id),
                status,
                created_at: Timestamp(created_at),
                start_at: self.job_start_at.map(Timestamp),
                end_at: self.job_end_at.map(Timestamp),
            }),
        }
    }
}
