//! The rules of the house that no lint knows: which room may use which, a head on every module, files that stay small,
//! documents that name what exists.
//!
//! `ARCHITECTURE.md` draws the rooms; [`ARROWS`] is that drawing as data. A new room needs a row there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms of `host/src` a room may use. What a room has of its own is not listed.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    // The command `torture` reads what became of it from the store; files of orchestrations are judged as the API judges bodies.
    (
        "cli",
        &[
            "app", "api", "config", "store", "tokens", "plugins", "wake", "clock", "domain",
        ],
    ),
    (
        "app",
        &[
            "api",
            "scheduler",
            "runner",
            "notifier",
            "store",
            "plugins",
            "registry",
            "tokens",
            "janitor",
            "lease",
            "metrics",
            "traces",
            "relay",
            "rotation",
            "wake",
            "config",
            "clock",
            "domain",
        ],
    ),
    (
        "api",
        &[
            "store", "tokens", "registry", "plugins", "metrics", "traces", "ui", "wake", "clock",
            "domain",
        ],
    ),
    ("ui", &[]),
    ("scheduler", &["store", "lease", "wake", "clock", "domain"]),
    (
        "runner",
        &[
            "store", "registry", "plugins", "tokens", "lease", "metrics", "traces", "wake",
            "clock", "domain",
        ],
    ),
    (
        "notifier",
        &[
            "store", "registry", "plugins", "tokens", "lease", "metrics", "traces", "wake",
            "clock", "domain",
        ],
    ),
    ("janitor", &["registry", "store", "wake", "clock", "domain"]),
    (
        "rotation",
        &["store", "tokens", "lease", "wake", "clock", "domain"],
    ),
    ("lease", &["store", "wake", "clock", "domain"]),
    ("relay", &["store", "wake", "clock", "domain"]),
    ("tokens", &["store", "clock", "domain"]),
    // Joins the two that do not know each other.
    ("registry", &["store", "plugins", "domain"]),
    // The only SQL and the only WebAssembly: neither knows the other.
    ("store", &["metrics", "domain"]),
    ("traces", &["metrics", "wake", "clock", "domain"]),
    ("metrics", &["domain"]),
    ("plugins", &["clock", "domain"]),
    ("wake", &["clock", "domain"]),
    // Checks values with the types of the rooms that they are for.
    ("config", &["api", "plugins", "tokens", "store", "domain"]),
    ("clock", &["domain"]),
    ("domain", &[]),
    // The list of the rooms.
    ("lib", &[]),
];

/// Files up to this many lines may do without a head.
const HEADLESS_LINES: usize = 40;
/// Most lines of code in a file: no blank lines, no comments, no tests.
const MOST_CODE_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A source file: its path in the repository, and its text.
struct Source {
    path: String,
    text: String,
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(root()).unwrap();
                found.push(Source {
                    path: shown.to_string_lossy().into_owned(),
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The room of a file: the first part of its path below `host/src`.
fn room(path: &str) -> &str {
    let below = path.strip_prefix("host/src/").unwrap_or(path);
    let first = below.split('/').next().unwrap_or(below);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The rooms that a text names, by `crate::` and, from the binary, by the library's name.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text.lines() {
        for prefix in ["crate::", "orchestrator::"] {
            for rest in line.split(prefix).skip(1) {
                let names = match rest.strip_prefix('{') {
                    Some(group) => group.split(',').collect(),
                    None => vec![rest],
                };
                rooms.extend(names.into_iter().map(first_name));
            }
        }
    }
    rooms.remove("");
    rooms
}

fn first_name(text: &str) -> String {
    let is_of_name = |c: &char| c.is_ascii_lowercase() || *c == '_';
    text.trim_start().chars().take_while(is_of_name).collect()
}

#[test]
fn every_room_uses_only_rooms_that_it_may() {
    let mut wrong = Vec::new();
    for Source { path, text } in sources(&["host/src"]) {
        let own = room(&path);
        let allowed = ARROWS.iter().find(|(room, _)| *room == own);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{path}: {own} has no row in ARROWS"));
        for named in rooms_named(&text) {
            let is_room = ARROWS.iter().any(|(room, _)| *room == named);
            if is_room && named != own && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{path}: {own} may not use {named}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arrows_never_make_a_circle() {
    // Each room may use only rooms that come after it in a list that exists: rooms without arrows into the rest are
    // taken away until none is left.
    let mut left: Vec<_> = ARROWS.to_vec();
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(room, _)| *room).collect();
        let before = left.len();
        left.retain(|(_, uses)| uses.iter().any(|used| names.contains(used)));
        assert!(left.len() < before, "a circle among {names:?}");
    }
}

#[test]
fn the_arrows_are_found_in_every_way_of_writing_them() {
    let text = "use crate::store::{Store, Tx};\nlet x: crate::clock::Clock;\nuse crate::{api, domain::ids};";
    let found: Vec<String> = rooms_named(text).into_iter().collect();
    assert_eq!(found, ["api", "clock", "domain", "store"]);
    assert_eq!(room("host/src/api/read/tasks.rs"), "api");
    assert_eq!(room("host/src/app.rs"), "app");
}

#[test]
fn a_file_of_some_length_says_what_it_is() {
    let headless: Vec<String> = sources(&["host/src"])
        .into_iter()
        .filter(|source| source.text.lines().count() > HEADLESS_LINES)
        .filter(|source| !source.text.lines().any(|line| line.starts_with("//!")))
        .map(|source| source.path)
        .collect();
    assert!(headless.is_empty(), "without a head: {headless:?}");
}

#[test]
fn files_stay_small() {
    let large: Vec<String> = sources(&["host", "plugins"])
        .into_iter()
        .map(|source| (code_lines(&source.text), source.path))
        .filter(|(lines, _)| *lines > MOST_CODE_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines of code"))
        .collect();
    assert!(large.is_empty(), "{}", large.join("\n"));
}

/// Lines of code up to the file's tests.
fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = code.unwrap_or_default().lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .count()
}

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_map_names_tests_that_exist() {
    let code: Vec<Source> = sources(&["host", "plugins", "tests"]);
    let map = document("ARCHITECTURE.md");
    // Names of tests are sentences: no other word has so many underscores.
    let words = map.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let missing: BTreeSet<&str> = words
        .filter(|word| word.matches('_').count() >= 4)
        .filter(|word| {
            let definition = format!("fn {word}(");
            !code.iter().any(|source| source.text.contains(&definition))
        })
        .collect();
    assert!(missing.is_empty(), "named but not there: {missing:?}");
}

#[test]
fn the_readme_explains_every_setting() {
    let (readme, config) = (document("README.md"), document("host/src/config.rs"));
    let settings: BTreeSet<&str> = config
        .split('"')
        .filter(|text| text.starts_with("ORCHESTRATOR_") && !text.contains(' '))
        .collect();
    assert!(settings.len() > 10, "{settings:?}");
    let missing: Vec<_> = settings
        .iter()
        .filter(|setting| !readme.contains(&format!("`{setting}`")))
        .collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for from in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "wit/README.md",
        "plugins/README.md",
        "host/docs/plugin-guide.md",
        "host/docs/cli.md",
        "tests/demo-components/README.md",
        "host/docs/durability.md",
        "host/docs/operations.md",
    ] {
        let folder = root().join(from).parent().unwrap().to_path_buf();
        for rest in document(from).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty()
                && !target.starts_with("https://")
                && !folder.join(target).exists()
            {
                broken.push(format!("{from}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
