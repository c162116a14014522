//! Components that were built before: what is said of them, and how scenarios are played.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::author::{Said, cache, command, plugin, said};
use crate::support::guests::{guest, with_manifest};

/// A component and a scenario in a folder of their own.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn with(component: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("plugin.wasm"), component).expect("written");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn call(&self, name: &str) -> Said {
        let component = self.path("plugin.wasm");
        plugin(&[name, component.to_str().expect("text"), &cache()])
    }

    fn play(&self, scenario: &str) -> Said {
        let file = self.path("scenario.toml");
        fs::write(&file, scenario).expect("written");
        let component = self.path("plugin.wasm");
        let (component, file) = (
            component.to_str().expect("text"),
            file.to_str().expect("text"),
        );
        plugin(&["test", component, "--scenario", file, &cache()])
    }
}

fn manifest(changes: &serde_json::Value) -> serde_json::Value {
    let mut manifest = json!({
        "id": "changed", "version": "0.1.0", "kind": "task", "contract": "0.1",
        "capabilities": ["http"], "hosts": ["https://api.example"], "restart": "idempotent",
    });
    for (key, value) in changes.as_object().expect("an object") {
        manifest[key] = value.clone();
    }
    manifest
}

#[test]
fn a_component_that_fits_is_told_so_with_what_it_asks_for_in_vain() {
    let said = Desk::with(guest("waits")).call("check").ok();
    assert!(
        said.contains("plugin waits 0.1.0, a task type that can wait"),
        "{said}"
    );
    assert!(said.contains("fits contract 0.1"), "{said}");
    assert!(!said.contains("note:"), "{said}");

    let greedy = with_manifest(guest("waits"), Some(&manifest(&json!({}))));
    let said = Desk::with(&greedy).call("check").ok();
    assert!(
        said.contains("note: the manifest asks for the capability http"),
        "{said}"
    );
}

