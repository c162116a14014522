//! Manifests that are read, and what is said of those that are not.

use super::*;
use serde_json::json;
use std::time::Duration;

fn valid() -> Value {
    json!({
        "id": "a-task", "version": "1.0.0", "kind": "task", "contract": "0.1",
        "capabilities": ["http"], "hosts": ["https://api.example"], "restart": "lookup",
    })
}

fn error_with(key: &str, value: Value) -> String {
    let mut json = valid();
    json[key] = value;
    Manifest::parse(json.to_string().as_bytes())
        .and_then(|manifest| manifest.check_schemas())
        .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn a_valid_manifest_is_read() {
    let manifest = Manifest::parse(valid().to_string().as_bytes()).expect("valid");
    assert_eq!(
        (manifest.id.as_str(), manifest.kind),
        ("a-task", Kind::Task)
    );
    assert_eq!(manifest.restart, Restart::Lookup);
    assert!(manifest.asks_for(Capability::Http) && !manifest.asks_for(Capability::Mail));
}

#[test]
fn each_fault_names_its_key() {
    for (key, value, said) in [
        ("id", json!("A"), "id: "),
        ("version", json!("1.0"), "version: "),
        ("kind", json!("channel"), "kind: unknown variant `channel`"),
        (
            "contract",
            json!("0.2"),
            "contract is \"0.2\"; this server speaks 0.1",
        ),
        (
            "capabilities",
            json!(["mail", "http"]),
            "capabilities: mail is for",
        ),
        (
            "capabilities",
            json!(["files"]),
            "capabilities: unknown variant `files`",
        ),
        ("hosts", json!([]), "hosts: "),
        (
            "hosts",
            json!(["http://api.example"]),
            "hosts: \"http://api.example\" is neither",
        ),
        ("restart", Value::Null, "restart: "),
        (
            "restart",
            json!("always"),
            "restart: unknown variant `always`",
        ),
        ("limits", json!({"cpu": 1}), "unknown field `cpu`"),
        (
            "credentials",
            json!(["a b"]),
            "credentials: at most 20 names",
        ),
        (
            "config-schema",
            json!(1),
            "config-schema: must be an object",
        ),
        ("capabilties", json!([]), "unknown field `capabilties`"),
    ] {
        let error = error_with(key, value.clone());
        assert!(error.contains(said), "{key} = {value}: {error}");
    }
}

#[test]
fn limits_are_read_in_their_units() {
    let mut json = valid();
    json["limits"] = json!({"cpu-seconds": 2, "memory-mebibytes": 16});
    let limits = Manifest::parse(json.to_string().as_bytes())
        .expect("valid")
        .limits;
    assert_eq!(limits.cpu(), Some(Duration::from_secs(2)));
    assert_eq!(limits.memory_bytes(), Some(16 << 20));
    assert_eq!(limits.wall(), None);
}

#[test]
fn what_is_named_counts_only_where_the_manifest_asks_for_it() {
    let wanted = |credentials: Value, named| {
        let mut json = valid();
        json["credentials"] = credentials;
        let manifest = Manifest::parse(json.to_string().as_bytes()).unwrap();
        manifest.credentials_wanted(named, |_| true)
    };
    assert_eq!(wanted(json!([]), Some("shop")), Vec::<String>::new());
    assert_eq!(wanted(json!(["named"]), Some("shop")), ["shop"]);
    assert_eq!(wanted(json!(["named"]), None), Vec::<String>::new());
    assert_eq!(
        wanted(json!(["own", "named"]), Some("shop")),
        ["own", "shop"]
    );
}
