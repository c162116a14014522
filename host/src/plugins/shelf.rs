//! The components that are loaded in this process: by digest, under which a run pins one, and the built-in ones by id.
//!
//! Uploaded ones are loaded when they are wanted and may be forgotten at any time: they are mapped again from the cache.

use super::component::Plugin;
use super::error::PluginError;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

include!(concat!(env!("OUT_DIR"), "/builtin_plugins.rs"));

/// The plugin that runs every task for which there is no other.
pub(super) const HTTP_COMPONENT: &str = "http-component";
/// Most uploaded components that are loaded at once; beyond, all are forgotten and loaded again as needed.
const MOST_UPLOADS: usize = 500;

#[derive(Default)]
pub(super) struct Shelf {
    plugins: RwLock<Plugins>,
}

#[derive(Default)]
struct Plugins {
    by_digest: HashMap<String, Plugin>,
    builtin: HashMap<String, Plugin>,
    uploads: HashMap<String, Plugin>,
}

/// The components that were built with the server.
pub(super) fn builtin_components() -> impl Iterator<Item = &'static [u8]> {
    BUILTIN_PLUGINS.iter().map(|(_, component)| *component)
}

impl Shelf {
    /// A component that was built with the server.
    pub(super) fn add_builtin(&self, plugin: &Plugin) {
        self.add(plugin);
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins
            .builtin
            .insert(plugin.id().to_owned(), plugin.clone());
    }

    /// A component that stays as long as the process lives.
    pub(super) fn add(&self, plugin: &Plugin) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins
            .by_digest
            .insert(plugin.digest().to_owned(), plugin.clone());
    }

    pub(super) fn add_upload(&self, plugin: &Plugin) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        if plugins.uploads.len() >= MOST_UPLOADS {
            plugins.uploads.clear();
        }
        plugins
            .uploads
            .insert(plugin.digest().to_owned(), plugin.clone());
    }

    /// An upload that nobody has any more.
    pub(super) fn forget_upload(&self, digest: &str) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.uploads.remove(digest);
    }

    /// Whether the component stays as long as the process lives.
    pub(super) fn stays(&self, digest: &str) -> bool {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.by_digest.contains_key(digest)
    }

    pub(super) fn by_digest(&self, digest: &str) -> Option<Plugin> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let found = plugins.by_digest.get(digest);
        found.or_else(|| plugins.uploads.get(digest)).cloned()
    }

    pub(super) fn builtin(&self, id: &str) -> Result<Plugin, PluginError> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let found = plugins.builtin.get(id).cloned();
        found.ok_or_else(|| PluginError::BuiltinMissing(id.to_owned()))
    }

    /// By id.
    pub(super) fn builtins(&self) -> Vec<Plugin> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let mut builtins: Vec<_> = plugins.builtin.values().cloned().collect();
        builtins.sort_by(|one, other| one.id().cmp(other.id()));
        builtins
    }
}
