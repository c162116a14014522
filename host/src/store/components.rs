//! The component registry of a project: what its tasks mean by a component's name.

use super::dialect::Statement;
use super::plugin_users::hold;
use super::rows::{Columns, read_for_keys, to_json};
use super::{Result, Store};
use crate::domain::audit::{Action, Change};
use crate::domain::ids::ProjectId;
use crate::domain::plugin::{Component, MOST_COMPONENTS};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::Executor;
use sqlx::any::{Any, AnyRow};
use std::collections::BTreeSet;

/// An entry to be kept under its name, in place of what is there.
#[derive(Clone, Debug)]
pub struct NewComponent {
    pub name: String,
    pub plugin: String,
    pub config: Map<String, Value>,
    pub url: Option<String>,
}

const COLUMNS: &str = "name, plugin, config, url, created_at, updated_at";

impl Store {
    /// By name.
    pub async fn list_components(&self, project: ProjectId) -> Result<Vec<Component>> {
        let sql = format!("SELECT {COLUMNS} FROM components WHERE project_id = $1 ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    pub async fn read_component(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<Component>> {
        let key = (project, name.to_owned());
        self.looked_up.components.read(self, key).await
    }

    /// Keeps an entry. `None`: the project has as many as it may.
    pub async fn save_component(
        &self,
        project: ProjectId,
        new: NewComponent,
        now: Timestamp,
    ) -> Result<Option<Component>> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                hold(tx, project, &BTreeSet::from([new.plugin.as_str()])).await?;
                let row = sqlx::query(
                    "SELECT COUNT(*) AS components FROM components WHERE project_id = $1 AND name <> $2",
                )
                .bind(project.0)
                .bind(&new.name)
                .fetch_one(&mut *tx)
                .await?;
                let others: usize = Columns::of(&row, "components").count("components")?;
                if others >= MOST_COMPONENTS {
                    return Ok(None);
                }
                let before = find(&mut *tx, project, &new.name).await?;
                let sql = format!(
                    "INSERT INTO components (project_id, name, plugin, config, url, created_at, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (project_id, name) DO UPDATE SET \
                     plugin = $3, config = $4, url = $5, updated_at = $6 RETURNING {COLUMNS}"
                );
                let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(project.0)
                    .bind(new.name)
                    .bind(new.plugin)
                    .bind(to_json("components", &new.config)?)
                    .bind(new.url)
                    .bind(now.0)
                    .fetch_one(&mut *tx)
                    .await?;
                let saved = read(&row)?;
                let change = change_of(Action::ComponentSave, before.as_ref(), Some(&saved));
                store.note(tx, project, change, now).await?;
                Ok(Some(saved))
            })
        })
        .await
    }

    /// `false`: there is none of that name.
    pub async fn delete_component(
        &self,
        project: ProjectId,
        name: String,
        now: Timestamp,
    ) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "DELETE FROM components WHERE project_id = $1 AND name = $2 RETURNING {COLUMNS}"
                );
                let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(project.0)
                    .bind(name)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(before) = row.as_ref().map(read).transpose()? else {
                    return Ok(false);
                };
                let change = change_of(Action::ComponentDelete, Some(&before), None);
                store.note(tx, project, change, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

static READ_COMPONENTS: Statement = Statement::new(|dialect| {
    let rows = dialect.rows("$1", &["place", "project"], &["wanted"]);
    format!(
        "SELECT d.place AS place, {COLUMNS} FROM {rows} d JOIN components ON project_id = d.project AND name = d.wanted"
    )
});

/// [`Store::read_component`] for many.
pub(super) async fn read_components(
    store: &Store,
    keys: &[(ProjectId, String)],
) -> Result<Vec<Result<Option<Component>>>> {
    let bound = keys.iter().enumerate();
    let bound: Vec<_> = bound
        .map(|(place, (project, name))| (place, project.0, name))
        .collect();
    read_for_keys(store, "components", &READ_COMPONENTS, &bound, |row| {
        read(&row)
    })
    .await
}

async fn find(
    at: impl Executor<'_, Database = Any>,
    project: ProjectId,
    name: &str,
) -> Result<Option<Component>> {
    let sql = format!("SELECT {COLUMNS} FROM components WHERE project_id = $1 AND name = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(name)
        .fetch_optional(at)
        .await?;
    row.as_ref().map(read).transpose()
}

/// For the audit log.
fn change_of(action: Action, before: Option<&Component>, after: Option<&Component>) -> Change {
    let tell =
        |one: &Component| json!({"plugin": one.plugin, "config": one.config, "url": one.url});
    let subject = before.or(after).map(|one| one.name.clone());
    Change {
        action,
        subject: subject.unwrap_or_default(),
        before: before.map(tell),
        after: after.map(tell),
    }
}

fn read(row: &AnyRow) -> Result<Component> {
    let columns = Columns::of(row, "components");
    Ok(Component {
        name: columns.text("name")?,
        plugin: columns.text("plugin")?,
        config: columns.json("config")?,
        url: columns.maybe_text("url")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
    })
}
