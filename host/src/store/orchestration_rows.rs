//! Orchestrations as they are read: one, many at once, and all of a project.

use super::rows::{Columns, read_for_keys};
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TokenId};
use crate::domain::orchestration::{ExecutedJob, Orchestration, Revision, TokenReference};
use sqlx::any::AnyRow;
use std::sync::Arc;

const COLUMNS: &str = "o.id, o.project_id, o.revision_id, o.name, o.crontab_record, o.active, o.token_id, \
    o.token_description, o.created_at, o.paused_at, o.last_scheduled_at, o.next_scheduled_at, o.task_number, \
    o.last_executed_job_id, j.status AS job_status, j.created_at AS job_created_at, j.start_at AS job_start_at, \
    j.end_at AS job_end_at";
const FROM: &str = "orchestrations o LEFT JOIN jobs j ON j.id = o.last_executed_job_id";

impl Store {
    /// All of a project, by ascending id.
    pub async fn list_orchestrations(&self, project: ProjectId) -> Result<Vec<Orchestration>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {FROM} WHERE o.project_id = $1 AND o.deleted_at IS NULL ORDER BY o.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        let mut list = Vec::with_capacity(rows.len());
        for row in &rows {
            let revision = self.revisions.read(&self.read, revision_id(row)?).await?;
            list.push(read(row, revision)?);
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
        let Some(row) = row else { return Ok(None) };
        let revision = self.revisions.read(&self.read, revision_id(&row)?).await?;
        read(&row, revision).map(Some)
    }

    /// The orchestration as a transaction sees it.
    pub(super) async fn find(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        id: OrchestrationId,
    ) -> Result<Option<Orchestration>> {
        let row = sqlx::query(sqlx::AssertSqlSafe(one()))
            .bind(id.0)
            .bind(project.0)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let revision = self
            .revisions
            .read_in(&self.read, tx, revision_id(&row)?)
            .await?;
        read(&row, revision).map(Some)
    }
}

/// The rows of many, for [`Store::read_orchestration`]: what a row points to is for whoever asked for it to read.
pub(super) async fn find_rows(
    store: &Store,
    keys: &[(ProjectId, OrchestrationId)],
) -> Result<Vec<Result<Option<Arc<AnyRow>>>>> {
    let rows = store
        .dialect
        .rows("$1", &["place", "project", "wanted"], &[]);
    let sql = format!(
        "SELECT d.place AS place, {COLUMNS} FROM {rows} d CROSS JOIN {FROM} \
         WHERE o.id = d.wanted AND o.project_id = d.project AND o.deleted_at IS NULL"
    );
    let bound = keys.iter().enumerate();
    let bound: Vec<_> = bound
        .map(|(place, (project, id))| (place, project.0, id.0))
        .collect();
    read_for_keys(&store.read, "orchestrations", sql, &bound, |row| {
        Ok(Arc::new(row))
    })
    .await
}

fn one() -> String {
    format!(
        "SELECT {COLUMNS} FROM {FROM} WHERE o.id = $1 AND o.project_id = $2 AND o.deleted_at IS NULL"
    )
}

fn revision_id(row: &AnyRow) -> Result<RevisionId> {
    Ok(RevisionId(
        Columns::of(row, "orchestrations").int("revision_id")?,
    ))
}

fn read(row: &AnyRow, revision: Arc<Revision>) -> Result<Orchestration> {
    let columns = Columns::of(row, "orchestrations");
    let last_executed_job = match columns.maybe_int("last_executed_job_id")? {
        Some(id) => Some(ExecutedJob {
            id: JobId(id),
            status: columns.status("job_status")?,
            created_at: columns.time("job_created_at")?,
            start_at: columns.maybe_time("job_start_at")?,
            end_at: columns.maybe_time("job_end_at")?,
        }),
        None => None,
    };
    Ok(Orchestration {
        id: OrchestrationId(columns.int("id")?),
        project_id: ProjectId(columns.int("project_id")?),
        name: columns.text("name")?,
        crontab_record: columns.maybe_text("crontab_record")?,
        created_at: columns.time("created_at")?,
        paused_at: columns.maybe_time("paused_at")?,
        last_scheduled_at: columns.maybe_time("last_scheduled_at")?,
        next_scheduled_at: columns.maybe_time("next_scheduled_at")?,
        active: columns.flag("active")?,
        token: TokenReference {
            id: TokenId(columns.int("token_id")?),
            description: columns.text("token_description")?,
        },
        task_number: columns.int("task_number")?,
        revision,
        last_executed_job,
    })
}
