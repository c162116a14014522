//! Revisions: tasks and notifications as they stood, written once and read often.
//!
//! Rows never change, so what has been read once is kept in memory. Only committed rows are kept: a revision that is
//! read inside a transaction may yet be rolled back and its id be given to another.

use super::connections::Connections;
use super::dialect::Dialect;
use super::quotas::add_storage;
use super::rows::{Columns, to_json};
use super::{Result, StoreError, Tx};
use crate::domain::ids::{OrchestrationId, ProjectId, RevisionId};
use crate::domain::notification::Notification;
use crate::domain::orchestration::Revision;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Most revisions in memory, and most bytes that their rows have together; beyond either, all are forgotten and read again
/// as needed. In memory they take several times those bytes.
const MOST_KEPT: usize = 10_000;
const MOST_BYTES: usize = 8 << 20;

#[derive(Clone, Debug, Default)]
pub(super) struct Cache(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    revisions: HashMap<RevisionId, Arc<Revision>>,
    bytes: usize,
}

/// A revision and the bytes of its row.
struct Weighed(Arc<Revision>, usize);

const SELECT: &str = "SELECT id, tasks, notifications FROM revisions WHERE id = $1";

impl Cache {
    /// The revision, from memory or the database.
    pub(super) async fn read(
        &self,
        connections: &Connections,
        id: RevisionId,
    ) -> Result<Arc<Revision>> {
        if let Some(revision) = self.recall(id) {
            return Ok(revision);
        }
        let row = sqlx::query(SELECT)
            .bind(id.0)
            .fetch_optional(connections)
            .await?;
        let read = read(row.as_ref())?;
        self.keep(&read);
        Ok(read.0)
    }

    /// The revision as a transaction sees it.
    pub(super) async fn read_in(
        &self,
        connections: &Connections,
        tx: &mut Tx,
        id: RevisionId,
    ) -> Result<Arc<Revision>> {
        let mut found = self
            .read_all_in(connections, tx, BTreeSet::from([id]))
            .await?;
        found.remove(&id).ok_or_else(missing)
    }

    /// The same for many at once. What is not in memory is looked for beside the transaction first: what is found there is
    /// committed, and kept.
    pub(super) async fn read_all_in(
        &self,
        connections: &Connections,
        tx: &mut Tx,
        ids: BTreeSet<RevisionId>,
    ) -> Result<HashMap<RevisionId, Arc<Revision>>> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match self.recall(id) {
                Some(revision) => drop(found.insert(id, revision)),
                None => unknown.push([id.0]),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let rows = Dialect::of(tx).rows("$1", &["id"], &[]);
        let sql = format!(
            "SELECT r.id AS id, r.tasks AS tasks, r.notifications AS notifications \
             FROM {rows} d JOIN revisions r ON r.id = d.id"
        );
        let committed = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to_json("revisions", &unknown)?)
            .fetch_all(connections)
            .await?;
        for row in &committed {
            let read = read(Some(row))?;
            self.keep(&read);
            found.insert(read.0.id, read.0);
        }
        for [id] in unknown {
            if let Entry::Vacant(place) = found.entry(RevisionId(id)) {
                let row = sqlx::query(SELECT)
                    .bind(id)
                    .fetch_optional(&mut *tx)
                    .await?;
                place.insert(read(row.as_ref())?.0);
            }
        }
        Ok(found)
    }

    fn keep(&self, Weighed(revision, bytes): &Weighed) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.revisions.len() >= MOST_KEPT || kept.bytes + bytes > MOST_BYTES {
            *kept = Kept::default();
        }
        let before = kept.revisions.insert(revision.id, Arc::clone(revision));
        if before.is_none() {
            kept.bytes += bytes;
        }
    }

    fn recall(&self, id: RevisionId) -> Option<Arc<Revision>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.revisions.get(&id).cloned()
    }
}

fn missing() -> StoreError {
    StoreError::Damaged {
        table: "revisions",
        reason: "a revision that is pointed to is missing".into(),
    }
}

fn read(row: Option<&sqlx::any::AnyRow>) -> Result<Weighed> {
    let row = row.ok_or_else(missing)?;
    let columns = Columns::of(row, "revisions");
    let bytes = columns.text("tasks")?.len() + columns.text("notifications")?.len();
    let revision = Revision {
        id: RevisionId(columns.int("id")?),
        tasks: columns.json("tasks")?,
        notifications: columns.json("notifications")?,
    };
    Ok(Weighed(Arc::new(revision), bytes))
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
