//! Revisions: tasks and notifications as they stood, written once and read often.
//!
//! Rows never change, so what has been read once is kept in memory. Only committed rows are kept: a revision that is
//! read inside a transaction may yet be rolled back and its id be given to another.

use super::quotas::add_storage;
use super::rows::{Columns, to_json};
use super::{Result, StoreError, Tx};
use crate::domain::ids::{OrchestrationId, ProjectId, RevisionId};
use crate::domain::notification::Notification;
use crate::domain::orchestration::Revision;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use sqlx::AnyPool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most revisions in memory; beyond, all are forgotten and read again as needed.
const MOST_KEPT: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Cache(Arc<Mutex<HashMap<RevisionId, Arc<Revision>>>>);

const SELECT: &str = "SELECT id, tasks, notifications FROM revisions WHERE id = $1";

impl Cache {
    /// The revision, from memory or the database.
    pub(super) async fn read(&self, pool: &AnyPool, id: RevisionId) -> Result<Arc<Revision>> {
        if let Some(revision) = self.recall(id) {
            return Ok(revision);
        }
        let row = sqlx::query(SELECT).bind(id.0).fetch_optional(pool).await?;
        let revision = Arc::new(read(row.as_ref())?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(id, Arc::clone(&revision));
        Ok(revision)
    }

    /// The revision as a transaction sees it.
    pub(super) async fn read_in(&self, tx: &mut Tx, id: RevisionId) -> Result<Arc<Revision>> {
        if let Some(revision) = self.recall(id) {
            return Ok(revision);
        }
        let row = sqlx::query(SELECT).bind(id.0).fetch_optional(tx).await?;
        Ok(Arc::new(read(row.as_ref())?))
    }

    fn recall(&self, id: RevisionId) -> Option<Arc<Revision>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).cloned()
    }
}

fn read(row: Option<&sqlx::any::AnyRow>) -> Result<Revision> {
    let row = row.ok_or_else(|| StoreError::Damaged {
        table: "revisions",
        reason: "a revision that is pointed to is missing".into(),
    })?;
    let columns = Columns::of(row, "revisions");
    Ok(Revision {
        id: RevisionId(columns.int("id")?),
        tasks: columns.json("tasks")?,
        notifications: columns.json("notifications")?,
    })
}

/// Adds a revision and makes it the orchestration's current one. The project's account is locked.
pub(super) async fn insert_revision(
    tx: &mut Tx,
    project: ProjectId,
    orchestration: OrchestrationId,
    tasks: &[Task],
    notifications: &[Notification],
    now: Timestamp,
) -> Result<RevisionId> {
    let tasks = to_json("revisions", &tasks)?;
    let notifications = to_json("revisions", &notifications)?;
    add_storage(tx, project, tasks.len() + notifications.len()).await?;
    let row = sqlx::query(
        "INSERT INTO revisions (project_id, orchestration_id, created_at, tasks, notifications) \
         VALUES ($1, $2, $3, $4, $5) RETURNING id",
    )
    .bind(project.0)
    .bind(orchestration.0)
    .bind(now.0)
    .bind(tasks)
    .bind(notifications)
    .fetch_one(&mut *tx)
    .await?;
    let id = RevisionId(Columns::of(&row, "revisions").int("id")?);
    sqlx::query("UPDATE orchestrations SET revision_id = $2 WHERE id = $1 AND project_id = $3")
        .bind(orchestration.0)
        .bind(id.0)
        .bind(project.0)
        .execute(tx)
        .await?;
    Ok(id)
}
