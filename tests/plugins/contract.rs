//! Which components are taken, and what is said of the others.

use orchestrator::plugins::{Kind, PluginError};
use serde_json::{Value, json};

use crate::support::guests::{guest, with_manifest, with_text};
use crate::support::steps::plugins;

fn manifest(changes: &Value) -> Value {
    let mut manifest = json!({
        "id": "changed", "version": "0.1.0", "kind": "task", "contract": "0.1",
        "capabilities": [], "hosts": [], "restart": "idempotent",
    });
    for (key, value) in changes.as_object().expect("an object") {
        manifest[key] = value.clone();
    }
    manifest
}

fn refusal(component: &[u8]) -> String {
    match plugins().add_component(component) {
        Ok(plugin) => panic!("taken: {plugin:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_shipped_plugins_are_there() {
    let task = plugins().http_component();
    let email = plugins().builtin("email").expect("built in");

    assert_eq!(
        (task.id(), task.manifest().kind),
        ("http-component", Kind::Task)
    );
    assert_eq!(
        (email.id(), email.manifest().kind),
        ("email", Kind::Delivery)
    );
    assert!(task.is_resumable() && !email.is_resumable());
    assert!(plugins().plugin(task.digest()).is_some());
    assert!(plugins().is_builtin(task.digest()) && plugins().builtin("noop").is_none());
    assert!(plugins().plugin("0000").is_none());
}

#[test]
fn a_component_without_a_valid_manifest_is_refused() {
    let noop = guest("noop");

    assert!(refusal(b"\0asm\x01\0\0\0").contains("a core WebAssembly module and not a component"));
    assert!(refusal(&with_manifest(noop, None)).contains("no section"));
    let other_line = with_manifest(noop, Some(&manifest(&json!({"contract": "0.2"}))));
    assert!(refusal(&other_line).contains("this server speaks 0.1"));
}

#[test]
fn a_capability_that_the_manifest_does_not_ask_for_is_not_linked() {
    let calls_out = with_manifest(guest("calls-out"), Some(&manifest(&json!({}))));

    let said = refusal(&calls_out);

    assert!(said.starts_with("plugin changed requires "), "{said}");
    let why = "this host provides that only where the manifest asks for the capability http";
    for import in [
        "orchestrator:host/http@",
        "wasi:http/types@",
        "wasi:http/outgoing-handler@",
    ] {
        let told = said.split("; ").find(|part| part.contains(import));
        assert!(told.is_some_and(|part| part.ends_with(why)), "{said}");
    }
}

#[test]
fn a_component_of_another_kind_is_told_what_it_lacks() {
    let no_delivery = manifest(&json!({"kind": "delivery", "restart": null}));

    let said = refusal(&with_manifest(guest("simple-waits"), Some(&no_delivery)));
    assert!(
        said.contains("only to plugins of the kind task")
            || said.contains("orchestrator:delivery/delivery@0.1.0"),
        "{said}"
    );

    let no_task = refusal(&with_manifest(
        guest("delivers"),
        Some(&manifest(&json!({}))),
    ));
    assert!(
        no_task.contains("requires that it exports orchestrator:task/task@0.1.0, it exports orchestrator:delivery/delivery@0.1.0"),
        "{no_task}"
    );
}

#[test]
fn a_mismatch_names_the_interface_and_the_function() {
    let other_interface = with_text(
        guest("floods-log"),
        "orchestrator:host/log@0.1.0",
        "orchestrator:host/lag@0.1.0",
    );
    let said = refusal(&other_interface);
    assert!(said.contains("orchestrator:host/lag@0.1.0"), "{said}");

    let other_function = with_text(guest("floods-log"), "\u{5}write", "\u{5}wrote");
    let said = refusal(&other_function);
    assert!(
        said.contains("orchestrator:host/log@0.1.0") && said.contains("wrote"),
        "{said}"
    );
}

#[test]
fn a_component_that_needs_asynchronous_functions_is_refused_for_that_reason() {
    // A component of nothing but the built-in function `backpressure.inc`.
    let component = b"\0asm\x0d\0\x01\0\x08\x02\x01\x24";

    let refused = plugins().add_component(&with_manifest(component, Some(&manifest(&json!({})))));

    assert!(
        matches!(refused, Err(PluginError::NeedsAsync { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_component_that_is_damaged_does_not_compile() {
    let damaged = with_manifest(
        b"\0asm\x0d\0\x01\0\x08\x02\x01\xff",
        Some(&manifest(&json!({}))),
    );

    assert!(refusal(&damaged).starts_with("plugin changed does not compile"));
}
