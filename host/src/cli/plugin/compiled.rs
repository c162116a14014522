//! Where the commands for authors keep compiled components, so that only the first look at one costs its compilation.
//!
//! As in a server, machine code is used only where its MAC proves that it was made here. The key is made once per folder,
//! which is the user's own and never that of a plugin: a plugin from elsewhere must not bring machine code with it.

use crate::clock::{Clock, Random};
use crate::plugins::{
    CompilerSettings, OutboundSettings, PluginSettings, Plugins, StepLimits, World,
};
use anyhow::Context as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct CacheArgs {
    /// Folder for compiled plugins [default: ~/.cache/orchestrator]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl CacheArgs {
    /// The plugins room as a server has it, but in this world and at this clock.
    pub(super) fn rehearse(&self, clock: Clock, world: Arc<dyn World>) -> anyhow::Result<Plugins> {
        let dir = match &self.cache {
            Some(dir) => dir.clone(),
            None => std::env::home_dir()
                .context("there is no home folder: name a folder with --cache")?
                .join(".cache/orchestrator"),
        };
        let settings = PluginSettings {
            cache_key: key(&dir)?,
            data_dir: dir,
            concurrent_steps: 1,
            limits: StepLimits::default(),
            outbound: OutboundSettings::default(),
            compiler: CompilerSettings::default(),
            mail: None,
        };
        Ok(Plugins::rehearse(settings, clock, world)?)
    }
}

fn key(dir: &Path) -> anyhow::Result<[u8; 32]> {
    let path = dir.join("key");
    let cannot = |action: &str| format!("cannot {action} {}", path.display());
    if let Ok(key) = fs::read(&path).map(<[u8; 32]>::try_from)
        && let Ok(key) = key
    {
        return Ok(key);
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let mut key = [0; 32];
    Random::system().fill(&mut key)?;
    // Through a file of its own: another process never reads half a key.
    let unfinished = dir.join(format!("key.{}", std::process::id()));
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(&key))
        .and_then(|()| fs::rename(&unfinished, &path))
        .with_context(|| cannot("write"))?;
    Ok(key)
}
