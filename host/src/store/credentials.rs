//! Credentials: written by name, listed without their secrets. Sealed ones are opened by the room `tokens`.

use super::rows::{Columns, to_json};
use super::{Result, Store};
use crate::domain::audit::{Action, Change};
use crate::domain::credential::MOST_CREDENTIALS;
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use serde_json::json;
use sqlx::Executor;
use sqlx::any::{Any, AnyRow};

/// A credential without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCredential {
    pub name: String,
    /// `bearer`, `basic`, `header` or `hmac`.
    pub kind: String,
    pub hosts: Vec<String>,
    /// The user's or the header's name; empty where there is none.
    pub detail: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A credential to be kept.
#[derive(Clone, Debug)]
pub struct NewCredential {
    pub name: String,
    pub kind: &'static str,
    pub hosts: Vec<String>,
    pub detail: String,
    /// The encrypted secret.
    pub sealed: Vec<u8>,
}

/// A credential as the database keeps it, for use.
#[derive(Clone, Debug)]
pub struct SealedCredential {
    pub name: String,
    pub hosts: Vec<String>,
    pub sealed: Vec<u8>,
}

/// What became of a credential that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutCredential {
    Created(KeptCredential),
    Replaced(KeptCredential),
    /// The project has as many as it may.
    TooMany,
}

const COLUMNS: &str = "name, type, hosts, detail, created_at, updated_at";

impl Store {
    /// Keeps a credential under its name, in place of the one that is there.
    pub async fn put_credential(
        &self,
        project: ProjectId,
        new: NewCredential,
        now: Timestamp,
    ) -> Result<PutCredential> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let hosts = to_json("credentials", &new.hosts)?;
                let before = find(&mut *tx, project, &new.name).await?;
                let sql = format!(
                    "UPDATE credentials SET type = $3, hosts = $4, detail = $5, sealed = $6, updated_at = $7 \
                     WHERE project_id = $1 AND name = $2 RETURNING {COLUMNS}"
                );
                let replaced = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(project.0)
                    .bind(new.name.as_str())
                    .bind(new.kind)
                    .bind(hosts.as_str())
                    .bind(new.detail.as_str())
                    .bind(new.sealed.as_slice())
                    .bind(now.0)
                    .fetch_optional(&mut *tx)
                    .await?;
                if let Some(row) = replaced {
                    let kept = read(&row)?;
                    let change = change_of(Action::CredentialSave, before.as_ref(), Some(&kept));
                    store.note(tx, project, change, now).await?;
                    return Ok(PutCredential::Replaced(kept));
                }
                let row = sqlx::query("SELECT COUNT(*) AS kept FROM credentials WHERE project_id = $1")
                    .bind(project.0)
                    .fetch_one(&mut *tx)
                    .await?;
                if Columns::of(&row, "credentials").int("kept")? >= MOST_CREDENTIALS {
                    return Ok(PutCredential::TooMany);
                }
                // Where two requests make it at once, the second one replaces it.
                let sql = format!(
                    "INSERT INTO credentials (project_id, name, type, hosts, detail, sealed, created_at, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (project_id, name) DO UPDATE SET \
                     type = excluded.type, hosts = excluded.hosts, detail = excluded.detail, sealed = excluded.sealed, \
                     updated_at = excluded.updated_at RETURNING {COLUMNS}"
                );
                let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(project.0)
                    .bind(new.name)
                    .bind(new.kind)
                    .bind(hosts)
                    .bind(new.detail)
                    .bind(new.sealed)
                    .bind(now.0)
                    .fetch_one(&mut *tx)
                    .await?;
                let kept = read(&row)?;
                let change = change_of(Action::CredentialSave, None, Some(&kept));
                store.note(tx, project, change, now).await?;
                Ok(PutCredential::Created(kept))
            })
        })
        .await
    }

    /// By name.
    pub async fn list_credentials(&self, project: ProjectId) -> Result<Vec<KeptCredential>> {
        let sql = format!("SELECT {COLUMNS} FROM credentials WHERE project_id = $1 ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    pub async fn read_credential(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<KeptCredential>> {
        find(&self.read, project, name).await
    }

    /// With its sealed secret, for use.
    pub async fn read_sealed_credential(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<SealedCredential>> {
        let row = sqlx::query(
            "SELECT name, hosts, sealed FROM credentials WHERE project_id = $1 AND name = $2",
        )
        .bind(project.0)
        .bind(name)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            let columns = Columns::of(&row, "credentials");
            Ok(SealedCredential {
                name: columns.text("name")?,
                hosts: columns.json("hosts")?,
                sealed: columns.bytes("sealed")?,
            })
        })
        .transpose()
    }

    /// `false`: there is none of that name.
    pub async fn delete_credential(
        &self,
        project: ProjectId,
        name: String,
        now: Timestamp,
    ) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "DELETE FROM credentials WHERE project_id = $1 AND name = $2 RETURNING {COLUMNS}"
                );
                let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(project.0)
                    .bind(name)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(before) = row.as_ref().map(read).transpose()? else {
                    return Ok(false);
                };
                let change = change_of(Action::CredentialDelete, Some(&before), None);
                store.note(tx, project, change, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

async fn find(
    at: impl Executor<'_, Database = Any>,
    project: ProjectId,
    name: &str,
) -> Result<Option<KeptCredential>> {
    let sql = format!("SELECT {COLUMNS} FROM credentials WHERE project_id = $1 AND name = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(name)
        .fetch_optional(at)
        .await?;
    row.as_ref().map(read).transpose()
}

/// For the audit log, which has no more of a secret than others get to see.
fn change_of(
    action: Action,
    before: Option<&KeptCredential>,
    after: Option<&KeptCredential>,
) -> Change {
    let tell =
        |one: &KeptCredential| json!({"type": one.kind, "hosts": one.hosts, "detail": one.detail});
    let subject = before.or(after).map(|one| one.name.clone());
    Change {
        action,
        subject: subject.unwrap_or_default(),
        before: before.map(tell),
        after: after.map(tell),
    }
}

fn read(row: &AnyRow) -> Result<KeptCredential> {
    let columns = Columns::of(row, "credentials");
    Ok(KeptCredential {
        name: columns.text("name")?,
        kind: columns.text("type")?,
        hosts: columns.json("hosts")?,
        detail: columns.text("detail")?,
        created_at: columns.time("created_at")?,
        updated_at: columns.time("updated_at")?,
    })
}
