//! Compiled plugins on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use orchestrator::clock::Clock;
use orchestrator::domain::time::Timestamp;
use orchestrator::janitor::Janitor;
use orchestrator::plugins::{PluginSettings, Plugins};
use orchestrator::registry::Registry;
use orchestrator::store::DeletedPlugin;
use orchestrator::wake::{Pause, Stop, Wake};

use crate::support::database::Database;
use crate::support::guests::guest;
use crate::support::process::until;
use crate::support::steps::{context, open, response, settings, start_with};
use crate::support::store::TestStore;

/// The plugins that ship with the server.
const BUILT_IN: u64 = 6;

fn open_in(dir: &Path, cache_key: [u8; 32]) -> Plugins {
    open(PluginSettings {
        data_dir: dir.to_owned(),
        cache_key,
        ..settings()
    })
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("cache")).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect()
}

#[tokio::test]
async fn a_second_start_compiles_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = open_in(dir.path(), [1; 32]);
    first.add_component(guest("noop")).expect("valid");
    assert_eq!(first.compiled_components(), BUILT_IN + 1);

    let second = open_in(dir.path(), [1; 32]);

    let step = start_with(
        &second,
        "noop",
        context(&serde_json::json!({})),
        &Default::default(),
    )
    .await;
    assert_eq!(response(step), serde_json::Value::Null);
    assert_eq!(second.compiled_components(), 0);
    assert_eq!(files(dir.path(), "cwasm").len() as u64, BUILT_IN + 1);
}

#[test]
fn the_folder_and_its_files_are_the_servers_own() {
    let dir = tempfile::tempdir().expect("a folder");
    open_in(dir.path(), [1; 32]);

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("cache")), 0o700);
    for path in files(dir.path(), "cwasm")
        .iter()
        .chain(&files(dir.path(), "mac"))
    {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_file_that_was_changed_is_made_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    open_in(dir.path(), [1; 32]);
    let compiled = files(dir.path(), "cwasm");
    let originals: Vec<_> = compiled
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect();

    let mut changed = originals[0].clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(&compiled[0], &changed).expect("written");
    let once_more = open_in(dir.path(), [1; 32]);

    assert_eq!(once_more.compiled_components(), 1);
    assert_ne!(fs::read(&compiled[0]).expect("a file"), changed);
    assert_eq!(open_in(dir.path(), [1; 32]).compiled_components(), 0);
}

#[test]
fn one_good_file_does_not_pass_for_another() {
    let dir = tempfile::tempdir().expect("a folder");
    open_in(dir.path(), [1; 32]);
    let (codes, macs) = (files(dir.path(), "cwasm"), files(dir.path(), "mac"));
    let mac_of = |code: &Path| {
        macs.iter()
            .find(|mac| mac.file_stem() == code.file_stem())
            .expect("a MAC")
    };

    fs::copy(&codes[0], &codes[1]).expect("copied");
    fs::copy(mac_of(&codes[0]), mac_of(&codes[1])).expect("copied");

    assert_eq!(open_in(dir.path(), [1; 32]).compiled_components(), 1);
}

#[test]
fn a_file_under_another_key_is_not_used() {
    let dir = tempfile::tempdir().expect("a folder");
    open_in(dir.path(), [1; 32]);

    assert_eq!(open_in(dir.path(), [2; 32]).compiled_components(), BUILT_IN);
}

#[test]
fn files_of_other_engines_are_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    open_in(dir.path(), [1; 32]);
    let stranger = dir.path().join("cache").join("00-0123456789abcdef.cwasm");
    fs::write(&stranger, "old").expect("written");

    open_in(dir.path(), [1; 32]);

    assert!(!stranger.exists());
    assert_eq!(files(dir.path(), "cwasm").len() as u64, BUILT_IN);
}

/// Every file of the cache was made at that time.
fn age(dir: &Path, made: Timestamp) {
    let made = SystemTime::UNIX_EPOCH + Duration::from_micros(made.0.unsigned_abs());
    for path in files(dir, "cwasm") {
        let file = fs::File::options().write(true).open(path);
        file.expect("a file").set_modified(made).expect("set");
    }
}

#[tokio::test]
async fn compiled_plugins_that_no_version_refers_to_are_removed_after_an_hour() {
    const MADE: Timestamp = Timestamp(1_750_000_000_000_000);
    let test = TestStore::new(Database::Sqlite).await.expect("embedded");
    let plugins = open_in(test.path(), [1; 32]);
    let registry = Registry::new(test.store.clone(), plugins.clone());
    registry.keep_builtins(MADE).await.expect("kept");
    for name in ["noop", "waits"] {
        let bytes = guest(name).to_vec();
        let uploading = registry.upload(test.project, bytes, MADE);
        uploading.await.expect("uploaded");
    }
    // One that was compiled, and then not kept.
    let stray = plugins.add_upload(guest("traps").to_vec()).await;
    let stray = stray.expect("valid").digest().to_owned();
    age(test.path(), MADE);
    let deleted = registry
        .delete(test.project, "noop", MADE)
        .await
        .expect("store");
    assert_eq!(deleted, DeletedPlugin::Done);
    let at = |seconds: u64| MADE.plus(Duration::from_secs(seconds));
    let remove = async |now| registry.remove_strays(now).await.expect("store");

    assert_eq!(remove(at(3_599)).await, 0);
    assert_eq!(files(test.path(), "cwasm").len() as u64, BUILT_IN + 3);
    assert_eq!(remove(at(3_600)).await, 2);
    assert_eq!(remove(at(9_000)).await, 0);

    for extension in ["cwasm", "mac"] {
        assert_eq!(files(test.path(), extension).len() as u64, BUILT_IN + 1);
    }
    // What is gone is forgotten, and comes back when somebody has it again.
    assert!(plugins.plugin(&stray).is_none());
    let again = plugins.add_upload(guest("traps").to_vec()).await;
    assert_eq!(again.expect("valid").digest(), stray);
    let kept = open_in(test.path(), [1; 32]);
    kept.add_component(guest("waits")).expect("valid");
    assert_eq!(kept.compiled_components(), 0);
}

#[tokio::test]
async fn the_janitor_looks_through_the_compiled_plugins_at_start() {
    let test = TestStore::new(Database::Sqlite).await.expect("embedded");
    let plugins = open_in(test.path(), [1; 32]);
    let stray = plugins.add_upload(guest("traps").to_vec()).await;
    drop(stray);
    let clock = Clock::manual(Timestamp(1_750_000_000_000_000));
    age(test.path(), Timestamp(1_740_000_000_000_000));
    let (stop, store) = (Stop::default(), test.store.clone());
    let janitor = Janitor {
        registry: Registry::new(store.clone(), plugins),
        store,
        pause: Pause {
            clock,
            wake: Wake::default(),
            stop: stop.clone(),
        },
    };

    let running = tokio::spawn(janitor.run());

    until("the stray to go", || async {
        let left = files(test.path(), "cwasm").len() as u64;
        (left == BUILT_IN)
            .then_some(())
            .ok_or(format!("{left} are there"))
    })
    .await;
    stop.stop();
    running.await.expect("ended");
}
