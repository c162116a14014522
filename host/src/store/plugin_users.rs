//! What uses a plugin, and how a plugin that is about to be used is kept from being deleted.
//!
//! Whoever deletes a plugin locks its row, and then looks for its users. Whoever saves something that names one holds the
//! row until that is committed ([`hold_named`]). So either the one who deletes sees what was saved, or what is saved is
//! saved after the plugin was gone. The plugins' rows are locked after the orchestrations'.

use super::dialect::Dialect;
use super::rows::Columns;
use super::{Result, Tx};
use crate::domain::ids::{JobId, OrchestrationId, PluginId, ProjectId};
use crate::domain::notification::Notification;
use crate::domain::task::Task;
use std::collections::BTreeSet;

/// Most users of one kind that are told.
const MOST_NAMED: usize = 10;

/// What a plugin is used by, at most some of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginUse {
    pub components: Vec<String>,
    pub orchestrations: Vec<OrchestrationId>,
    pub jobs: Vec<JobId>,
}

impl PluginUse {
    pub(super) fn is_empty(&self) -> bool {
        self.components.is_empty() && self.orchestrations.is_empty() && self.jobs.is_empty()
    }
}

/// Everything that keeps a plugin, whose row is locked, from being deleted.
pub(super) async fn users_of(
    tx: &mut Tx,
    project: ProjectId,
    id: PluginId,
    name: &str,
) -> Result<PluginUse> {
    Ok(PluginUse {
        components: components_of(tx, project, name).await?,
        orchestrations: orchestrations_of(tx, project, name).await?,
        jobs: open_jobs_of(tx, project, id).await?,
    })
}

/// Keeps the project's own plugins that these tasks and notifications name, until the transaction ends.
pub(super) async fn hold_named(
    tx: &mut Tx,
    project: ProjectId,
    tasks: &[Task],
    notifications: &[Notification],
) -> Result<()> {
    let components = tasks.iter().filter_map(|task| task.component.as_deref());
    let plugins = notifications.iter().filter_map(|one| one.plugin.as_deref());
    hold(tx, project, &components.chain(plugins).collect()).await
}

/// Keeps those of the project's own plugins that have these names. Who deletes one is waited for.
pub(super) async fn hold(tx: &mut Tx, project: ProjectId, names: &BTreeSet<&str>) -> Result<()> {
    if Dialect::of(tx) == Dialect::Sqlite || names.is_empty() {
        return Ok(());
    }
    // Few: a project has at most a hundred.
    let rows = sqlx::query("SELECT id, name FROM plugins WHERE project_id = $1 ORDER BY id")
        .bind(project.0)
        .fetch_all(&mut *tx)
        .await?;
    for row in &rows {
        let columns = Columns::of(row, "plugins");
        if names.contains(columns.text("name")?.as_str()) {
            sqlx::query("SELECT id FROM plugins WHERE id = $1 FOR SHARE")
                .bind(columns.int("id")?)
                .fetch_all(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// Those whose present tasks or notifications name the plugin itself, rather than a component that is registered for it.
async fn orchestrations_of(
    tx: &mut Tx,
    project: ProjectId,
    plugin: &str,
) -> Result<Vec<OrchestrationId>> {
    // Where the name is an entry of the component registry, tasks mean that one.
    let entry = sqlx::query("SELECT name FROM components WHERE project_id = $1 AND name = $2")
        .bind(project.0)
        .bind(plugin)
        .fetch_optional(&mut *tx)
        .await?;
    // The name as it stands in JSON anywhere; which place it has is looked at below.
    let rows = sqlx::query(
        "SELECT o.id, r.tasks, r.notifications FROM orchestrations o JOIN revisions r ON r.id = o.revision_id \
         WHERE o.project_id = $1 AND o.deleted_at IS NULL AND (r.tasks LIKE $2 OR r.notifications LIKE $2) \
         ORDER BY o.id",
    )
    .bind(project.0)
    .bind(format!("%\"{plugin}\"%"))
    .fetch_all(tx)
    .await?;
    let mut found = Vec::new();
    for row in &rows {
        let columns = Columns::of(row, "revisions");
        let tasks: Vec<Task> = columns.json("tasks")?;
        let notifications: Vec<Notification> = columns.json("notifications")?;
        let is_task = |task: &Task| task.component.as_deref() == Some(plugin);
        let is_delivery = |one: &Notification| one.plugin.as_deref() == Some(plugin);
        if (entry.is_none() && tasks.iter().any(is_task)) || notifications.iter().any(is_delivery) {
            found.push(OrchestrationId(columns.int("id")?));
        }
        if found.len() == MOST_NAMED {
            break;
        }
    }
    Ok(found)
}

async fn components_of(tx: &mut Tx, project: ProjectId, plugin: &str) -> Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT name FROM components WHERE project_id = $1 AND plugin = $2 ORDER BY name LIMIT $3",
    )
    .bind(project.0)
    .bind(plugin)
    .bind(i64::try_from(MOST_NAMED).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| Columns::of(row, "components").text("name"))
        .collect()
}

/// Jobs with a task under way that began with a version of this plugin: it waits, or a host has it in hand.
async fn open_jobs_of(tx: &mut Tx, project: ProjectId, plugin: PluginId) -> Result<Vec<JobId>> {
    let rows = sqlx::query(
        "SELECT DISTINCT t.job_id AS job_id FROM task_runs t WHERE t.project_id = $1 \
         AND t.component_digest IN (SELECT digest FROM plugin_versions WHERE plugin_id = $2) \
         AND (t.wake_at IS NOT NULL OR t.host_id IS NOT NULL) ORDER BY job_id LIMIT $3",
    )
    .bind(project.0)
    .bind(plugin.0)
    .bind(i64::try_from(MOST_NAMED).unwrap_or(i64::MAX))
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| Ok(JobId(Columns::of(row, "task_runs").int("job_id")?)))
        .collect()
}
