//! Compiled plugins on disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orchestrator::plugins::{PluginSettings, Plugins};

use crate::support::guests::guest;
use crate::support::steps::{context, open, response, settings, start_with};

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
