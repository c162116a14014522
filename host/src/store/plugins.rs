//! Plugins that projects uploaded and that the operator shares: their versions, their bytes, and what they may use.
//!
//! What is the operator's has the project 0 here and is read by every project; a project's own plugin of the same name
//! comes first. Which version serves is decided by the caller, who can read manifests, and set only while that which
//! the caller saw is still true.

use super::dialect::{Dialect, Statement};
use super::plugin_users::{PluginUse, users_of};
use super::plugin_versions::drop_version;
use super::quotas::{count_plugins, lock_account};
use super::rows::{Columns, read_for_keys, to_json};
use super::{Result, Store, Tx};
use crate::domain::audit::{Action, Change};
use crate::domain::ids::{PluginId, PluginVersionId, ProjectId};
use crate::domain::plugin::Grant;
use crate::domain::time::Timestamp;
use serde_json::{Value, json};
use sqlx::any::AnyRow;

/// The operator, where a project's id would stand.
pub const OPERATOR: ProjectId = ProjectId(0);

/// A plugin with all its versions, newest first.
#[derive(Clone, Debug)]
pub struct StoredPlugin {
    pub id: PluginId,
    /// The project's own id, or [`OPERATOR`].
    pub project_id: ProjectId,
    /// The id in its manifest.
    pub name: String,
    pub created_at: Timestamp,
    /// `None` where nothing was granted yet, and for the operator's, which may use all that they ask for.
    pub granted: Option<Grant>,
    pub serving: Option<PluginVersionId>,
    pub versions: Vec<StoredVersion>,
}

/// One version of a plugin, without its bytes.
#[derive(Clone, Debug)]
pub struct StoredVersion {
    pub id: PluginVersionId,
    pub version: String,
    /// SHA-256 in hexadecimal digits.
    pub digest: String,
    pub size_bytes: u64,
    /// JSON, as the component carries it.
    pub manifest: String,
    pub created_at: Timestamp,
}

impl StoredPlugin {
    /// The version that new runs get.
    #[must_use]
    pub fn serving(&self) -> Option<&StoredVersion> {
        let serving = self.serving?;
        self.versions.iter().find(|version| version.id == serving)
    }
}

/// What new runs of a plugin get.
#[derive(Clone, Debug)]
pub struct ServingPlugin {
    pub project_id: ProjectId,
    pub name: String,
    pub granted: Option<Grant>,
    /// `None` while it waits for a grant.
    pub digest: Option<String>,
}

/// Whom a digest belongs to, as far as a project can see.
#[derive(Clone, Debug)]
pub enum Pinned {
    /// Built with this or an earlier version of the server.
    BuiltIn,
    /// The operator's.
    Shared,
    /// The project's own.
    Own(Option<Grant>),
}

/// What became of the wish to delete a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedPlugin {
    Done,
    NotFound,
    InUse(PluginUse),
}

const PLUGIN_COLUMNS: &str = "id, project_id, name, created_at, granted, serving_id";

