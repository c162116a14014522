//! From nothing to a plugin of either kind that passes its scenarios, in each language, with what the language's registry
//! gives.
//!
//! What the tools have downloaded and compiled is kept beside the tests' other output, so that only the first run takes long.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::author::{cache, lasting_dir, plugin};

/// Makes a plugin, where an earlier run's was, and takes over what that one's tools left.
fn fresh(language: &str, kind: &str, kept: &[&str]) -> std::path::PathBuf {
    let dir = lasting_dir("plugins");
    let name = format!("{language}-{kind}");
    let (project, aside) = (dir.join(&name), dir.join(format!("{name}-kept")));
    fs::create_dir_all(&aside).expect("a folder");
    for name in kept {
        // Absent in the first run.
        let _ = fs::rename(project.join(name), aside.join(name));
    }
    let _ = fs::remove_dir_all(&project);
    let within = dir.to_str().expect("text");
    let new = ["new", &name, "--lang", language, "--within", within];
    match kind {
        "task" => plugin(&new).ok(),
        kind => plugin(&[new.as_slice(), &["--kind", kind]].concat()).ok(),
    };
    for name in kept {
        let _ = fs::rename(aside.join(name), project.join(name));
    }
    project
}

/// What is said of a plugin from its building to its scenarios.
struct Passed {
    checked: String,
    inspected: String,
    tested: String,
}

fn build_and_play(project: &Path) -> Passed {
    let path = project.to_str().expect("text");
    let built = plugin(&["build", path, &cache()]).ok();
    assert!(built.contains("fits contract 0.1"), "{built}");
    let checked = plugin(&["check", path, &cache()]).ok();
    assert!(!checked.contains("note:"), "{checked}");
    let tested = plugin(&["test", path, &cache()]).ok();
    assert!(tested.contains("2 scenarios passed"), "{tested}");
    Passed {
        checked,
        inspected: plugin(&["inspect", path]).ok(),
        tested,
    }
}

fn task_is_built_and_passes(language: &str, kept: &[&str]) {
    let said = build_and_play(&fresh(language, "task", kept));
    for (text, wanted) in [
        (&said.checked, "a task type that can wait"),
        (&said.inspected, "kind       task"),
        (&said.inspected, "orchestrator:task/resumable@0.1.0"),
        (
            &said.tested,
            "in step 0: repeated in doubt, ended in success",
        ),
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

fn delivery_is_built_and_passes(language: &str, kept: &[&str]) {
    let said = build_and_play(&fresh(language, "delivery", kept));
    for (text, wanted) in [
        (&said.checked, "a delivery"),
        (&said.inspected, "kind       delivery"),
        (&said.inspected, "orchestrator:delivery/delivery@0.1.0"),
        (
            &said.tested,
            "delivered (alert 7) after 2 attempts and 30 s of waiting",
        ),
        (
            &said.tested,
            "host killed in attempt 2: attempted again, delivered",
        ),
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
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
    task_is_built_and_passes("rust", &["target"]);
}

#[test]
fn a_delivery_in_rust_from_nothing_to_its_passed_scenarios() {
    delivery_is_built_and_passes("rust", &["target"]);
}

#[test]
fn a_plugin_in_javascript_from_nothing_to_its_passed_scenarios() {
    if has("npm", &["--version"], "JavaScript") {
        task_is_built_and_passes("js", &["node_modules"]);
    }
}

#[test]
fn a_delivery_in_javascript_from_nothing_to_its_passed_scenarios() {
    if has("npm", &["--version"], "JavaScript") {
        delivery_is_built_and_passes("js", &["node_modules"]);
    }
}

#[test]
fn a_plugin_in_python_from_nothing_to_its_passed_scenarios() {
    if has("python3", &["-c", "import ensurepip, venv"], "Python") {
        task_is_built_and_passes("python", &[".venv"]);
    }
}

#[test]
fn a_delivery_in_python_from_nothing_to_its_passed_scenarios() {
    if has("python3", &["-c", "import ensurepip, venv"], "Python") {
        delivery_is_built_and_passes("python", &[".venv"]);
    }
}
