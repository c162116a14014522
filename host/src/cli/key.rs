//! `orchestrator key`: changes the master key while servers run, and tells how far that is.
//!
//! The command only adds a key to the key file, or takes old ones out of it; the servers do the rest by themselves
//! (`rotation.rs`) and say in the database how far they are.

use crate::clock::{Clock, Random};
use crate::config::Settings;
use crate::store::{KeyState, MasterKey, Store};
use crate::tokens::{KeySource, add_key_to_file, drop_old_keys_of_file};
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Change the master key under which secrets are sealed
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KeyCommand {
    /// Put a fresh key before the one of the key file and wait until everything is sealed under it
    Rotate(RotateArgs),
    /// Say which keys the database knows, and whether anything is sealed under old ones
    Status(Box<Settings>),
    /// Take old keys out of the key file, once nothing is sealed under them
    Drop(Box<Settings>),
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    #[command(flatten)]
    settings: Box<Settings>,
    /// How long to wait for the servers, in seconds; they go on without this command
    #[arg(long, value_name = "N", default_value_t = 120)]
    wait_seconds: u64,
}

/// Runs the subcommand.
///
/// # Errors
/// What is missing or wrong; the message says what to do.
pub async fn run(args: KeyArgs) -> anyhow::Result<()> {
    match args.command {
        KeyCommand::Rotate(args) => {
            let config = args.settings.load()?;
            let path = file_of(&config.master_key)?;
            let store = open(&config.database_url).await?;
            let before = store.list_master_keys().await?.len();
            add_key_to_file(path, &Random::system())?;
            println!(
                "A fresh master key is in {}, before the old one.",
                path.display()
            );
            println!("Several servers: copy this file to all of them now.");
            let waited = wait(&store, before, Duration::from_secs(args.wait_seconds)).await;
            store.close().await;
            waited
        }
        KeyCommand::Status(settings) => {
            let store = open(&settings.load()?.database_url).await?;
            print(&store.list_master_keys().await?);
            store.close().await;
            Ok(())
        }
        KeyCommand::Drop(settings) => {
            let config = settings.load()?;
            let path = file_of(&config.master_key)?;
            let store = open(&config.database_url).await?;
            let keys = store.list_master_keys().await?;
            store.close().await;
            let (last, others) = keys
                .split_last()
                .context("the database has no master key yet")?;
            let is_over = others.iter().all(|key| key.state == KeyState::Retired);
            if last.state != KeyState::Current || !is_over {
                print(&keys);
                bail!("something may be sealed under the old key still: the file stays as it is");
            }
            drop_old_keys_of_file(path)?;
            println!("{} holds the present key only.", path.display());
            println!("Backups from before the change open under the old key only.");
            Ok(())
        }
    }
}

fn file_of(source: &KeySource) -> anyhow::Result<&Path> {
    match source {
        KeySource::File(path) => Ok(path),
        KeySource::Given(_) => bail!(
            "the master key is given by a setting: put a fresh key before the present one there, with a space between \
             them, and restart the servers one after the other; `orchestrator key status` says when the old one can go"
        ),
    }
}

async fn open(url: &str) -> anyhow::Result<Store> {
    Store::open(url).await.context("cannot open the database")
}

/// Until the key after the first `before` ones is the only one in use.
async fn wait(store: &Store, before: usize, patience: Duration) -> anyhow::Result<()> {
    let clock = Clock::system();
    let end = clock.now().plus(patience);
    let mut shown = String::new();
    while clock.now() < end {
        let keys = store.list_master_keys().await?;
        let text = describe(&keys);
        if text != shown {
            println!("{text}");
            shown = text;
        }
        if let Some((last, others)) = keys.split_last() {
            let is_over = others.iter().all(|key| key.state == KeyState::Retired);
            if keys.len() > before && last.state == KeyState::Current && is_over {
                println!("Done. `orchestrator key drop` takes the old key out of the file.");
                return Ok(());
            }
        }
        clock.sleep(BETWEEN_LOOKS).await;
    }
    println!(
        "Not done yet: the servers go on by themselves, and those that start later begin with it."
    );
    Ok(())
}

fn print(keys: &[MasterKey]) {
    println!("{}", describe(keys));
}

/// `key 1: old, key 2: current`
fn describe(keys: &[MasterKey]) -> String {
    let one = |key: &MasterKey| format!("key {}: {}", key.id, key.state.as_str());
    let all: Vec<String> = keys.iter().map(one).collect();
    all.join(", ")
}
