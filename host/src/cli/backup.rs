//! `orchestrator backup`: a copy of a server's embedded database and its key, made while the server runs.
//!
//! What comes out is a data directory: a server started on it goes on from the moment of the copy. It is written to a
//! folder that is not there before, so that nothing is overwritten and a folder that is there is whole.

use crate::config::{Config, Settings};
use crate::store::{DATABASE_FILE, Store};
use crate::tokens::{KEY_FILE, KeySource};
use anyhow::{Context, bail};
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Copy a server's embedded database and its master key to a folder, while the server runs
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    settings: Box<Settings>,
    /// Folder to make; nothing may be there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Leave the master key out, to keep it elsewhere: without it the secrets in the database are lost
    #[arg(long)]
    without_key: bool,
}

/// Makes the backup and says what is in it.
///
/// # Errors
/// What is in the way; the folder is not there then.
pub async fn run(args: BackupArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let config = args.settings.load()?;
    if !Store::is_embedded(&config.database_url) {
        bail!(
            "this backs up embedded databases; a server's has tools of its own, such as pg_dump: see host/docs/operations.md"
        );
    }
    if args.to.symlink_metadata().is_ok() {
        bail!("{} is there already", args.to.display());
    }
    // In the same folder, so that it can be renamed; hidden until it is whole.
    let mut name = std::ffi::OsString::from(".");
    name.push(args.to.file_name().context("--to names no folder")?);
    name.push(".part");
    let part = args.to.with_file_name(name);
    DirBuilder::new()
        .mode(0o700)
        .create(&part)
        .with_context(|| format!("cannot make {}", part.display()))?;
    let filled = fill(&config, &part, args.without_key).await;
    let moved = match filled {
        Ok(key) => fs::rename(&part, &args.to)
            .with_context(|| format!("cannot rename {}", part.display()))
            .map(|()| key),
        Err(error) => Err(error),
    };
    let key = match moved {
        Ok(key) => key,
        Err(error) => {
            // What was begun is of no use; that it stays where even this fails is told by the error above.
            let _ = fs::remove_dir_all(&part);
            return Err(error);
        }
    };
    sync_folder(args.to.parent().unwrap_or(Path::new(".")))?;
    let folder = args.to.display();
    writeln!(out, "The database is in {folder}/{DATABASE_FILE}.")?;
    writeln!(out, "{key}")?;
    writeln!(
        out,
        "To restore it, start a server with --data-dir {folder}, or a copy of that."
    )?;
    Ok(())
}

/// Returns what became of the key.
async fn fill(config: &Config, folder: &Path, without_key: bool) -> anyhow::Result<String> {
    let copy = folder.join(DATABASE_FILE);
    let copied = Store::back_up(&config.database_url, &copy).await;
    copied.context("the database cannot be copied")?;
    // A look into it may have left these beside it; they are empty.
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(folder.join(format!("{DATABASE_FILE}{end}")));
    }
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
    File::open(&copy)?.sync_all()?;
    // After the database: a key that was changed meanwhile is in the file together with the one before it.
    let key = match &config.master_key {
        _ if without_key => "The master key is not in it: keep a copy elsewhere.".to_owned(),
        KeySource::Given(_) => {
            "The master key is not in it: it is not in a file. Keep it where it comes from."
                .to_owned()
        }
        KeySource::File(path) => {
            let key = fs::read(path)
                .with_context(|| format!("cannot read the master key at {}", path.display()))?;
            let mut options = File::options();
            let copy = options.write(true).create_new(true).mode(0o600);
            let mut copy = copy.open(folder.join(KEY_FILE))?;
            copy.write_all(&key)?;
            copy.sync_all()?;
            format!(
                "The master key is beside it, in {KEY_FILE}: whoever has both can read every secret."
            )
        }
    };
    sync_folder(folder)?;
    Ok(key)
}

fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    Ok(File::open(path)?.sync_all()?)
}
