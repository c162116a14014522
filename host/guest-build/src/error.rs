//! The one error of this crate: each case tells people what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why the guests were not built, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestBuildError {
    #[error(
        "`{program}` could not be started: {source}. Is Rust installed, and its folder in PATH?"
    )]
    NotStarted { program: String, source: io::Error },

    #[error(
        "the Rust target wasm32-wasip2 is not installed and could not be added ({why}). \
         Run: rustup target add wasm32-wasip2"
    )]
    TargetMissing { why: String },

    #[error("{output}\ncargo could not build the guests in {} ({status}): its output is above", workspace_dir.display())]
    CargoFailed {
        workspace_dir: PathBuf,
        status: ExitStatus,
        output: String,
    },

    #[error("`cargo metadata` in {} answers something unexpected: {why}", workspace_dir.display())]
    Metadata { workspace_dir: PathBuf, why: String },

    #[error("{}: {why}", path.display())]
    Manifest { path: PathBuf, why: String },

    #[error("{} has a plugin.toml but builds no component: its Cargo.toml needs [lib] crate-type = [\"cdylib\"]", dir.display())]
    NoComponent { dir: PathBuf },

    #[error("{} is not a WebAssembly component; is the toolchain older than Rust 1.82?", path.display())]
    NotAComponent { path: PathBuf },

    #[error("could not {action} {}: {source}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl GuestBuildError {
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
