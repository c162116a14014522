//! A line of the contract that was released never changes: plugins were built for its shapes, and servers compare them.
//!
//! Comments may become clearer, so they are left out of the digest, and so are blank lines and indentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What stands for the digest of a line that is still being made.
const IN_THE_MAKING: &str = "not frozen";

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

/// The files of each line by their paths below `wit/`: `wit/<package>/v<line>/….wit`.
fn lines() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut lines: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let folders = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .collect()
    };
    for package in folders(&wit()).into_iter().filter(|path| path.is_dir()) {
        for folder in folders(&package) {
            let name = folder
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let line = name
                .strip_prefix('v')
                .expect("a folder of a line")
                .to_owned();
            for file in folders(&folder) {
                let path = file
                    .strip_prefix(wit())
                    .expect("below")
                    .display()
                    .to_string();
                let text = fs::read_to_string(&file).expect("text");
                lines.entry(line.clone()).or_default().insert(path, text);
            }
        }
    }
    lines
}

fn digest(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (path, text) in files {
        hash.update(format!("{path}\n"));
        for line in text.lines() {
            let shape = line.split("//").next().unwrap_or_default().trim();
            if !shape.is_empty() {
                hash.update(format!("{shape}\n"));
            }
        }
    }
    hash.finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The rows `| <line> | … | <digest> |` of the compatibility table.
fn recorded() -> BTreeMap<String, String> {
    let readme = fs::read_to_string(wit().join("README.md")).expect("text");
    let (_, policy) = readme.split_once("\n## Versions\n").expect("the policy");
    let rows = policy.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect::<Vec<_>>()
    });
    cells
        .filter(|cells| cells[0].starts_with(|c: char| c.is_ascii_digit()))
        .map(|cells| {
            let digest = cells.last().expect("a cell").trim_matches('`');
            (cells[0].to_owned(), digest.to_owned())
        })
        .collect()
}

#[test]
fn a_released_line_of_the_contract_does_not_change() {
    let (lines, recorded) = (lines(), recorded());

    let named: BTreeSet<_> = recorded.keys().collect();
    assert_eq!(
        lines.keys().collect::<BTreeSet<_>>(),
        named,
        "the compatibility table in wit/README.md has to have a row for each line in wit/"
    );
    for (line, files) in &lines {
        let (found, wanted) = (digest(files), &recorded[line]);
        assert!(
            found == *wanted || wanted == IN_THE_MAKING,
            "line {line} of the contract is released, and its shapes have changed: plugins that were built for it would no \
             longer load. Take the change back. What is needed may be a value in `extra`, a new function, or a new interface of \
             a name of its own in a new line: copy wit/*/v{line} into folders of the next number, change it there, give it an \
             adapter beside host/src/plugins/contract/, keep the one of {line}, and add a row for it to the compatibility table \
             in wit/README.md (digest: \"{IN_THE_MAKING}\" until it is released). The digest of what is there now is {found}"
        );
    }
}

#[test]
fn comments_and_indentation_are_no_part_of_a_shape_and_all_else_is() {
    let of = |text: &str| digest(&BTreeMap::from([("a".to_owned(), text.to_owned())]));
    let shape = of("record a {\n    b: u8,\n}\n");

    assert_eq!(of("/// Doc.\nrecord a {\n\n  b: u8, // more\n}\n"), shape);
    assert_ne!(of("record a {\n    b: u16,\n}\n"), shape);
    assert_ne!(of("record a {\n    c: u8,\n}\n"), shape);
}
