//! Plugins as a project sees them: where they come from, their versions, what these ask for and what is granted.

use super::{Registry, RegistryError};
use crate::domain::ids::{PluginVersionId, ProjectId};
use crate::domain::plugin::{Capability, Grant};
use crate::domain::time::Timestamp;
use crate::plugins::{Kind, Manifest, Plugin};
use crate::store::{OPERATOR, StoredPlugin};

/// Whose a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    /// The operator's, for all projects.
    Shared,
    Project,
}

/// A plugin with its versions, newest first; there is at least one.
#[derive(Clone, Debug)]
pub struct PluginView {
    pub id: String,
    pub kind: Kind,
    pub origin: Origin,
    /// What the project grants; `None` where nothing was granted yet, and for what is not the project's own.
    pub granted: Option<Grant>,
    pub versions: Vec<VersionView>,
}

/// One version.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// `None` for what was built with the server.
    pub id: Option<PluginVersionId>,
    pub digest: String,
    pub size_bytes: u64,
    /// `None` for what was built with the server.
    pub created_at: Option<Timestamp>,
    pub manifest: Manifest,
    pub state: VersionState,
}

/// What new runs have of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// New runs get it.
    Serving,
    /// New runs will get it once what it asks for is granted.
    AwaitingGrant,
    /// Only runs that began with it still get it.
    Superseded,
}

/// What a manifest asks for that is to be granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub capabilities: Vec<Capability>,
    pub hosts: Vec<String>,
    pub credentials: Vec<String>,
}

impl Asked {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            capabilities: manifest.capabilities.clone(),
            hosts: manifest.hosts().collect(),
            credentials: manifest.credentials.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.capabilities.is_empty() && self.hosts.is_empty() && self.credentials.is_empty()
    }

    /// What of this is in none of the others.
    pub(super) fn beyond(&self, others: &[&Self]) -> Self {
        let has_capability = |wanted: &Capability| {
            others
                .iter()
                .any(|other| other.capabilities.contains(wanted))
        };
        let has_credential = |wanted: &String| {
            others
                .iter()
                .any(|other| other.credentials.contains(wanted))
        };
        let has_host = |wanted: &String| others.iter().any(|other| other.hosts.contains(wanted));
        Self {
            capabilities: self
                .capabilities
                .iter()
                .filter(|wanted| !has_capability(wanted))
                .copied()
                .collect(),
            hosts: self
                .hosts
                .iter()
                .filter(|wanted| !has_host(wanted))
                .cloned()
                .collect(),
            credentials: self
                .credentials
                .iter()
                .filter(|wanted| !has_credential(wanted))
                .cloned()
                .collect(),
        }
    }
}

impl From<&Grant> for Asked {
    fn from(grant: &Grant) -> Self {
        Self {
            capabilities: grant.capabilities.clone(),
            hosts: grant.hosts.clone(),
            credentials: grant.credentials.clone(),
        }
    }
}

impl VersionView {
    /// What it asks for.
    #[must_use]
    pub fn asked(&self) -> Asked {
        Asked::of(&self.manifest)
    }
}

impl PluginView {
    /// The version that new runs get.
    #[must_use]
    pub fn serving(&self) -> Option<&VersionView> {
        let mut versions = self.versions.iter();
        versions.find(|version| version.state == VersionState::Serving)
    }

    /// The version that serves, else the newest one.
    #[must_use]
    pub fn current(&self) -> Option<&VersionView> {
        self.serving().or_else(|| self.versions.first())
    }

    /// What its newest version asks for that neither the version that serves asked for nor the grant allows.
    #[must_use]
    pub fn newly_asked(&self) -> Asked {
        let newest = self.versions.first().map(VersionView::asked);
        let serving = self.serving().map(VersionView::asked).unwrap_or_default();
        let granted = self.granted.as_ref().map(Asked::from).unwrap_or_default();
        let is_waiting = self
            .versions
            .first()
            .is_some_and(|version| version.state == VersionState::AwaitingGrant);
        if is_waiting {
            newest.unwrap_or_default().beyond(&[&serving, &granted])
        } else {
            Asked::default()
        }
    }

    fn of_builtin(plugin: &Plugin) -> Self {
        Self {
            id: plugin.id().to_owned(),
            kind: plugin.manifest().kind,
            origin: Origin::BuiltIn,
            granted: None,
            versions: vec![VersionView {
                id: None,
                digest: plugin.digest().to_owned(),
                size_bytes: plugin.size_bytes() as u64,
                created_at: None,
                manifest: plugin.manifest().clone(),
                state: VersionState::Serving,
            }],
        }
    }

    /// `None` where no version of it can be read: they were kept by a later version of the server.
    pub(super) fn of_stored(stored: &StoredPlugin) -> Option<Self> {
        let mut versions = Vec::with_capacity(stored.versions.len());
        for version in &stored.versions {
            let Ok(manifest) = Manifest::of_json(&version.manifest) else {
                tracing::warn!(plugin = %stored.name, version = %version.version, "a manifest cannot be read");
                continue;
            };
            let state = match stored.serving {
                Some(serving) if serving == version.id => VersionState::Serving,
                Some(serving) if serving > version.id => VersionState::Superseded,
                // Of those that came after the one that serves, only the newest can be granted.
                _ if versions.is_empty() => VersionState::AwaitingGrant,
                _ => VersionState::Superseded,
            };
            versions.push(VersionView {
                id: Some(version.id),
                digest: version.digest.clone(),
                size_bytes: version.size_bytes,
                created_at: Some(version.created_at),
                manifest,
                state,
            });
        }
        let kind = versions.first()?.manifest.kind;
        Some(Self {
            id: stored.name.clone(),
            kind,
            origin: if stored.project_id == OPERATOR {
                Origin::Shared
            } else {
                Origin::Project
            },
            granted: stored.granted.clone(),
            versions,
        })
    }
}

impl Registry {
    /// All that the project sees, by id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<PluginView>, RegistryError> {
        let stored = self.store.list_plugins(project).await?;
        let mut views: Vec<_> = stored.iter().filter_map(PluginView::of_stored).collect();
        // A project's own comes before the operator's of the same id.
        views.dedup_by(|later, earlier| later.id == earlier.id);
        for plugin in self.plugins.builtins() {
            if !views.iter().any(|view| view.id == plugin.id()) {
                views.push(PluginView::of_builtin(&plugin));
            }
        }
        views.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(views)
    }

    /// The plugin of that id; `None`: the project sees none.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn show(
        &self,
        project: ProjectId,
        id: &str,
    ) -> Result<Option<PluginView>, RegistryError> {
        if let Some(stored) = self.store.read_plugin(project, id).await? {
            return Ok(PluginView::of_stored(&stored));
        }
        let builtin = self.plugins.builtin(id);
        Ok(builtin.as_ref().map(PluginView::of_builtin))
    }
}
