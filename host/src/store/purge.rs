//! What is left to be done about projects in the background: schedules that go on, and the removal of deleted projects.
//!
//! Each call is one transaction of a bounded size, and many hosts may call at once. Of a deleted project nothing is
//! claimed any more; steps that run are let end, and what waits is removed as it is. Jobs, their runs, ticks,
//! deliveries, keys and tokens go; of orchestrations, their revisions and the project itself blank rows stay, because ids
//! are never given again.

use super::locks::lock_orchestration;
use super::plugin_versions::drop_versions;
use super::rows::Columns;
use super::ticks::close_ledger;
use super::{Result, Store, Tx};
use crate::domain::ids::{OrchestrationId, ProjectId};
use crate::domain::orchestration::next_scheduled_at;
use crate::domain::time::Timestamp;

/// Most jobs that are removed at once, with their runs and deliveries.
const MOST_JOBS: i64 = 100;
/// Most other rows of one table that are removed or changed at once.
const MOST_ROWS: i64 = 500;

/// Something to be done about a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Its schedules go on: it was disabled.
    Resume(ProjectId),
    /// Everything of it goes: it was deleted.
    Purge(ProjectId),
}

/// How far a purge has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// There is more to remove.
    Some,
    /// A step or delivery of it has to end first.
    Waits,
    All,
}

impl Store {
    /// By ascending id of the project.
    pub async fn list_chores(&self) -> Result<Vec<Chore>> {
        let rows =
            sqlx::query("SELECT id, chore FROM projects WHERE chore IS NOT NULL ORDER BY id")
                .fetch_all(&self.read)
                .await?;
        let chore = |row| {
            let columns = Columns::of(row, "projects");
            let id = ProjectId(columns.int("id")?);
            match columns.text("chore")?.as_str() {
                "resume" => Ok(Chore::Resume(id)),
                "purge" => Ok(Chore::Purge(id)),
                other => Err(columns.damaged(format!("unknown chore {other:?}"))),
            }
        };
        rows.iter().map(chore).collect()
    }

    /// Lets schedules go on that were held while their project was disabled; what was due meanwhile is recorded as
    /// paused. `true`: there are more.
    pub async fn resume_schedules(&self, project: ProjectId, now: Timestamp) -> Result<bool> {
        let rows = sqlx::query(
            "SELECT id FROM orchestrations WHERE project_id = $1 AND active = 1 AND paused_at IS NOT NULL \
             ORDER BY id LIMIT $2",
        )
        .bind(project.0)
        .bind(MOST_ROWS)
        .fetch_all(&self.read)
        .await?;
        let mut held = Vec::with_capacity(rows.len());
        for row in &rows {
            held.push(OrchestrationId(
                Columns::of(row, "orchestrations").int("id")?,
            ));
        }
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                for id in &held {
                    resume(&store, tx, project, *id, now).await?;
                }
                if held.is_empty() {
                    sqlx::query(
                        "UPDATE projects SET chore = NULL WHERE id = $1 AND chore = 'resume'",
                    )
                    .bind(project.0)
                    .execute(tx)
                    .await?;
                }
                Ok(!held.is_empty())
            })
        })
        .await
    }

    /// Removes some of what a deleted project has left.
    pub async fn purge_project(&self, project: ProjectId, now: Timestamp) -> Result<Purged> {
        self.write(move |tx| Box::pin(async move { purge(tx, project, now).await }))
            .await
    }
}

async fn resume(
    store: &Store,
    tx: &mut Tx,
    project: ProjectId,
    id: OrchestrationId,
    now: Timestamp,
) -> Result<()> {
    lock_orchestration(tx, project, id).await?;
    let open = sqlx::query("SELECT id FROM projects WHERE id = $1 AND disabled_at IS NULL")
        .bind(project.0)
        .fetch_optional(&mut *tx)
        .await?;
    let found = store.find(tx, project, id).await?;
    // Changed, or disabled once more, since it was listed.
    let (Some(_), Some(held)) = (open, found) else {
        return Ok(());
    };
    if !held.active || held.paused_at.is_none() {
        return Ok(());
    }
    close_ledger(tx, &held, now).await?;
    let next = next_scheduled_at(held.crontab_record.as_deref(), true, now);
    sqlx::query(
        "UPDATE orchestrations SET paused_at = NULL, next_scheduled_at = $3 WHERE id = $1 AND project_id = $2",
    )
    .bind(id.0)
    .bind(project.0)
    .bind(next.map(|time| time.0))
    .execute(tx)
    .await?;
    Ok(())
}

