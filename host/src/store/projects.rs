//! Projects: the tenants.

use super::locks::lock_projects;
use super::rows::{Columns, storable};
use super::tokens::{NewToken, insert_token};
use super::{Result, Store, StoreError, Tx};
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;

/// A tenant.
#[derive(Clone, Debug)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
}

impl Store {
    /// Whether the installation has a project already.
    pub async fn has_projects(&self) -> Result<bool> {
        let row = sqlx::query("SELECT id FROM projects LIMIT 1")
            .fetch_optional(&self.read)
            .await?;
        Ok(row.is_some())
    }

    /// Adds a project with its master token.
    pub async fn create_project(
        &self,
        name: String,
        master: NewToken,
        now: Timestamp,
    ) -> Result<ProjectId> {
        self.write(move |tx| Box::pin(async move { insert_project(tx, &name, &master, now).await }))
            .await
    }

    /// Adds the installation's first project. `None`: it has one, perhaps since a moment ago by another host.
    pub async fn create_first_project(
        &self,
        name: String,
        master: NewToken,
        now: Timestamp,
    ) -> Result<Option<ProjectId>> {
        self.write(move |tx| {
            Box::pin(async move {
                lock_projects(tx).await?;
                let first = sqlx::query("SELECT id FROM projects LIMIT 1")
                    .fetch_optional(&mut *tx)
                    .await?;
                if first.is_some() {
                    return Ok(None);
                }
                insert_project(tx, &name, &master, now).await.map(Some)
            })
        })
        .await
    }

    /// The project of an owner at a Storage API, made on first sight.
    ///
    /// # Errors
    /// [`StoreError::ProjectClosed`] where it is disabled.
    pub async fn project_of_owner(
        &self,
        owner: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<ProjectId> {
        let found = sqlx::query(BY_OWNER)
            .bind(owner)
            .fetch_optional(&self.read)
            .await?;
        if let Some(row) = found {
            return open_project(&row);
        }
        let (owner, name) = (owner.to_owned(), storable(name));
        self.write(move |tx| {
            Box::pin(async move {
                // Two requests may be the first at once.
                sqlx::query(
                    "INSERT INTO projects (name, created_at, owner) VALUES ($1, $2, $3) \
                     ON CONFLICT (owner) WHERE owner IS NOT NULL DO NOTHING",
                )
                .bind(name)
                .bind(now.0)
                .bind(owner.as_str())
                .execute(&mut *tx)
                .await?;
                let row = sqlx::query(BY_OWNER).bind(owner).fetch_one(tx).await?;
                open_project(&row)
            })
        })
        .await
    }

    pub async fn read_project(&self, id: ProjectId) -> Result<Option<Project>> {
        let row = sqlx::query("SELECT id, name FROM projects WHERE id = $1")
            .bind(id.0)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            let columns = Columns::of(&row, "projects");
            Ok(Project {
                id: ProjectId(columns.int("id")?),
                name: columns.text("name")?,
            })
        })
        .transpose()
    }
}

const BY_OWNER: &str = "SELECT id, disabled_at FROM projects WHERE owner = $1";

fn open_project(row: &AnyRow) -> Result<ProjectId> {
    let columns = Columns::of(row, "projects");
    match columns.maybe_time("disabled_at")? {
        None => Ok(ProjectId(columns.int("id")?)),
        Some(_) => Err(StoreError::ProjectClosed),
    }
}

pub(super) async fn insert_project(
    tx: &mut Tx,
    name: &str,
    master: &NewToken,
    now: Timestamp,
) -> Result<ProjectId> {
    let row = sqlx::query("INSERT INTO projects (name, created_at) VALUES ($1, $2) RETURNING id")
        .bind(storable(name))
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
    let id = ProjectId(Columns::of(&row, "projects").int("id")?);
    insert_token(tx, id, master, now).await?;
    Ok(id)
}