#[test]
fn a_component_that_does_not_fit_is_told_what_it_requires_and_what_is_provided() {
    for (name, changes, wanted) in [
        (
            "calls-out",
            json!({"capabilities": [], "hosts": []}),
            "plugin changed requires wasi:http/types",
        ),
        (
            "calls-out",
            json!({"capabilities": [], "hosts": []}),
            "this host provides that only where the manifest asks for the capability http",
        ),
        (
            "noop",
            json!({"contract": "0.9"}),
            "contract is \"0.9\"; this server speaks 0.1",
        ),
        (
            "noop",
            json!({"hosts": ["http://api.example"]}),
            "hosts: \"http://api.example\"",
        ),
        (
            "delivers",
            json!({}),
            "this host requires that it exports orchestrator:task/task@0.1.0, it exports orchestrator:delivery/delivery@0.1.0",
        ),
    ] {
        let component = with_manifest(guest(name), Some(&manifest(&changes)));
        let said = Desk::with(&component).call("check").error();
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    let bare = with_manifest(guest("noop"), None);
    let said = Desk::with(&bare).call("check").error();
    assert!(
        said.contains("no section \"orchestrator:manifest\""),
        "{said}"
    );
}

#[test]
fn inspect_shows_what_a_component_is_also_where_it_does_not_fit() {
    let other_line = with_manifest(guest("noop"), Some(&manifest(&json!({"contract": "0.9"}))));

    let component = Desk::with(&other_line);
    let file = component.path("plugin.wasm");
    let said = plugin(&["inspect", file.to_str().expect("text")]).ok();

    for wanted in [
        "\"contract\": \"0.9\"",
        &format!("size       {} bytes", other_line.len()),
        "orchestrator:host/checkpoints@0.1.0",
        "exports    orchestrator:task/task@0.1.0",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn mistakes_are_told_in_one_message_that_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_str().expect("text").to_owned();
    fs::create_dir(at("empty")).expect("made");
    fs::write(at("core.wasm"), b"\0asm\x01\0\0\0").expect("written");
    fs::write(at("text.wasm"), b"package a:b;").expect("written");
    let new = |name: &str| {
        let within = dir.path().to_str().expect("text");
        plugin(&["new", name, "--lang", "js", "--within", within])
    };
    new("mine").ok();
    new("strange").ok();
    fs::remove_file(at("strange/package.json")).expect("removed");
    new("broken").ok();
    fs::write(at("broken/plugin.toml"), "id = ").expect("written");

    for (said, wanted) in [
        (plugin(&["build", &at("nowhere")]), "there is no folder"),
        (plugin(&["build", &at("empty")]), "it has no plugin.toml"),
        (
            plugin(&["build", &at("strange")]),
            "neither a Cargo.toml (Rust), nor a package.json",
        ),
        (plugin(&["build", &at("broken")]), "plugin.toml: "),
        (
            plugin(&["check", &at("mine")]),
            "mine is not built yet: run `orchestrator plugin build",
        ),
        (
            plugin(&["check", &at("none.wasm")]),
            "there is no component",
        ),
        (
            plugin(&["check", &at("core.wasm")]),
            "it is a core module; build it for wasm32-wasip2",
        ),
        (
            plugin(&["inspect", &at("text.wasm")]),
            "this is not a WebAssembly component",
        ),
        (new("mine"), "is there already"),
        (new("No Name"), "lower-case letters, digits and hyphens"),
    ] {
        let message = said.error();
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
}

#[test]
fn a_missing_tool_is_named_with_what_brings_it() {
    for (language, tool, hint) in [
        ("js", "the tool npm is not there", "Install Node.js"),
        ("python", "the tool python3 is not there", "Install Python"),
        ("rust", "could not be started", "Is Rust installed"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        let within = dir.path().to_str().expect("text");
        plugin(&["new", "mine", "--lang", language, "--within", within]).ok();

        let mine = dir.path().join("mine");
        let mut build = command(&["build", mine.to_str().expect("text"), &cache()]);
        build.env("PATH", dir.path()).env_remove("CARGO");
        let message = said(build).error();

        assert!(
            message.contains(tool) && message.contains(hint),
            "{message}"
        );
    }
}

#[test]
fn a_token_is_taken_from_the_environment_and_not_sent_in_the_clear() {
    let desk = Desk::with(guest("noop"));
    let component = desk.path("plugin.wasm");
    let component = component.to_str().expect("text");

    let without = plugin(&["push", component, "--url", "https://orchestrator.invalid"]).error();
    assert!(
        without.contains("ORCHESTRATOR_TOKEN is not set"),
        "{without}"
    );

    let mut push = command(&["push", component, "--url", "http://orchestrator.invalid"]);
    push.env("ORCHESTRATOR_TOKEN", "secret-token");
    let in_the_clear = said(push).error();
    assert!(in_the_clear.contains("is not https"), "{in_the_clear}");
    assert!(!in_the_clear.contains("secret-token"), "{in_the_clear}");
}

#[test]
fn hours_of_waiting_take_no_time_and_every_crash_leads_to_the_same_end() {
    let desk = Desk::with(guest("waits"));

    let said = desk
        .play(
            r#"
            task = { parameters = { times = 4, afterMs = 3600000 } }
            [expect]
            outcome = "success"
            response = { steps = 4 }
            steps = 5
            waited-seconds = 14400
            "#,
        )
        .ok();

    assert!(said.contains("waits 3600 s"), "{said}");
    assert!(
        said.contains("host killed after each step: ended in success"),
        "{said}"
    );
    assert_eq!(said.matches("host killed in step").count(), 5, "{said}");
    assert!(said.contains("1 scenarios passed"), "{said}");
}

#[test]
fn a_scenario_that_ends_otherwise_fails_and_says_how() {
    let desk = Desk::with(guest("waits"));

    let said = desk.play(
        "task = { parameters = { times = 1 } }\n[expect]\noutcome = \"error\"\nsteps = 1\nresponse = { steps = 2 }\n",
    );

    assert_eq!(said.code, Some(1));
    for wanted in [
        "FAILED: it ended in success {\"steps\":1}, expected was error",
        "FAILED: it took 2 steps, expected were 1",
        "FAILED: the response is {\"steps\":1}, expected was {\"steps\":2}",
        "1 scenarios, 3 failures",
    ] {
        assert!(said.out.contains(wanted), "{wanted}: {}", said.out);
    }
}

#[test]
fn a_component_that_traps_fails_its_scenario_with_its_last_words() {
    let said = Desk::with(guest("traps")).play("[expect]\noutcome = \"success\"\n");

    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("ended in error TRAP"), "{}", said.out);
    assert!(said.out.contains("trapped on purpose"), "{}", said.out);
}

const ONE_POST: &str = r#"
[task.parameters]
method = "POST"
url = "https://api.example/things"
body = '{"a":1,"b":2}'
"#;

#[test]
fn a_request_that_the_script_does_not_answer_is_shown_with_what_is_left() {
    let desk = Desk::with(guest("calls-out"));

    let said = desk.play(&format!(
        "{ONE_POST}\n[[answers]]\nmethod = \"POST\"\nurl = \"https://api.example/things\"\nbody = {{ a = 2 }}\n[expect]\noutcome = \"success\"\n"
    ));

    assert_eq!(said.code, Some(1));
    for wanted in [
        "FAILED: no answer is left for POST https://api.example/things",
        "{\"a\":1,\"b\":2}",
        "left is POST https://api.example/things with {\"a\":2}",
        "FAILED: POST https://api.example/things was asked for 0 of 1 times",
    ] {
        assert!(said.out.contains(wanted), "{wanted}: {}", said.out);
    }
}

#[test]
fn what_a_crash_would_do_twice_fails_without_an_idempotency_key() {
    let desk = Desk::with(guest("calls-out"));
    let rest = "\n[[answers]]\nmethod = \"POST\"\nurl = \"https://api.example/things\"\nstatus = 201\n[expect]\noutcome = \"success\"\n";

    let without = desk.play(&format!("{ONE_POST}{rest}"));
    let with = desk.play(&format!(
        "{ONE_POST}\nheaders = {{ Idempotency-Key = \"k\" }}\n{rest}"
    ));

    assert_eq!(without.code, Some(1));
    assert!(
        without
            .out
            .contains("sent again after a crash, without an Idempotency-Key"),
        "{}",
        without.out
    );
    assert!(
        with.ok()
            .contains("host killed in step 0: repeated in doubt, ended in success")
    );
}

#[test]
fn a_task_that_is_never_repeated_ends_in_doubt_after_a_crash() {
    let never = manifest(&json!({"restart": "never"}));
    let desk = Desk::with(&with_manifest(guest("calls-out"), Some(&never)));

    let said = desk.play(&format!(
        "{ONE_POST}\n[[answers]]\nmethod = \"POST\"\nurl = \"https://api.example/things\"\n[expect]\noutcome = \"success\"\n"
    ));

    assert!(
        said.ok()
            .contains("host killed in step 0: not repeated, ended IN_DOUBT")
    );
}

#[test]
fn a_task_that_waits_beyond_its_time_ends_as_in_a_server() {
    let said = Desk::with(guest("waits")).play(
        "[task]\nparameters = { times = 9, afterMs = 60000 }\ntimeout-minutes = 2\n[expect]\noutcome = \"error\"\ncode = \"TIMEOUT\"\nwaited-seconds = 120\n",
    );

    said.ok();
}

#[test]
fn a_typing_error_in_a_scenario_is_told_with_its_place() {
    let said = Desk::with(guest("waits")).play("[expect]\noutcom = \"success\"\n");

    let message = said.error();
    assert!(
        message.contains("scenario.toml is no scenario"),
        "{message}"
    );
    assert!(message.contains("unknown field `outcom`"), "{message}");
}