/// One orchestration after another, and at the end what belongs to the project itself.
async fn purge(tx: &mut Tx, project: ProjectId, now: Timestamp) -> Result<Purged> {
    // Projects before orchestrations, as everybody; and one host at a time.
    let mine = sqlx::query("UPDATE projects SET chore = chore WHERE id = $1 AND chore = 'purge'")
        .bind(project.0)
        .execute(&mut *tx)
        .await?;
    if mine.rows_affected() == 0 {
        return Ok(Purged::All);
    }
    let next = sqlx::query(
        "SELECT o.id AS id FROM orchestrations o JOIN projects p ON p.id = o.project_id \
         WHERE o.project_id = $1 AND o.id > p.purged_to ORDER BY o.id LIMIT 1",
    )
    .bind(project.0)
    .fetch_optional(&mut *tx)
    .await?;
    match next {
        Some(row) => {
            let id = OrchestrationId(Columns::of(&row, "orchestrations").int("id")?);
            purge_orchestration(tx, project, id, now).await
        }
        None => purge_rest(tx, project).await,
    }
}

async fn purge_orchestration(
    tx: &mut Tx,
    project: ProjectId,
    id: OrchestrationId,
    now: Timestamp,
) -> Result<Purged> {
    // Under its lock, and gone for whoever would add a job to it.
    lock_orchestration(tx, project, id).await?;
    let gone = "UPDATE orchestrations SET name = '', crontab_record = NULL, active = 0, token_description = '', \
        paused_at = NULL, next_scheduled_at = NULL, last_executed_job_id = NULL, job_count = 0, \
        deleted_at = COALESCE(deleted_at, $2) WHERE id = $1";
    sqlx::query(gone)
        .bind(id.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    let rows = sqlx::query(
        "SELECT j.id AS id FROM jobs j WHERE j.orchestration_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM task_runs t WHERE t.job_id = j.id AND t.host_id IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.job_id = j.id AND d.host_id IS NOT NULL) \
         ORDER BY j.id LIMIT $2",
    )
    .bind(id.0)
    .bind(MOST_JOBS)
    .fetch_all(&mut *tx)
    .await?;
    if !rows.is_empty() {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            jobs.push(Columns::of(row, "jobs").int("id")?);
        }
        remove_jobs(tx, &jobs).await?;
        return Ok(Purged::Some);
    }
    let busy = sqlx::query("SELECT id FROM jobs WHERE orchestration_id = $1 LIMIT 1")
        .bind(id.0)
        .fetch_optional(&mut *tx)
        .await?;
    if busy.is_some() {
        return Ok(Purged::Waits);
    }
    let ticks =
        "DELETE FROM ticks WHERE id IN (SELECT id FROM ticks WHERE orchestration_id = $1 LIMIT $2)";
    let revisions = "UPDATE revisions SET tasks = '[]', notifications = '[]' WHERE id IN (SELECT id FROM revisions \
        WHERE orchestration_id = $1 AND (tasks <> '[]' OR notifications <> '[]') LIMIT $2)";
    for sql in [ticks, revisions] {
        let changed = sqlx::query(sql)
            .bind(id.0)
            .bind(MOST_ROWS)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() > 0 {
            return Ok(Purged::Some);
        }
    }
    sqlx::query("UPDATE projects SET purged_to = $2 WHERE id = $1")
        .bind(project.0)
        .bind(id.0)
        .execute(tx)
        .await?;
    Ok(Purged::Some)
}

async fn remove_jobs(tx: &mut Tx, jobs: &[i64]) -> Result<()> {
    for job in jobs {
        for sql in [
            "DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE job_id = $1)",
            "DELETE FROM deliveries WHERE job_id = $1",
            "DELETE FROM task_runs WHERE job_id = $1",
            "DELETE FROM job_events WHERE job_id = $1",
            "DELETE FROM jobs WHERE id = $1",
        ] {
            sqlx::query(sql).bind(job).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

/// Versions of plugins that go at once: each has a component of some megabytes.
const MOST_VERSIONS: i64 = 20;

/// Statements that remove what belongs to the project itself, some rows at a time.
const REST: &[&str] = &[
    "DELETE FROM idempotency_keys WHERE (project_id, idempotency_key) IN \
     (SELECT project_id, idempotency_key FROM idempotency_keys WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM credentials WHERE (project_id, name) IN \
     (SELECT project_id, name FROM credentials WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM components WHERE id IN (SELECT id FROM components WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM plugins WHERE id IN (SELECT id FROM plugins WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE project_id = $1 LIMIT $2)",
    "DELETE FROM tokens WHERE id IN (SELECT id FROM tokens WHERE project_id = $1 LIMIT $2)",
];

async fn purge_rest(tx: &mut Tx, project: ProjectId) -> Result<Purged> {
    if drop_versions(tx, project, MOST_VERSIONS).await? > 0 {
        return Ok(Purged::Some);
    }
    for sql in REST {
        let removed = sqlx::query(*sql)
            .bind(project.0)
            .bind(MOST_ROWS)
            .execute(&mut *tx)
            .await?;
        if removed.rows_affected() > 0 {
            return Ok(Purged::Some);
        }
    }
    sqlx::query(
        "UPDATE projects SET chore = NULL, name = '', own_limits = '{}', orchestration_count = 0, storage_bytes = 0, \
         jobs_today = 0, skipped_today = 0, cpu_micros_today = 0 WHERE id = $1",
    )
    .bind(project.0)
    .execute(tx)
    .await?;
    Ok(Purged::All)
}
