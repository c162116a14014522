//! The registry: which plugin answers to a name in a project, and what it may use there.
//!
//! A project sees three kinds of plugins: its own, those that the operator shares, and those that were built with the
//! server; where two have one id, the first of these counts. Rows and bytes are the store's, shared by all hosts, and
//! compiled components are the plugins room's, of this process; this room joins the two. So what was uploaded to one
//! host runs on another one, which reads the bytes and compiles them when it first needs them.
//!
//! Nothing is remembered here: a grant, a configuration or a new version counts from the next step on. Called by the
//! runner and the notifier ([`resolve`]), by the API ([`upload`], [`view`]) and at start ([`share`]).

mod check;
mod compiled;
mod resolve;
mod share;
mod upload;
mod view;

pub use resolve::{TaskType, Unresolved};
pub use share::ShareError;
pub use upload::{Granted, Uploaded};
pub use view::{Asked, Origin, PluginView, VersionState, VersionView};

use crate::plugins::{PluginError, Plugins};
use crate::store::{Store, StoreError};
use std::fmt;

/// Cloning it is cheap.
#[derive(Clone)]
pub struct Registry {
    store: Store,
    plugins: Plugins,
}

/// Why the registry could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The component, or the server's own compiler.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

impl Registry {
    #[must_use]
    pub fn new(store: Store, plugins: Plugins) -> Self {
        Self { store, plugins }
    }

    /// The same registry on a store that acts on somebody's behalf.
    #[must_use]
    pub fn on(&self, store: Store) -> Self {
        Self {
            store,
            plugins: self.plugins.clone(),
        }
    }

    #[must_use]
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}
