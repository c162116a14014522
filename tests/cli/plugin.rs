//! Components that were built before: what is said of them, and how scenarios are played.

use std::fs;
use std::path::PathBuf;

use demo_components::Certificates;
use orchestrator::plugins::{Manifest, Plugins};
use serde_json::json;
use tempfile::TempDir;

use crate::support::author::{Said, cache, command, plugin, said};
use crate::support::guests::{guest, with_manifest};
use crate::support::steps::demo;

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
            "plugin changed requires orchestrator:host/http@",
        ),
        (
            "calls-out",
            json!({"capabilities": [], "hosts": []}),
            "it requires wasi:http/types@",
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
        "kind       unknown to this version: contract is \"0.9\"",
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
    assert!(without.contains("set ORCHESTRATOR_TOKEN"), "{without}");

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
    assert!(said.contains("1 scenario passed"), "{said}");
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
        "1 scenario, 3 failures",
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

#[tokio::test]
async fn a_server_with_an_authority_of_its_own_is_trusted_where_that_is_named() {
    let demo = demo().await;
    let desk = Desk::with(guest("noop"));
    let (component, ca) = (desk.path("plugin.wasm"), desk.path("ca.pem"));
    let other = desk.path("other.pem");
    fs::write(&ca, demo.ca_pem()).expect("written");
    let stranger = Certificates::generate().expect("made");
    fs::write(&other, stranger.ca_pem()).expect("written");
    let push = |more: &[&str]| {
        let component = component.to_str().expect("text");
        let url = demo.base_url();
        let mut command = command(&[&["push", component, "--url", url], more].concat());
        command.env("ORCHESTRATOR_TOKEN", "secret-token");
        tokio::task::spawn_blocking(move || said(command).error())
    };

    let untrusted = push(&[]).await.expect("called");
    let by_another = push(&["--ca", other.to_str().expect("text")]);
    let by_another = by_another.await.expect("called");
    let trusted = push(&["--ca", ca.to_str().expect("text")]);
    let trusted = trusted.await.expect("called");

    assert!(
        untrusted.contains("is not trusted: it is signed by no public authority")
            && untrusted.contains("with --ca"),
        "{untrusted}"
    );
    assert!(
        by_another.contains("neither a public authority nor"),
        "{by_another}"
    );
    // It is no Orchestrator, but it was asked.
    assert!(trusted.contains("the server refused it (404"), "{trusted}");
}

/// The guest `delivers`, which answers as the notification's parameters say.
fn deliver(event: &str, expect: &str) -> Said {
    Desk::with(guest("delivers")).play(&format!("[event]\n{event}\n[expect]\n{expect}\n"))
}

#[test]
fn a_delivery_is_attempted_over_days_that_take_no_time_and_then_given_up() {
    let said = deliver(
        r#"parameters = { answer = "transient" }"#,
        "outcome = \"failed\"\ncode = \"ON_PURPOSE\"",
    )
    .ok();

    assert!(
        said.contains("attempt 1 failed on purpose") && said.contains("follows in 5 s"),
        "{said}"
    );
    assert!(said.contains("follows in 7200 s"), "{said}");
    let ended = said.lines().find(|line| line.starts_with("  failed"));
    let ended = ended.expect("an end");
    assert!(ended.contains("after 46 attempts"), "{ended}");
}

#[test]
fn a_delivery_is_made_again_under_the_same_id_where_the_host_dies_in_it() {
    let said = deliver(
        "kind = \"waiting\"",
        "outcome = \"delivered\"\nattempts = 1\nwaited-seconds = 0",
    )
    .ok();

    assert!(
        said.contains("delivered (delivery_1_scenario in attempt 1) after 1 attempts"),
        "{said}"
    );
    assert!(
        said.contains("host killed in attempt 1: attempted again, delivered"),
        "{said}"
    );
}

#[test]
fn a_delivery_that_ends_otherwise_fails_and_says_how() {
    let said = deliver(
        r#"parameters = { answer = "internal" }"#,
        "outcome = \"delivered\"\nreceipt = \"r\"\nattempts = 2",
    );

    assert_eq!(said.code, Some(1));
    for wanted in [
        "FAILED: it ended failed (ON_PURPOSE: attempt 1 failed on purpose), expected was delivered",
        "FAILED: the receipt is none, expected was r",
        "FAILED: it took 1 attempts, expected were 2",
    ] {
        assert!(said.out.contains(wanted), "{wanted}: {}", said.out);
    }
}

#[test]
fn the_mail_of_a_delivery_is_taken_and_shown() {
    let builtin = Plugins::builtin_components()
        .find(|(_, bytes)| Manifest::of_component(bytes).is_ok_and(|found| found.id == "email"))
        .expect("it is built in");

    let said = Desk::with(builtin.1)
        .play("[event]\nemail = \"me@example.com\"\n[expect]\noutcome = \"delivered\"\n")
        .ok();

    assert!(
        said.contains("mail to me@example.com: [Orchestrator] Nightly load: job failed"),
        "{said}"
    );
}

#[test]
fn a_credential_of_the_scenario_signs_and_one_that_is_missing_is_named() {
    let webhook = Plugins::builtin_components()
        .find(|(_, bytes)| Manifest::of_component(bytes).is_ok_and(|found| found.id == "webhook"))
        .expect("it is built in");
    let desk = Desk::with(webhook.1);
    let event =
        "event = { config = { url = \"https://hooks.example/a\", credential = \"hook\" } }\n";
    let key = "[credentials.hook]\ntype = \"hmac\"\nsecret = \"key\"\n";
    let answers = "[[answers]]\nmethod = \"POST\"\nurl = \"https://hooks.example/a\"\nwith-headers = { webhook-id = \"delivery_1_scenario\", webhook-signature = \"v1,SIGNATURE\" }\n";

    let with = desk.play(&format!(
        "{event}{key}{answers}[expect]\noutcome = \"delivered\"\n"
    ));
    let without = desk.play(&format!(
        "{event}[expect]\noutcome = \"failed\"\ncode = \"NO_CREDENTIAL\"\nmessage = \"hook\"\n"
    ));

    // The key signs what the clock of the scenario and the event say: the request that came is shown.
    assert_eq!(with.code, Some(1));
    assert!(with.out.contains("webhook-signature: v1,"), "{}", with.out);
    without.ok();
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
