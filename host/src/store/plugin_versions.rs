//! Versions of plugins and their bytes: added, one of them made to serve, the idle ones dropped.
//!
//! Bytes are kept once, under their digest, whoever uploaded them, and go with the last version that has them. Those of
//! plugins that were built with a server stay: a task may have begun with them.

use super::plugins::{OPERATOR, lock_plugin};
use super::quotas::{count_plugins, lock_account};
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::audit::{Action, Change};
use crate::domain::ids::{PluginId, PluginVersionId, ProjectId};
use crate::domain::plugin::MOST_IDLE_VERSIONS;
use crate::domain::quota::Quota;
use crate::domain::time::Timestamp;
use serde_json::json;

/// A version to be added.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub project_id: ProjectId,
    pub name: String,
    pub kind: &'static str,
    pub version: String,
    pub digest: String,
    pub manifest: String,
    pub bytes: Vec<u8>,
    /// Whether new runs get it at once; decided for a plugin whose serving version was `seen`.
    pub serves: bool,
    pub seen: Option<PluginVersionId>,
}

/// What became of a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddedVersion {
    Added,
    /// The same bytes were there already under this version.
    Exists,
    /// Other bytes are there under this version.
    OtherContent,
    /// The plugin's serving version is no longer the one that was seen.
    Changed,
}

impl Store {
    /// Keeps a component that was built with the server, for tasks that outlive this version of it.
    pub async fn keep_builtin(
        &self,
        digest: String,
        bytes: &'static [u8],
        now: Timestamp,
    ) -> Result<()> {
        let kept =
            sqlx::query("SELECT digest FROM plugin_bytes WHERE digest = $1 AND is_builtin = 1")
                .bind(&digest)
                .fetch_optional(&self.read)
                .await?;
        if kept.is_some() {
            return Ok(());
        }
        self.write(move |tx| {
            Box::pin(async move {
                insert_bytes(tx, &digest, bytes, true, now).await?;
                sqlx::query("UPDATE plugin_bytes SET is_builtin = 1 WHERE digest = $1")
                    .bind(digest)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Adds a version of a plugin, and the plugin where it is the first one, while the project's quotas have room.
    pub async fn add_plugin_version(
        &self,
        new: NewVersion,
        now: Timestamp,
    ) -> Result<AddedVersion> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let added = add_version(&store, tx, &new, now).await?;
                if added == AddedVersion::Added {
                    let change = Change {
                        action: Action::PluginUpload,
                        subject: new.name.clone(),
                        before: None,
                        after: Some(json!({"version": new.version, "digest": new.digest, "serves": new.serves})),
                    };
                    store.note(tx, new.project_id, change, now).await?;
                }
                Ok(added)
            })
        })
        .await
    }
}

async fn add_version(
    store: &Store,
    tx: &mut Tx,
    new: &NewVersion,
    now: Timestamp,
) -> Result<AddedVersion> {
    // The operator has no quotas.
    let account = match new.project_id {
        OPERATOR => None,
        project => Some(lock_account(store, tx, project, now).await?),
    };
    let found = lock_plugin(tx, new.project_id, &new.name).await?;
    if let Some(id) = found {
        let same = sqlx::query(
            "SELECT id, digest FROM plugin_versions WHERE plugin_id = $1 AND version = $2",
        )
        .bind(id.0)
        .bind(&new.version)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(row) = same {
            let columns = Columns::of(&row, "plugin_versions");
            if columns.text("digest")? != new.digest {
                return Ok(AddedVersion::OtherContent);
            }
            // What the operator has now is what the operator wants now, also where it is what was there before.
            if new.project_id == OPERATOR {
                serve(tx, id, columns.int("id")?).await?;
            }
            return Ok(AddedVersion::Exists);
        }
    }
    let id = match found {
        Some(id) => id,
        None if new.seen.is_some() => return Ok(AddedVersion::Changed),
        None => {
            if let Some(account) = &account {
                account.check(Quota::Plugins)?;
            }
            match insert_plugin(tx, new, now).await? {
                Some(id) => id,
                None => return Ok(AddedVersion::Changed),
            }
        }
    };
    let row = sqlx::query("SELECT serving_id FROM plugins WHERE id = $1")
        .bind(id.0)
        .fetch_one(&mut *tx)
        .await?;
    let serving = Columns::of(&row, "plugins").maybe_int("serving_id")?;
    if serving != new.seen.map(|seen| seen.0) {
        return Ok(AddedVersion::Changed);
    }
    let size = i64::try_from(new.bytes.len()).unwrap_or(i64::MAX);
    if let Some(account) = &account {
        account.check(Quota::StorageBytes)?;
        count_plugins(tx, new.project_id, i64::from(found.is_none()), size).await?;
    }
    insert_bytes(tx, &new.digest, &new.bytes, false, now).await?;
    let row = sqlx::query(
        "INSERT INTO plugin_versions (plugin_id, version, digest, size_bytes, manifest, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
    )
    .bind(id.0)
    .bind(&new.version)
    .bind(&new.digest)
    .bind(size)
    .bind(&new.manifest)
    .bind(now.0)
    .fetch_one(&mut *tx)
    .await?;
    if new.serves {
        let version = Columns::of(&row, "plugin_versions").int("id")?;
        serve(tx, id, version).await?;
    }
    drop_idle_versions(tx, new.project_id, id).await?;
    Ok(AddedVersion::Added)
}

