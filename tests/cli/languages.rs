//! From nothing to a plugin that passes its scenarios, in each language, with what the language's registry gives.
//!
//! What the tools have downloaded and compiled is kept beside the tests' other output, so that only the first run takes long.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::author::{cache, lasting_dir, plugin};

/// Makes a plugin, where an earlier run's was, and takes over what that one's tools left.
fn fresh(language: &str, kept: &[&str]) -> std::path::PathBuf {
    let dir = lasting_dir("plugins");
    let (project, aside) = (dir.join(language), dir.join(format!("{language}-kept")));
    fs::create_dir_all(&aside).expect("a folder");
    for name in kept {
        // Absent in the first run.
        let _ = fs::rename(project.join(name), aside.join(name));
    }
    let _ = fs::remove_dir_all(&project);
    plugin(&[
        "new",
        language,
        "--lang",
        language,
        "--within",
        dir.to_str().expect("text"),
    ])
    .ok();
    for name in kept {
        let _ = fs::rename(aside.join(name), project.join(name));
    }
    project
}

fn is_built_and_passes(project: &Path) {
    let path = project.to_str().expect("text");

    let built = plugin(&["build", path, &cache()]).ok();
    let checked = plugin(&["check", path, &cache()]).ok();
    let inspected = plugin(&["inspect", path]).ok();
    let tested = plugin(&["test", path, &cache()]).ok();

    assert!(built.contains("fits contract 0.1"), "{built}");
    assert!(checked.contains("a task type that can wait"), "{checked}");
    assert!(!checked.contains("note:"), "{checked}");
    assert!(
        inspected.contains("orchestrator:task/resumable@0.1.0"),
        "{inspected}"
    );
    assert!(tested.contains("2 scenarios passed"), "{tested}");
    assert!(
        tested.contains("in step 0: repeated in doubt, ended in success"),
        "{tested}"
    );
}

/// Whether the tool can be called; where not, says that the test is skipped, on the terminal itself: what a test that passes prints
/// is not shown.
fn has(tool: &str, arguments: &[&str], what: &str) -> bool {
    let mut command = Command::new(tool);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let is_there = command.status().is_ok_and(|status| status.success());
    if !is_there {
        let line = format!("\nskipped: a plugin in {what}, because {tool} is not installed\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    is_there
}

#[test]
fn a_plugin_in_rust_from_nothing_to_its_passed_scenarios() {
    is_built_and_passes(&fresh("rust", &["target"]));
}

#[test]
fn a_plugin_in_javascript_from_nothing_to_its_passed_scenarios() {
    if has("npm", &["--version"], "JavaScript") {
        is_built_and_passes(&fresh("js", &["node_modules"]));
    }
}

#[test]
fn a_plugin_in_python_from_nothing_to_its_passed_scenarios() {
    if has("python3", &["-c", "import ensurepip, venv"], "Python") {
        is_built_and_passes(&fresh("python", &[".venv"]));
    }
}
