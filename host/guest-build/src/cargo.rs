//! The calls to cargo. A build within a build has to forget the outer one: its flags would end up in the guests, and its
//! job server or lock would make the inner build wait for ever.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;

use crate::toolchain::TARGET;
use crate::{GuestBuildError, Lock};

/// A package of the workspace.
pub struct Package {
    pub dir: PathBuf,
    /// What it was built into, where it is a `cdylib`.
    pub artifact: Option<PathBuf>,
}

pub fn build(workspace_dir: &Path, target_dir: &Path, lock: Lock) -> Result<(), GuestBuildError> {
    let mut cargo = cargo_command(workspace_dir);
    cargo
        .args(["build", "--release", "--target", TARGET, "--target-dir"])
        .arg(target_dir);
    keep(lock, &mut cargo);
    if let Some(jobs) = jobs() {
        cargo.arg("--jobs").arg(jobs);
    }
    succeed(&mut cargo, workspace_dir).map(drop)
}

fn keep(lock: Lock, cargo: &mut Command) {
    if lock == Lock::Kept {
        cargo.arg("--locked");
    }
}

pub fn packages(
    workspace_dir: &Path,
    target_dir: &Path,
    lock: Lock,
) -> Result<Vec<Package>, GuestBuildError> {
    let mut cargo = cargo_command(workspace_dir);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    keep(lock, &mut cargo);
    let output = succeed(&mut cargo, workspace_dir)?;
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| GuestBuildError::Metadata {
            workspace_dir: workspace_dir.to_owned(),
            why: error.to_string(),
        })?;
    let packages = metadata.packages.into_iter().map(|package| {
        let cdylib = package
            .targets
            .iter()
            .find(|target| target.crate_types.iter().any(|of_type| of_type == "cdylib"));
        let artifact = cdylib.map(|target| artifact(target_dir, &target.name));
        Package {
            dir: package
                .manifest_path
                .parent()
                .unwrap_or(workspace_dir)
                .to_owned(),
            artifact,
        }
    });
    Ok(packages.collect())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    crate_types: Vec<String>,
}

fn artifact(target_dir: &Path, target_name: &str) -> PathBuf {
    target_dir
        .join(TARGET)
        .join("release")
        .join(format!("{}.wasm", target_name.replace('-', "_")))
}

fn cargo_command(workspace_dir: &Path) -> Command {
    let mut cargo = clean_command(outer_cargo().as_deref().unwrap_or("cargo"), workspace_dir);
    cargo.arg("--quiet").arg("--color=never");
    // Paths of this machine would end up in the components' panic messages, and so in their digests.
    let mut flags = vec![format!(
        "--remap-path-prefix={}=/guests",
        workspace_dir.display()
    )];
    if let Some(home) = cargo_home() {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo
}

/// A command that knows nothing of the build or the test that it is started from.
pub fn clean_command(program: &str, workspace_dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace_dir);
    for (name, _) in env::vars_os() {
        if name.to_str().is_none_or(belongs_to_the_outer_build) {
            command.env_remove(&name);
        }
    }
    command
}

fn belongs_to_the_outer_build(name: &str) -> bool {
    const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_NET_", "CARGO_REGISTRIES", "CARGO_HTTP"];
    const REMOVED: [&str; 3] = ["CARGO", "RUSTC", "__CARGO"];
    const REMOVED_EXACTLY: [&str; 13] = [
        "DEBUG",
        "GNUMAKEFLAGS",
        "HOST",
        "MAKEFLAGS",
        "MFLAGS",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTDOC",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "TARGET",
    ];
    let starts_with_one_of =
        |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    REMOVED_EXACTLY.contains(&name) || (starts_with_one_of(&REMOVED) && !starts_with_one_of(&KEPT))
}

fn succeed(command: &mut Command, workspace_dir: &Path) -> Result<Output, GuestBuildError> {
    let output = run(command)?;
    if output.status.success() {
        return Ok(output);
    }
    Err(GuestBuildError::CargoFailed {
        workspace_dir: workspace_dir.to_owned(),
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    })
}

pub fn run(command: &mut Command) -> Result<Output, GuestBuildError> {
    command.output().map_err(|source| {
        let program = command.get_program().to_string_lossy().into_owned();
        GuestBuildError::NotStarted { program, source }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build's settings are its environment"
)]
fn outer_cargo() -> Option<String> {
    env::var("CARGO").ok()
}

/// The number of jobs that the outer build was told to use, which cargo tells its build scripts.
#[expect(
    clippy::disallowed_methods,
    reason = "a build's settings are its environment"
)]
fn jobs() -> Option<String> {
    env::var("NUM_JOBS").ok()
}

fn cargo_home() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a build's settings are its environment"
    )]
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_build_is_forgotten_and_the_network_settings_are_kept() {
        for name in [
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MAKEFLAGS",
            "CARGO_PROFILE_RELEASE_DEBUG",
            "CARGO_REGISTRY_TOKEN",
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "MAKEFLAGS",
            "OUT_DIR",
        ] {
            assert!(belongs_to_the_outer_build(name), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL",
            "CARGO_HTTP_CAINFO",
            "RUSTUP_TOOLCHAIN",
            "RUSTUP_HOME",
            "PATH",
            "HOME",
        ] {
            assert!(!belongs_to_the_outer_build(name), "{name}");
        }
    }
}
