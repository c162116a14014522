//! Whether the toolchain can build for `wasm32-wasip2`; where it cannot, rustup is asked once.

use std::fs;
use std::path::{Path, PathBuf};

use crate::GuestBuildError;
use crate::cargo::{clean_command, run};

pub const TARGET: &str = "wasm32-wasip2";

pub fn ensure_target(workspace_dir: &Path) -> Result<(), GuestBuildError> {
    if has_standard_library(&target_libdir(workspace_dir)?) {
        return Ok(());
    }
    let missing = |why: String| GuestBuildError::TargetMissing { why };
    let mut rustup = clean_command("rustup", workspace_dir);
    rustup.args(["target", "add", TARGET]);
    let output = run(&mut rustup).map_err(|error| missing(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(missing(
            said.lines().last().unwrap_or("rustup failed").to_owned(),
        ));
    }
    if has_standard_library(&target_libdir(workspace_dir)?) {
        return Ok(());
    }
    Err(missing(
        "rustup added it to a toolchain that this build does not use".to_owned(),
    ))
}

/// Where the target's libraries would be; rustc answers whether or not they are there.
fn target_libdir(workspace_dir: &Path) -> Result<PathBuf, GuestBuildError> {
    let mut rustc = clean_command("rustc", workspace_dir);
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let output = run(&mut rustc)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(GuestBuildError::TargetMissing { why });
    }
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

fn has_standard_library(libdir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(libdir) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}
