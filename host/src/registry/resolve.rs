//! From a name to the plugin that answers to it in a project.
//!
//! A task's component is, in this order: an entry of the project's component registry; a task plugin of that id that the
//! project sees; else a component at the default address, which `http-component` calls. A run that has begun keeps the
//! version that it began with, while its grant and its configuration are those of now.

use super::Registry;
use crate::domain::ids::ProjectId;
use crate::domain::plugin::{Component, Grant};
use crate::domain::step::{Failure, FailureKind};
use crate::plugins::{Kind, Plugin, PluginError};
use crate::store::{OPERATOR, Pinned, ServingPlugin, StoreError};
use serde_json::Value;

/// What runs a task.
#[derive(Clone, Debug)]
pub struct TaskType {
    /// With the rights that the project gives it.
    pub plugin: Plugin,
    /// JSON object.
    pub config: String,
    /// The base address of this component, where the project has set one.
    pub components_url: Option<String>,
}

/// Why there is no plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Somebody has to do something about it.
    #[error(transparent)]
    Failed(Failure),
    /// Another attempt could help.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for Unresolved {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Closing => {
                Self::Unavailable(error.to_string())
            }
            error => {
                tracing::error!(%error, "a plugin cannot be read");
                failed("PLUGIN_UNUSABLE", "the plugin cannot be read".to_owned())
            }
        }
    }
}

impl Registry {
    /// What runs tasks of this component (`None`: of a `componentUrl`). `pinned` is the digest that a run began with.
    ///
    /// # Errors
    /// The plugin is missing, waits for a grant, or cannot be had at the moment.
    pub async fn task_type(
        &self,
        project: ProjectId,
        component: Option<&str>,
        pinned: Option<&str>,
    ) -> Result<TaskType, Unresolved> {
        let entry = match component {
            Some(name) => self.store.read_component(project, name).await?,
            None => None,
        };
        let plugin = match (pinned, component, &entry) {
            (Some(digest), ..) => self.pinned(project, digest).await?,
            (None, _, Some(entry)) => {
                let plugin = self.find(project, &entry.plugin, Kind::Task).await?;
                plugin.ok_or_else(|| no_such_plugin(entry))?
            }
            (None, Some(name), None) => {
                let plugin = self.find(project, name, Kind::Task).await?;
                plugin.unwrap_or_else(|| self.plugins.http_component())
            }
            (None, None, None) => self.plugins.http_component(),
        };
        // The entry may have been given to another plugin since the run began.
        let entry = entry.filter(|entry| entry.plugin == plugin.id());
        let (config, components_url) = match entry {
            Some(entry) => (Value::Object(entry.config).to_string(), entry.url),
            None => ("{}".to_owned(), None),
        };
        Ok(TaskType {
            plugin,
            config,
            components_url,
        })
    }

    /// The delivery plugin of that id, with the rights that the project gives it; `None`: the project sees none.
    ///
    /// # Errors
    /// It waits for a grant, or cannot be had at the moment.
    pub async fn delivery(
        &self,
        project: ProjectId,
        id: &str,
    ) -> Result<Option<Plugin>, Unresolved> {
        self.find(project, id, Kind::Delivery).await
    }

    /// The plugin of that id and kind that new runs of the project get.
    pub(super) async fn find(
        &self,
        project: ProjectId,
        id: &str,
        kind: Kind,
    ) -> Result<Option<Plugin>, Unresolved> {
        match self.store.find_plugin(project, id, kind.as_str()).await? {
            Some(found) => self.usable(found).await.map(Some),
            None => {
                let builtin = self.plugins.builtin(id);
                Ok(builtin.filter(|plugin| plugin.manifest().kind == kind))
            }
        }
    }

    async fn usable(&self, found: ServingPlugin) -> Result<Plugin, Unresolved> {
        let Some(digest) = found.digest else {
            let name = &found.name;
            let message = format!(
                "plugin {name} waits for a grant: GET /plugins/{name} shows what it asks for, and PUT /plugins/{name}/grant \
                 allows it"
            );
            return Err(failed("PLUGIN_AWAITS_GRANT", message));
        };
        let plugin = self.load(&digest).await?;
        Ok(if found.project_id == OPERATOR {
            plugin
        } else {
            with_grant(&plugin, found.granted)
        })
    }

    /// The version that a run began with. What was granted may have changed since then, and counts.
    async fn pinned(&self, project: ProjectId, digest: &str) -> Result<Plugin, Unresolved> {
        if self.plugins.is_builtin(digest)
            && let Some(plugin) = self.plugins.plugin(digest)
        {
            return Ok(plugin);
        }
        match self.store.find_pinned(project, digest).await? {
            Some(Pinned::BuiltIn | Pinned::Shared) => self.load(digest).await,
            Some(Pinned::Own(grant)) => {
                let plugin = self.load(digest).await?;
                Ok(with_grant(&plugin, grant))
            }
            None => Err(gone()),
        }
    }

    /// With all that it asks for, from this process, the cache or the database.
    async fn load(&self, digest: &str) -> Result<Plugin, Unresolved> {
        if let Some(plugin) = self.plugins.plugin(digest) {
            return Ok(plugin);
        }
        let bytes = self.store.read_plugin_bytes(digest).await?;
        match self.plugins.add_upload(bytes.ok_or_else(gone)?).await {
            Ok(plugin) => Ok(plugin),
            Err(PluginError::Compiler(why)) => {
                tracing::error!(digest, why, "a plugin cannot be compiled");
                Err(Unresolved::Unavailable(
                    "the plugin cannot be compiled at the moment".to_owned(),
                ))
            }
            Err(error) => Err(failed("PLUGIN_UNUSABLE", error.to_string())),
        }
    }
}

/// Nothing granted is nothing allowed, and that is enough for a plugin that asks for nothing.
fn with_grant(plugin: &Plugin, grant: Option<Grant>) -> Plugin {
    plugin.with_grant(&grant.unwrap_or_default())
}

fn failed(code: &str, message: String) -> Unresolved {
    Unresolved::Failed(Failure::new(FailureKind::Config, code, message))
}

fn gone() -> Unresolved {
    let message = "the plugin version that this task began with is no longer installed";
    Unresolved::Failed(Failure::new(FailureKind::Internal, "PLUGIN_GONE", message))
}

fn no_such_plugin(entry: &Component) -> Unresolved {
    let message = format!(
        "component {} is registered for the plugin {}, which this project does not have",
        entry.name, entry.plugin
    );
    failed("NO_PLUGIN", message)
}
