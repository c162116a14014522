//! The operator's plugins: those of a folder, shared with all projects when a host starts, and those that are built in.
//!
//! The operator is trusted: what such a plugin asks for is granted, the whole network included. A version that is in the
//! database stays there for the tasks that began with it, also when its file is gone.

use super::upload::Uploaded;
use super::{Registry, RegistryError};
use crate::domain::time::Timestamp;
use crate::plugins::{PluginError, Plugins};
use crate::store::OPERATOR;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Why a folder of plugins cannot be shared; it names the file.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("cannot read {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}", path.display())]
    Registry {
        path: PathBuf,
        source: RegistryError,
    },
    #[error("{}: {why}", path.display())]
    Refused { path: PathBuf, why: String },
}

impl Registry {
    /// Keeps the built-in plugins in the database: a task that began with one of them ends with it, on a later version of
    /// the server too.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keep_builtins(&self, now: Timestamp) -> Result<(), RegistryError> {
        for (digest, bytes) in Plugins::builtin_components() {
            self.store.keep_builtin(digest, bytes, now).await?;
        }
        Ok(())
    }

    /// Shares every `*.wasm` of a folder with all projects; returns how many these are.
    ///
    /// # Errors
    /// A file cannot be read, is no plugin, has the id of a built-in one, or has changed and kept its version.
    pub async fn share_folder(&self, folder: &Path, now: Timestamp) -> Result<usize, ShareError> {
        let files = wasm_files(folder).map_err(|source| ShareError::File {
            path: folder.to_owned(),
            source,
        })?;
        for path in &files {
            let bytes = fs::read(path).map_err(|source| ShareError::File {
                path: path.clone(),
                source,
            })?;
            self.share_one(path, bytes, now).await?;
        }
        Ok(files.len())
    }

    async fn share_one(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        now: Timestamp,
    ) -> Result<(), ShareError> {
        let failed = |source: RegistryError| ShareError::Registry {
            path: path.to_owned(),
            source,
        };
        let refused = |why: String| {
            Err(ShareError::Refused {
                path: path.to_owned(),
                why,
            })
        };
        let plugin = self.plugins.add_upload(bytes.clone()).await;
        let plugin = plugin.map_err(|error: PluginError| failed(error.into()))?;
        if self.plugins.builtin(plugin.id()).is_some() {
            return refused(format!("the plugin {} is built in", plugin.id()));
        }
        match self
            .keep(OPERATOR, &plugin, bytes, true, now)
            .await
            .map_err(failed)?
        {
            Uploaded::Added(_) | Uploaded::Exists(_) => Ok(()),
            Uploaded::OtherKind { id, kind } => refused(format!(
                "the plugin {id} is of the kind {} already",
                kind.as_str()
            )),
            Uploaded::OtherContent { id, version } => refused(format!(
                "there are other contents of {id} {version} already: give it a new version"
            )),
            Uploaded::Taken { .. } => refused("there is no room for it".to_owned()),
        }
    }
}

/// In the order of their names.
fn wasm_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("wasm")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