async fn serve(tx: &mut Tx, plugin: PluginId, version: i64) -> Result<()> {
    sqlx::query("UPDATE plugins SET serving_id = $2 WHERE id = $1")
        .bind(plugin.0)
        .bind(version)
        .execute(tx)
        .await?;
    Ok(())
}

/// `None`: it went again at once.
async fn insert_plugin(tx: &mut Tx, new: &NewVersion, now: Timestamp) -> Result<Option<PluginId>> {
    // Another host may have added it a moment ago: then its row is taken, and what was seen of it is compared below.
    sqlx::query(
        "INSERT INTO plugins (project_id, name, kind, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project_id, name) DO NOTHING",
    )
    .bind(new.project_id.0)
    .bind(&new.name)
    .bind(new.kind)
    .bind(now.0)
    .execute(&mut *tx)
    .await?;
    lock_plugin(tx, new.project_id, &new.name).await
}

async fn insert_bytes(
    tx: &mut Tx,
    digest: &str,
    bytes: &[u8],
    is_builtin: bool,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO plugin_bytes (digest, is_builtin, bytes, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (digest) DO NOTHING",
    )
    .bind(digest)
    .bind(i64::from(is_builtin))
    .bind(bytes)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes some versions of a project's plugins, whatever they serve; returns how many. For a project that is deleted.
pub(super) async fn drop_versions(tx: &mut Tx, project: ProjectId, most: i64) -> Result<usize> {
    let rows = sqlx::query(
        "SELECT v.id FROM plugin_versions v JOIN plugins p ON p.id = v.plugin_id WHERE p.project_id = $1 \
         ORDER BY v.id LIMIT $2",
    )
    .bind(project.0)
    .bind(most)
    .fetch_all(&mut *tx)
    .await?;
    for row in &rows {
        let version = Columns::of(row, "plugin_versions").int("id")?;
        drop_version(tx, project, PluginVersionId(version)).await?;
    }
    Ok(rows.len())
}

/// Versions beyond the newest few go, but for the one that serves and those that a task under way began with.
async fn drop_idle_versions(tx: &mut Tx, project: ProjectId, plugin: PluginId) -> Result<()> {
    let rows = sqlx::query(
        "SELECT v.id FROM plugin_versions v JOIN plugins p ON p.id = v.plugin_id WHERE p.id = $1 \
         AND (p.serving_id IS NULL OR v.id <> p.serving_id) AND NOT EXISTS (SELECT 1 FROM task_runs t \
         WHERE t.component_digest = v.digest AND ((t.project_id = p.project_id AND t.wake_at IS NOT NULL) \
         OR t.host_id IS NOT NULL)) ORDER BY v.id DESC",
    )
    .bind(plugin.0)
    .fetch_all(&mut *tx)
    .await?;
    for row in rows.iter().skip(MOST_IDLE_VERSIONS) {
        let version = Columns::of(row, "plugin_versions").int("id")?;
        drop_version(tx, project, PluginVersionId(version)).await?;
    }
    Ok(())
}

/// With its bytes, where no other version has the same. The project's account is locked.
pub(super) async fn drop_version(
    tx: &mut Tx,
    project: ProjectId,
    version: PluginVersionId,
) -> Result<()> {
    let row = sqlx::query("DELETE FROM plugin_versions WHERE id = $1 RETURNING digest, size_bytes")
        .bind(version.0)
        .fetch_one(&mut *tx)
        .await?;
    let size = Columns::of(&row, "plugin_versions").int("size_bytes")?;
    count_plugins(tx, project, 0, -size).await?;
    sqlx::query(
        "DELETE FROM plugin_bytes WHERE digest = $1 AND is_builtin = 0 \
         AND NOT EXISTS (SELECT 1 FROM plugin_versions WHERE digest = $1)",
    )
    .bind(Columns::of(&row, "plugin_versions").text("digest")?)
    .execute(tx)
    .await?;
    Ok(())
}
