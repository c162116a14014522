//! Taking a plugin in, granting it what it asks for, and letting it go.
//!
//! A component is read, checked and compiled (in a process apart) before it is kept, and none of its code runs in that.
//! Its first version serves at once where it asks for nothing that has to be granted; a later one where it asks for
//! nothing that the serving one did not ask for or the grant does not allow. Any other waits, and what served goes on.

use super::view::{Asked, PluginView};
use super::{Registry, RegistryError};
use crate::domain::ids::ProjectId;
use crate::domain::plugin::Grant;
use crate::domain::time::Timestamp;
use crate::plugins::{Kind, Manifest, Plugin};
use crate::store::{AddedVersion, DeletedPlugin, NewVersion, OPERATOR, StoredPlugin};

/// Whoever changes the same plugin at the same time makes another attempt necessary.
const MOST_ATTEMPTS: usize = 5;

/// What became of an upload.
#[derive(Clone, Debug)]
pub enum Uploaded {
    Added(PluginView),
    /// The same bytes were there already.
    Exists(PluginView),
    /// Other bytes have this version already.
    OtherContent {
        id: String,
        version: String,
    },
    /// The id is that of a plugin which was built with the server or is shared by the operator.
    Taken {
        id: String,
    },
    /// Its earlier versions are of another kind.
    OtherKind {
        id: String,
        kind: Kind,
    },
}

/// What became of a grant.
#[derive(Clone, Debug)]
pub enum Granted {
    Done(PluginView),
    NotFound,
    /// The plugin is not the project's own: its rights are the operator's to give.
    NotOwn,
    /// A newer version came meanwhile: what it asks for has not been seen.
    Changed,
}

impl Registry {
    /// Checks and keeps a component for a project.
    ///
    /// # Errors
    /// It is no plugin that could be used, or the server cannot say so at the moment.
    pub async fn upload(
        &self,
        project: ProjectId,
        bytes: Vec<u8>,
        now: Timestamp,
    ) -> Result<Uploaded, RegistryError> {
        let id = Manifest::of_component(&bytes)
            .map_err(crate::plugins::PluginError::from)?
            .id;
        let shared = self.store.read_plugin(OPERATOR, &id).await?;
        if self.plugins.builtin(&id).is_some() || shared.is_some() {
            return Ok(Uploaded::Taken { id });
        }
        let plugin = self.plugins.add_upload(bytes.clone()).await?;
        self.keep(project, &plugin, bytes, false, now).await
    }

    /// Keeps a component that was found to be good.
    pub(super) async fn keep(
        &self,
        project: ProjectId,
        plugin: &Plugin,
        bytes: Vec<u8>,
        is_trusted: bool,
        now: Timestamp,
    ) -> Result<Uploaded, RegistryError> {
        let manifest = plugin.manifest();
        let id = plugin.id().to_owned();
        let mut added = AddedVersion::Changed;
        for _ in 0..MOST_ATTEMPTS {
            let stored = self.own(project, &id).await?;
            let before = stored.as_ref().and_then(PluginView::of_stored);
            if let Some(before) = &before
                && before.kind != manifest.kind
            {
                let kind = before.kind;
                return Ok(Uploaded::OtherKind { id, kind });
            }
            let serves = is_trusted || asks_for_nothing_new(manifest, before.as_ref());
            let new = NewVersion {
                project_id: project,
                name: id.clone(),
                kind: manifest.kind.as_str(),
                version: manifest.version.clone(),
                digest: plugin.digest().to_owned(),
                manifest: manifest.json().to_owned(),
                bytes: bytes.clone(),
                serves,
                seen: stored.and_then(|stored| stored.serving),
            };
            added = self.store.add_plugin_version(new, now).await?;
            if added != AddedVersion::Changed {
                break;
            }
        }
        let shown = self.own(project, &id).await?;
        let shown = shown.as_ref().and_then(PluginView::of_stored);
        Ok(match (added, shown) {
            (AddedVersion::Added, Some(view)) => Uploaded::Added(view),
            (AddedVersion::Exists, Some(view)) => Uploaded::Exists(view),
            // It was deleted, or is being changed all the time: its sender is told to look again.
            _ => Uploaded::OtherContent {
                id,
                version: manifest.version.clone(),
            },
        })
    }

    async fn own(
        &self,
        project: ProjectId,
        id: &str,
    ) -> Result<Option<StoredPlugin>, RegistryError> {
        let found = self.store.read_plugin(project, id).await?;
        Ok(found.filter(|found| found.project_id == project))
    }

    /// Lets a plugin of the project use what `grant` says; its newest version serves from now on. `version`, where given, is
    /// the one that was looked at.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn grant(
        &self,
        project: ProjectId,
        id: &str,
        grant: Grant,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<Granted, RegistryError> {
        let Some(stored) = self.own(project, id).await? else {
            return Ok(match self.show(project, id).await? {
                Some(_) => Granted::NotOwn,
                None => Granted::NotFound,
            });
        };
        let newest = stored.versions.first();
        let Some(newest) =
            newest.filter(|newest| version.is_none_or(|seen| newest.version == seen))
        else {
            return Ok(Granted::Changed);
        };
        let granted = self
            .store
            .grant_plugin(project, id.to_owned(), grant, newest.id, now);
        if !granted.await? {
            return Ok(Granted::Changed);
        }
        let shown = self.show(project, id).await?;
        Ok(shown.map_or(Granted::NotFound, Granted::Done))
    }

    /// Deletes a plugin of the project, unless something uses it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete(
        &self,
        project: ProjectId,
        id: &str,
        now: Timestamp,
    ) -> Result<DeletedPlugin, RegistryError> {
        if self.own(project, id).await?.is_none() {
            return Ok(DeletedPlugin::NotFound);
        }
        Ok(self
            .store
            .delete_plugin(project, id.to_owned(), now)
            .await?)
    }
}

fn asks_for_nothing_new(manifest: &Manifest, before: Option<&PluginView>) -> bool {
    let serving = before.and_then(PluginView::serving);
    let serving = serving.map(|serving| Asked::of(&serving.manifest));
    let granted = before.and_then(|before| before.granted.as_ref());
    let granted = granted.map(Asked::from);
    let known = [serving.unwrap_or_default(), granted.unwrap_or_default()];
    Asked::of(manifest).beyond(&known.each_ref()).is_empty()
}
