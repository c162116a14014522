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
    fresh_named(&format!("{language}-{kind}"), language, kind, kept)
}

fn fresh_named(name: &str, language: &str, kind: &str, kept: &[&str]) -> std::path::PathBuf {
    let dir = lasting_dir("plugins");
    let (project, aside) = (dir.join(name), dir.join(format!("{name}-kept")));
    fs::create_dir_all(&aside).expect("a folder");
    for name in kept {
        // Absent in the first run.
        let _ = fs::rename(project.join(name), aside.join(name));
    }
    let _ = fs::remove_dir_all(&project);
    let within = dir.to_str().expect("text");
    let new = ["new", name, "--lang", language, "--within", within];
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

/// A plugin in JavaScript of one step, with one scenario.
fn small_in_javascript(name: &str, source: &str, capabilities: &str, scenario: &str) -> String {
    let project = fresh_named(name, "js", "task", &["node_modules"]);
    fs::remove_dir_all(project.join("scenarios")).expect("removed");
    fs::create_dir(project.join("scenarios")).expect("a folder");
    let manifest = format!(
        "id = \"{name}\"\nversion = \"0.1.0\"\nkind = \"task\"\ncontract = \"0.1\"\nrestart = \"idempotent\"\n{capabilities}"
    );
    for (path, text) in [
        ("plugin.toml", manifest.as_str()),
        ("src/plugin.js", source),
        ("scenarios/one.toml", scenario),
    ] {
        fs::write(project.join(path), text).expect("written");
    }
    project.to_str().expect("text").to_owned()
}

#[test]
fn a_plugin_that_asks_for_nothing_is_built_without_http() {
    if !has("npm", &["--version"], "JavaScript") {
        return;
    }
    let project = small_in_javascript(
        "js-pure",
        "import { defineTask, done } from \"./orchestrator.js\";\n\
         export const { task, resumable } = defineTask({ start: (context) => done({ run: context.runId }) });\n",
        "",
        "[expect]\noutcome = \"success\"\nresponse = { run = \"1.1\" }\n",
    );

    let built = plugin(&["build", &project, &cache()]).ok();
    let tested = plugin(&["test", &project, &cache()]).ok();
    let inspected = plugin(&["inspect", &project]).ok();

    assert!(built.contains("fits contract 0.1"), "{built}");
    assert!(tested.contains("1 scenario passed"), "{tested}");
    assert!(!inspected.contains("orchestrator:host/http"), "{inspected}");
}

#[test]
fn a_request_before_a_save_that_a_crash_would_repeat_is_found() {
    if !has("npm", &["--version"], "JavaScript") {
        return;
    }
    let project = small_in_javascript(
        "js-saves",
        "import { defineTask, done, save, send } from \"./orchestrator.js\";\n\
         const order = () => send(\"POST\", \"https://api.example.com/orders\");\n\
         const start = () => { order(); save({ ordered: true }); return done(); };\n\
         export const { task, resumable } = defineTask({ start, resume: () => done() });\n",
        "capabilities = [\"http\"]\nhosts = [\"https://api.example.com\"]\n",
        "[[answers]]\nmethod = \"POST\"\nurl = \"https://api.example.com/orders\"\n[expect]\noutcome = \"success\"\n",
    );
    plugin(&["build", &project, &cache()]).ok();

    let tested = plugin(&["test", &project, &cache()]);

    assert_eq!(tested.code, Some(1), "{}", tested.out);
    for wanted in [
        "host killed in step 0 before save 1: repeated in doubt, ended in success",
        "sent again after a crash, without an Idempotency-Key",
        "host killed in step 0: repeated, ended in success",
        "1 scenario, 1 failure",
    ] {
        assert!(tested.out.contains(wanted), "{wanted}: {}", tested.out);
    }
}
