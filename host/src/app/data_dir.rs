//! The data directory: made and locked for one server, with a database that is its owner's only.

use crate::config::Config;
use crate::store::{DATABASE_FILE, Store};
use anyhow::{Context, bail};
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Makes the folder, for this user only; one that exists is left as it is.
pub(super) fn make(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .with_context(|| format!("data-dir cannot be made at {}", path.display()))
}

/// The embedded database is this user's only, also in a folder that others can read.
pub(super) fn make_private_database(config: &Config) -> anyhow::Result<()> {
    let path = config.data_dir.join(DATABASE_FILE);
    if config.database_url != Store::embedded_url(&config.data_dir) {
        return Ok(());
    }
    let mut options = File::options();
    options.create(true).append(true).mode(0o600);
    let made = options.open(&path);
    made.map(drop)
        .with_context(|| format!("cannot make the database {}", path.display()))
}

/// Held as long as the server runs: a data directory has one server.
pub(super) fn lock(path: &Path) -> anyhow::Result<File> {
    let lock_path = path.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path);
    let file = file.with_context(|| format!("data-dir cannot be used: {}", lock_path.display()))?;
    let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "another server is running on the data-dir {}",
                path.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", lock_path.display()))
        }
    }
}
