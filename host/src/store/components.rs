//! The component registry of a project: what its tasks mean by a component's name.

use super::plugin_users::hold;
use super::rows::{Columns, to_json};
use super::{Result, Store};
use crate::domain::ids::ProjectId;
use crate::domain::plugin::{Component, MOST_COMPONENTS};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
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
        let sql = format!("SELECT {COLUMNS} FROM components WHERE project_id = $1 AND name = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Keeps an entry. `None`: the project has as many as it may.
    pub async fn save_component(
        &self,
        project: ProjectId,
        new: NewComponent,
        now: Timestamp,
    ) -> Result<Option<Component>> {
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
                    .fetch_one(tx)
                    .await?;
                read(&row).map(Some)
            })
        })
        .await
    }

    /// `false`: there is none of that name.
    pub async fn delete_component(&self, project: ProjectId, name: String) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let deleted =
                    sqlx::query("DELETE FROM components WHERE project_id = $1 AND name = $2")
                        .bind(project.0)
                        .bind(name)
                        .execute(tx)
                        .await?;
                Ok(deleted.rows_affected() == 1)
            })
        })
        .await
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
