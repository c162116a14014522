//! The plugins that are loaded: by digest, under which a run pins one, and by id, under which new runs find one.

use super::component::Plugin;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

include!(concat!(env!("OUT_DIR"), "/builtin_plugins.rs"));

/// The plugin that runs tasks of components which no plugin is named like.
pub(super) const HTTP_COMPONENT: &str = "http-component";

#[derive(Default)]
pub(super) struct Registry {
    plugins: RwLock<Plugins>,
}

#[derive(Default)]
struct Plugins {
    by_digest: HashMap<String, Plugin>,
    by_id: HashMap<String, Plugin>,
}

/// The components that were built with the server.
pub(super) fn builtins() -> impl Iterator<Item = &'static [u8]> {
    BUILTIN_PLUGINS.iter().map(|(_, component)| *component)
}

impl Registry {
    /// New runs find this plugin under its id from now on; older ones keep theirs.
    pub(super) fn add(&self, plugin: &Plugin) {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins
            .by_digest
            .insert(plugin.digest().to_owned(), plugin.clone());
        plugins.by_id.insert(plugin.id().to_owned(), plugin.clone());
    }

    pub(super) fn by_digest(&self, digest: &str) -> Option<Plugin> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.by_digest.get(digest).cloned()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<Plugin> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.by_id.get(id).cloned()
    }
}
