//! Builds a workspace of guests (plugins written in Rust) from within another build, and gives each component its
//! manifest.
//!
//! Owns: the cargo call with its own target directory and a cleaned environment, and the custom section
//! `orchestrator:manifest`. Does not judge a manifest beyond its id: the host does, for components from anywhere.
//! Callers: the server's build script, `orchestrator plugin build` for authors of any language, and the tests for their
//! hostile guests.
//!
//! A file is written only where its content changed, so that a second build changes nothing.

mod cargo;
mod error;
mod manifest;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

pub use error::GuestBuildError;
pub use manifest::MANIFEST_SECTION;

/// A guest that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The `id` in its manifest.
    pub name: String,
    /// The component, manifest included: `<target_dir>/guests/<name>.wasm`.
    pub component_path: PathBuf,
}

/// Whether a build keeps to the workspace's lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It is there, and what it says is built.
    Kept,
    /// It is made or changed where that is needed.
    Open,
}

/// Builds every package of the workspace that has a `plugin.toml`, sorted by name, as its lock file says.
///
/// Runs cargo into `target_dir`; that must not be the target directory of a build which waits for this call. Adds the target
/// `wasm32-wasip2` to the toolchain where it is missing.
///
/// # Errors
/// Each says what to do; a failed build holds cargo's own output.
pub fn build_guests(
    workspace_dir: &Path,
    target_dir: &Path,
) -> Result<Vec<Guest>, GuestBuildError> {
    build_workspace(workspace_dir, target_dir, Lock::Kept)
}

/// As [`build_guests`], for a workspace of somebody else's: with its lock file or without.
///
/// # Errors
/// As for [`build_guests`].
pub fn build_workspace(
    workspace_dir: &Path,
    target_dir: &Path,
    lock: Lock,
) -> Result<Vec<Guest>, GuestBuildError> {
    let workspace_dir = &fs::canonicalize(workspace_dir)
        .map_err(|source| GuestBuildError::file("find", workspace_dir, source))?;
    toolchain::ensure_target(workspace_dir)?;
    cargo::build(workspace_dir, target_dir, lock)?;
    let guests_dir = target_dir.join("guests");
    fs::create_dir_all(&guests_dir)
        .map_err(|source| GuestBuildError::file("create", &guests_dir, source))?;
    let mut guests = Vec::new();
    for package in cargo::packages(workspace_dir, target_dir, lock)? {
        let manifest_path = package.dir.join("plugin.toml");
        if !manifest_path.exists() {
            continue;
        }
        let manifest = manifest::read(&manifest_path)?;
        let artifact = package
            .artifact
            .ok_or(GuestBuildError::NoComponent { dir: package.dir })?;
        let component_path = guests_dir.join(format!("{}.wasm", manifest.id));
        if guests.iter().any(|guest: &Guest| guest.name == manifest.id) {
            let why = format!(
                "another plugin of this workspace has the id {:?} too",
                manifest.id
            );
            return Err(GuestBuildError::Manifest {
                path: manifest_path,
                why,
            });
        }
        add_manifest(&artifact, &manifest_path, &component_path)?;
        guests.push(Guest {
            name: manifest.id,
            component_path,
        });
    }
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

/// The `id` in a `plugin.toml`, which may serve as a file name.
///
/// # Errors
/// The file cannot be read, is no TOML, or has no such id.
pub fn manifest_id(manifest_path: &Path) -> Result<String, GuestBuildError> {
    Ok(manifest::read(manifest_path)?.id)
}

/// Writes the component that a compiler of any language has built, with its manifest, to `component_path`.
///
/// # Errors
/// The manifest cannot be read, what was built is no component, or a file cannot be read or written.
pub fn add_manifest(
    built_path: &Path,
    manifest_path: &Path,
    component_path: &Path,
) -> Result<(), GuestBuildError> {
    let manifest = manifest::read(manifest_path)?;
    let built =
        fs::read(built_path).map_err(|source| GuestBuildError::file("read", built_path, source))?;
    let component =
        manifest::embed(built, &manifest.json).ok_or_else(|| GuestBuildError::NotAComponent {
            path: built_path.to_owned(),
        })?;
    write_if_changed(component_path, &component)
}

/// Writes through a file of its own and a rename: another process never sees half a component.
fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), GuestBuildError> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    fs::write(&unfinished, content)
        .map_err(|source| GuestBuildError::file("write", &unfinished, source))?;
    fs::rename(&unfinished, path).map_err(|source| GuestBuildError::file("write", path, source))
}