impl Store {
    /// The project's own and the operator's, by name, the project's own first.
    pub async fn list_plugins(&self, project: ProjectId) -> Result<Vec<StoredPlugin>> {
        let sql = format!(
            "SELECT {PLUGIN_COLUMNS} FROM plugins WHERE project_id IN ($1, 0) ORDER BY name, project_id DESC"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        let mut plugins = Vec::with_capacity(rows.len());
        for row in &rows {
            plugins.push(self.complete_plugin(row).await?);
        }
        Ok(plugins)
    }

    /// The project's own plugin of that name, else the operator's.
    pub async fn read_plugin(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<StoredPlugin>> {
        let sql = format!(
            "SELECT {PLUGIN_COLUMNS} FROM plugins WHERE name = $2 AND project_id IN ($1, 0) \
             ORDER BY project_id DESC LIMIT 1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        match row {
            Some(row) => self.complete_plugin(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// What new runs of the plugin of that name and kind get: the project's own, else the operator's.
    pub async fn find_plugin(
        &self,
        project: ProjectId,
        name: &str,
        kind: &'static str,
    ) -> Result<Option<ServingPlugin>> {
        let key = (project, name.to_owned(), kind);
        self.looked_up.serving_plugins.read(self, key).await
    }

    /// Whom a digest that a run has pinned belongs to; `None`: nobody that this project can see.
    pub async fn find_pinned(&self, project: ProjectId, digest: &str) -> Result<Option<Pinned>> {
        let row = sqlx::query(
            "SELECT p.project_id, p.granted FROM plugin_versions v JOIN plugins p ON p.id = v.plugin_id \
             WHERE v.digest = $2 AND p.project_id IN ($1, 0) ORDER BY p.project_id DESC LIMIT 1",
        )
        .bind(project.0)
        .bind(digest)
        .fetch_optional(&self.read)
        .await?;
        if let Some(row) = row {
            let columns = Columns::of(&row, "plugins");
            return Ok(Some(if columns.int("project_id")? == OPERATOR.0 {
                Pinned::Shared
            } else {
                Pinned::Own(columns.maybe_json("granted")?)
            }));
        }
        let builtin =
            sqlx::query("SELECT digest FROM plugin_bytes WHERE digest = $1 AND is_builtin = 1")
                .bind(digest)
                .fetch_optional(&self.read)
                .await?;
        Ok(builtin.map(|_| Pinned::BuiltIn))
    }

    /// Whether a component is kept: some version has it, or it was built with a server.
    pub async fn has_plugin_bytes(&self, digest: &str) -> Result<bool> {
        let row = sqlx::query("SELECT digest FROM plugin_bytes WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.read)
            .await?;
        Ok(row.is_some())
    }

    /// A component's bytes. Large.
    pub async fn read_plugin_bytes(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        let row = sqlx::query("SELECT bytes FROM plugin_bytes WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| Columns::of(&row, "plugin_bytes").bytes("bytes"))
            .transpose()
    }

    /// Lets a plugin use what `grant` says, and its version `version` serve new runs. `false`: the project has no such
    /// plugin, or that is no longer its newest version.
    pub async fn grant_plugin(
        &self,
        project: ProjectId,
        name: String,
        grant: Grant,
        version: PluginVersionId,
        now: Timestamp,
    ) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                lock_plugin(tx, project, &name).await?;
                let before = granted_to(tx, project, &name).await?;
                let granted = sqlx::query(
                    "UPDATE plugins SET granted = $3, serving_id = $4 WHERE project_id = $1 AND name = $2 \
                     AND $4 = (SELECT MAX(v.id) FROM plugin_versions v WHERE v.plugin_id = plugins.id)",
                )
                .bind(project.0)
                .bind(&name)
                .bind(to_json("plugins", &grant)?)
                .bind(version.0)
                .execute(&mut *tx)
                .await?;
                if granted.rows_affected() == 0 {
                    return Ok(false);
                }
                let change = Change {
                    action: Action::PluginGrant,
                    after: granted_to(tx, project, &name).await?,
                    subject: name,
                    before,
                };
                store.note(tx, project, change, now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Deletes a plugin of the project with all its versions, unless something uses it.
    pub async fn delete_plugin(
        &self,
        project: ProjectId,
        name: String,
        now: Timestamp,
    ) -> Result<DeletedPlugin> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                lock_account(&store, tx, project, now).await?;
                let Some(id) = lock_plugin(tx, project, &name).await? else {
                    return Ok(DeletedPlugin::NotFound);
                };
                let users = users_of(tx, project, id, &name).await?;
                if !users.is_empty() {
                    return Ok(DeletedPlugin::InUse(users));
                }
                let versions = sqlx::query("SELECT id FROM plugin_versions WHERE plugin_id = $1")
                    .bind(id.0)
                    .fetch_all(&mut *tx)
                    .await?;
                for row in &versions {
                    let version = Columns::of(row, "plugin_versions").int("id")?;
                    drop_version(tx, project, PluginVersionId(version)).await?;
                }
                sqlx::query("DELETE FROM plugins WHERE id = $1")
                    .bind(id.0)
                    .execute(&mut *tx)
                    .await?;
                count_plugins(tx, project, -1, 0).await?;
                let change = Change {
                    action: Action::PluginDelete,
                    subject: name,
                    before: None,
                    after: None,
                };
                store.note(tx, project, change, now).await?;
                Ok(DeletedPlugin::Done)
            })
        })
        .await
    }

    async fn complete_plugin(&self, row: &AnyRow) -> Result<StoredPlugin> {
        let columns = Columns::of(row, "plugins");
        let id = PluginId(columns.int("id")?);
        let rows = sqlx::query(
            "SELECT id, version, digest, size_bytes, manifest, created_at FROM plugin_versions \
             WHERE plugin_id = $1 ORDER BY id DESC",
        )
        .bind(id.0)
        .fetch_all(&self.read)
        .await?;
        Ok(StoredPlugin {
            id,
            project_id: ProjectId(columns.int("project_id")?),
            name: columns.text("name")?,
            created_at: columns.time("created_at")?,
            granted: columns.maybe_json("granted")?,
            serving: columns.maybe_int("serving_id")?.map(PluginVersionId),
            versions: rows.iter().map(read_version).collect::<Result<_>>()?,
        })
    }
}

static FIND_PLUGINS: Statement = Statement::new(|dialect| {
    let rows = dialect.rows("$1", &["place", "project"], &["wanted", "wanted_kind"]);
    // The project's own come first, and the first one counts.
    format!(
        "SELECT d.place AS place, p.project_id, p.name, p.granted, v.digest FROM {rows} d \
         JOIN plugins p ON p.name = d.wanted AND p.kind = d.wanted_kind AND p.project_id IN (d.project, 0) \
         LEFT JOIN plugin_versions v ON v.id = p.serving_id ORDER BY p.project_id DESC"
    )
});

/// [`Store::find_plugin`] for many.
pub(super) async fn find_plugins(
    store: &Store,
    keys: &[(ProjectId, String, &'static str)],
) -> Result<Vec<Result<Option<ServingPlugin>>>> {
    let bound = keys.iter().enumerate();
    let bound: Vec<_> = bound
        .map(|(place, (project, name, kind))| (place, project.0, name, kind))
        .collect();
    read_for_keys(store, "plugins", &FIND_PLUGINS, &bound, |row| {
        let columns = Columns::of(&row, "plugins");
        Ok(ServingPlugin {
            project_id: ProjectId(columns.int("project_id")?),
            name: columns.text("name")?,
            granted: columns.maybe_json("granted")?,
            digest: columns.maybe_text("digest")?,
        })
    })
    .await
}

fn read_version(row: &AnyRow) -> Result<StoredVersion> {
    let columns = Columns::of(row, "plugin_versions");
    Ok(StoredVersion {
        id: PluginVersionId(columns.int("id")?),
        version: columns.text("version")?,
        digest: columns.text("digest")?,
        size_bytes: columns.count("size_bytes")?,
        manifest: columns.text("manifest")?,
        created_at: columns.time("created_at")?,
    })
}

/// The project's own plugin of that name, locked for a change.
pub(super) async fn lock_plugin(
    tx: &mut Tx,
    project: ProjectId,
    name: &str,
) -> Result<Option<PluginId>> {
    let lock = Dialect::of(tx).lock("p");
    let sql = format!("SELECT p.id FROM plugins p WHERE p.project_id = $1 AND p.name = $2{lock}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .bind(name)
        .fetch_optional(tx)
        .await?;
    row.map(|row| Ok(PluginId(Columns::of(&row, "plugins").int("id")?)))
        .transpose()
}

/// For the audit log: the version that serves, and what it may use.
async fn granted_to(tx: &mut Tx, project: ProjectId, name: &str) -> Result<Option<Value>> {
    let row = sqlx::query(
        "SELECT p.granted, v.version FROM plugins p LEFT JOIN plugin_versions v ON v.id = p.serving_id \
         WHERE p.project_id = $1 AND p.name = $2",
    )
    .bind(project.0)
    .bind(name)
    .fetch_optional(tx)
    .await?;
    row.map(|row| {
        let columns = Columns::of(&row, "plugins");
        let grant: Option<Value> = columns.maybe_json("granted")?;
        Ok(json!({"version": columns.maybe_text("version")?, "granted": grant}))
    })
    .transpose()
}
