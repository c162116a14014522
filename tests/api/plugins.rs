//! Plugins of a project: what an upload is told, what waits for a grant, who may do what.

use super::{create, start};
use crate::support::client::{Answer, Client};
use crate::support::guests::{guest, with_manifest, with_text};
use crate::support::server::{Server, default_settings};
use orchestrator::api::ApiSettings;
use reqwest::Method;
use serde_json::{Value, json};

/// Sends a component as a client would.
pub async fn upload(client: &Client, component: &[u8]) -> Answer {
    let request = client
        .request(Method::POST, "/plugins")
        .header("Content-Type", "application/wasm")
        .body(component.to_vec());
    client.send(request).await
}

/// The guest that calls out, with these keys of its manifest changed.
fn calls_out(changes: &Value) -> Vec<u8> {
    with_changes(
        guest("calls-out"),
        json!({
            "id": "caller", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "idempotent",
            "capabilities": ["http"], "hosts": ["https://a.example"],
        }),
        changes,
    )
}

/// A plugin that asks for nothing, with these keys of its manifest changed.
pub fn noop(changes: &Value) -> Vec<u8> {
    let manifest = json!({"id": "mine", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "never"});
    with_changes(guest("noop"), manifest, changes)
}

fn with_changes(component: &[u8], mut manifest: Value, changes: &Value) -> Vec<u8> {
    for (key, value) in changes.as_object().expect("an object") {
        manifest[key] = value.clone();
    }
    with_manifest(component, Some(&manifest))
}

#[tokio::test]
async fn a_plugin_that_asks_for_nothing_is_usable_at_once() {
    let Some(server) = start().await else { return };
    let client = server.client();

    let added = upload(&client, guest("noop")).await.expect(201);

    assert_eq!(added["id"], "noop");
    assert_eq!(
        (&added["status"], &added["origin"]),
        (&json!("ready"), &json!("project"))
    );
    assert_eq!(
        (&added["version"], &added["granted"]),
        (&json!("0.1.0"), &Value::Null)
    );
    let version = &added["versions"][0];
    assert_eq!(version["status"], "serving");
    assert_eq!(version["sizeBytes"], guest("noop").len());
    assert_eq!(version["digest"].as_str().map(str::len), Some(64));
    assert_eq!(version["createdTime"], "2013-03-02T10:11:24+00:00");
    assert_eq!(added["manifest"]["restart"], "idempotent");
    assert_eq!(client.get("/plugins/noop").await.expect(200), added);
    assert_eq!(
        client.get("/plugins/noop/versions").await.expect(200),
        added["versions"]
    );
    // The same once more changes nothing.
    assert_eq!(upload(&client, guest("noop")).await.expect(200), added);
}

#[tokio::test]
async fn a_project_sees_the_built_in_plugins_and_its_own() {
    let Some(server) = start().await else { return };
    upload(&server.client(), &noop(&json!({})))
        .await
        .expect(201);

    let listed = server.client().get("/plugins").await.expect(200);

    let listed = listed.as_array().expect("a list").iter();
    let listed: Vec<_> = listed
        .map(|one| (one["id"].as_str(), one["origin"].as_str()))
        .collect();
    for seen in [
        ("email", "built-in"),
        ("http-component", "built-in"),
        ("mine", "project"),
    ] {
        assert!(listed.contains(&(Some(seen.0), Some(seen.1))), "{listed:?}");
    }
    let email = server.client().get("/plugins/email").await.expect(200);
    assert_eq!(
        (&email["kind"], &email["status"]),
        (&json!("delivery"), &json!("ready"))
    );
    assert_eq!(email["asked"]["capabilities"], json!(["mail"]));
}

#[tokio::test]
async fn a_plugin_that_asks_for_addresses_waits_for_a_grant() {
    let Some(server) = start().await else { return };
    let client = server.client();

    let asks = json!({"credentials": ["named"]});
    let added = upload(&client, &calls_out(&asks)).await.expect(201);

    assert_eq!(
        (&added["status"], &added["version"]),
        (&json!("awaiting-grant"), &Value::Null)
    );
    assert_eq!(
        added["newlyAsked"],
        json!({"capabilities": ["http"], "hosts": ["https://a.example"], "credentials": ["named"]})
    );
    assert_eq!(added["versions"][0]["status"], "awaiting-grant");

    let grant = json!({"capabilities": ["http"], "hosts": ["https://a.example"], "credentials": ["named"], "limits": {"cpuSeconds": 2}});
    let granted = client
        .put("/plugins/caller/grant", grant.clone())
        .await
        .expect(200);

    assert_eq!(
        (&granted["status"], &granted["version"]),
        (&json!("ready"), &json!("1.0.0"))
    );
    assert_eq!(granted["granted"], grant);
    assert_eq!(
        granted["newlyAsked"],
        json!({"capabilities": [], "hosts": [], "credentials": []})
    );
    assert_eq!(client.get("/plugins/caller").await.expect(200), granted);
}

#[tokio::test]
async fn a_credential_that_is_asked_for_is_granted_like_a_host() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let first = upload(&client, &noop(&json!({}))).await.expect(201);
    assert_eq!(first["status"], "ready");

    let asks = json!({"version": "1.1.0", "credentials": ["shop"]});
    let more = upload(&client, &noop(&asks)).await.expect(201);

    assert_eq!(
        (&more["version"], &more["newlyAsked"]["credentials"]),
        (&json!("1.0.0"), &json!(["shop"]))
    );
    let wrong = json!({"credentials": ["a b"]});
    let refused = client.put("/plugins/mine/grant", wrong).await;
    assert_eq!(refused.refusal(400), "VALIDATION");
    let grant = json!({"credentials": ["shop"]});
    let granted = client.put("/plugins/mine/grant", grant).await.expect(200);
    assert_eq!(
        (&granted["version"], &granted["granted"]["credentials"]),
        (&json!("1.1.0"), &json!(["shop"]))
    );
}

#[tokio::test]
async fn a_new_version_that_asks_for_more_waits_while_the_old_one_serves() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, &calls_out(&json!({}))).await.expect(201);
    let grant = json!({"capabilities": ["http"], "hosts": ["https://a.example"]});
    client.put("/plugins/caller/grant", grant).await.expect(200);

    // The same rights: it serves at once.
    let same = upload(&client, &calls_out(&json!({"version": "1.0.1"})))
        .await
        .expect(201);
    assert_eq!(
        (&same["version"], &same["newestVersion"]),
        (&json!("1.0.1"), &json!("1.0.1"))
    );
    let hosts = json!({"version": "1.1.0", "hosts": ["https://a.example", "https://b.example"]});
    let more = upload(&client, &calls_out(&hosts)).await.expect(201);

    assert_eq!(
        (&more["version"], &more["newestVersion"]),
        (&json!("1.0.1"), &json!("1.1.0"))
    );
    assert_eq!(
        more["newlyAsked"],
        json!({"capabilities": [], "hosts": ["https://b.example"], "credentials": []})
    );
    assert_eq!(more["status"], "ready");
    let states = more["versions"].as_array().expect("versions").iter();
    let states: Vec<_> = states
        .map(|version| version["status"].as_str().expect("text"))
        .collect();
    assert_eq!(states, ["awaiting-grant", "serving", "superseded"]);

    // A grant for what was looked at does not let in what came after that.
    let grant = json!({"version": "1.0.1", "capabilities": ["http"], "hosts": []});
    let stale = client.put("/plugins/caller/grant", grant).await;
    assert_eq!(stale.refusal(409), "PLUGIN_CHANGED");
    // Less than it asks for is enough to serve.
    let grant =
        json!({"version": "1.1.0", "capabilities": ["http"], "hosts": ["https://b.example"]});
    let granted = client.put("/plugins/caller/grant", grant).await.expect(200);
    assert_eq!(granted["version"], "1.1.0");
}

#[tokio::test]
async fn what_is_no_usable_plugin_is_refused_with_the_place_and_the_reason() {
    let Some(server) = start().await else { return };
    let cut = &guest("noop")[..guest("noop").len() - 100];
    let other_interface = with_text(
        guest("floods-log"),
        "orchestrator:host/log@0.1.0",
        "orchestrator:host/lag@0.1.0",
    );
    let asynchronous = with_changes(
        b"\0asm\x0d\0\x01\0\x08\x02\x01\x24",
        json!({"id": "later", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "never"}),
        &json!({}),
    );
    let damaged = with_changes(
        b"\0asm\x0d\0\x01\0\x08\x02\x01\xff",
        json!({"id": "damaged", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "never"}),
        &json!({}),
    );
    let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0".to_vec();
    let recursive =
        json!({"config-schema": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}});
    let wide = json!({"config-schema": {"$ref": "https://example.com/schema"}});
    for (what, component, path, why) in [
        ("nothing", Vec::new(), "", "this is empty"),
        (
            "a core module",
            module,
            "",
            "a core WebAssembly module and not a component",
        ),
        (
            "a WIT text",
            b"package a:b@0.1.0;\nworld c {}\n".to_vec(),
            "",
            "a WIT text",
        ),
        (
            "a text form",
            b"(component)".to_vec(),
            "",
            "in its text form",
        ),
        (
            "some JSON",
            b"{\"id\": 1}".to_vec(),
            "",
            "not a WebAssembly component",
        ),
        (
            "garbage",
            vec![0xfe; 10_000],
            "",
            "not a WebAssembly component",
        ),
        (
            "a part",
            cut.to_vec(),
            "",
            "ends in the middle of a section",
        ),
        (
            "no manifest",
            with_manifest(guest("noop"), None),
            "",
            "no section \"orchestrator:manifest\"",
        ),
        (
            "another line",
            noop(&json!({"contract": "0.2"})),
            "manifest.contract",
            "this server speaks 0.1",
        ),
        (
            "a bad id",
            noop(&json!({"id": "../x"})),
            "manifest.id",
            "lower-case letters",
        ),
        (
            "an unknown key",
            noop(&json!({"hostz": []})),
            "manifest",
            "unknown field `hostz`",
        ),
        (
            "a recursive schema",
            noop(&recursive),
            "manifest.config-schema",
            "comes back to itself",
        ),
        (
            "a schema elsewhere",
            noop(&wide),
            "manifest.config-schema",
            "lead to a part of this schema",
        ),
        (
            "no capability",
            calls_out(&json!({"capabilities": [], "hosts": []})),
            "contract",
            "only where the manifest asks for the capability http",
        ),
        (
            "an unknown import",
            other_interface,
            "contract",
            "orchestrator:host/lag@0.1.0",
        ),
        (
            "a delivery's manifest",
            noop(&json!({"kind": "delivery", "restart": null})),
            "contract",
            "orchestrator:",
        ),
        (
            "asynchronous functions",
            asynchronous,
            "contract",
            "needs asynchronous functions",
        ),
        ("a damaged component", damaged, "code", "does not compile"),
    ] {
        let refused = upload(&server.client(), &component).await.expect(422);

        assert_eq!(refused["code"], "PLUGIN_INVALID", "{what}: {refused}");
        let error = &refused["errors"][0];
        assert_eq!(error["path"], path, "{what}: {error}");
        assert!(
            error["message"].as_str().expect("text").contains(why),
            "{what}: {error}"
        );
    }
    let listed = server.client().get("/plugins").await.expect(200);
    let listed = listed.as_array().expect("a list");
    assert!(
        listed.iter().all(|plugin| plugin["origin"] == "built-in"),
        "{listed:?}"
    );
}

#[tokio::test]
async fn ids_and_versions_mean_one_thing_only() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, &noop(&json!({}))).await.expect(201);

    let other_content = upload(&client, &noop(&json!({"description": "changed"}))).await;
    assert_eq!(other_content.refusal(409), "PLUGIN_VERSION_EXISTS");
    let built_in = upload(&client, &noop(&json!({"id": "http-component"}))).await;
    assert_eq!(built_in.refusal(409), "PLUGIN_ID_TAKEN");
    let manifest = json!({"id": "mine", "version": "2.0.0", "kind": "delivery", "contract": "0.1"});
    let delivery = with_manifest(guest("delivers"), Some(&manifest));
    assert_eq!(upload(&client, &delivery).await.refusal(409), "PLUGIN_KIND");
}

#[tokio::test]
async fn uploads_grants_and_components_need_a_token_that_manages_tokens() {
    let Some(server) = start().await else { return };
    upload(&server.client(), &calls_out(&json!({})))
        .await
        .expect(201);
    server
        .client()
        .put("/components/c", json!({"plugin": "caller"}))
        .await
        .expect(200);
    let (plain, _) = server.add_plain_token("plain").await;

    assert_eq!(
        upload(&plain, guest("noop")).await.refusal(403),
        "FORBIDDEN"
    );
    let grant = json!({"capabilities": [], "hosts": []});
    assert_eq!(
        plain
            .put("/plugins/caller/grant", grant.clone())
            .await
            .refusal(403),
        "FORBIDDEN"
    );
    assert_eq!(
        plain.delete("/plugins/caller").await.refusal(403),
        "FORBIDDEN"
    );
    let component = json!({"plugin": "http-component"});
    assert_eq!(
        plain.put("/components/c", component).await.refusal(403),
        "FORBIDDEN"
    );
    assert_eq!(
        plain.delete("/components/c").await.refusal(403),
        "FORBIDDEN"
    );
    plain.get("/plugins/caller").await.expect(200);
    plain.get("/components/c").await.expect(200);
    // The master token decides for its own project, not for the server.
    let master = server.client();
    assert_eq!(
        master.put("/plugins/email/grant", grant).await.refusal(403),
        "FORBIDDEN"
    );
    assert_eq!(
        master.delete("/plugins/email").await.refusal(403),
        "FORBIDDEN"
    );
    assert_eq!(
        upload(&server.nobody(), guest("noop")).await.refusal(401),
        "UNAUTHORIZED"
    );
}

#[tokio::test]
async fn a_project_grants_neither_the_whole_network_nor_a_private_address() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(
        &client,
        &calls_out(&json!({"hosts": ["https://*", "task-origin"]})),
    )
    .await
    .expect(201);
    let hosts = json!([
        "https://*",
        "https://10.0.0.1",
        "https://[::1]:8443",
        "https://169.254.169.254",
        "https://*.com",
        "http://a.example",
        "https://fine.example",
        "https://*.fine.example",
        "task-origin",
    ]);

    let refused = client
        .put(
            "/plugins/caller/grant",
            json!({"capabilities": ["http"], "hosts": hosts}),
        )
        .await;
    assert_eq!(
        refused.faults(),
        [
            "hosts[0]", "hosts[1]", "hosts[2]", "hosts[3]", "hosts[4]", "hosts[5]"
        ]
    );
    let wrong = json!({"capabilities": ["files"], "hosts": "https://a.example", "limits": {"cpuSeconds": 0}});
    let refused = client.put("/plugins/caller/grant", wrong).await;
    assert_eq!(
        refused.faults(),
        ["capabilities[0]", "hosts", "limits.cpuSeconds"]
    );
    assert_eq!(
        client.get("/plugins/caller").await.expect(200)["granted"],
        Value::Null
    );
}

#[tokio::test]
async fn a_configuration_is_checked_where_it_is_saved() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, guest("echoes")).await.expect(201);

    let wrong = json!({"plugin": "echoes", "config": {
        "greeting": 1, "servers": [{"name": "a"}, {"port": 70000}], "extra": true,
    }});
    let mut faults = client.put("/components/speaks", wrong).await.faults();
    faults.sort();
    assert_eq!(
        faults,
        [
            "config",
            "config.greeting",
            "config.servers[1]",
            "config.servers[1].port"
        ]
    );
    let config = json!({"greeting": "hello", "servers": [{"name": "a", "port": 1}]});
    let saved = client
        .put(
            "/components/speaks%20up",
            json!({"plugin": "echoes", "config": config}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&saved["name"], &saved["config"], &saved["url"]),
        (&json!("speaks up"), &config, &Value::Null)
    );
    assert!(
        saved["uri"]
            .as_str()
            .expect("text")
            .ends_with("/components/speaks%20up")
    );
    assert_eq!(
        client.get("/components/speaks%20up").await.expect(200),
        saved
    );
    assert_eq!(client.get("/components").await.expect(200), json!([saved]));

    let at = client
        .put(
            "/components/elsewhere",
            json!({"url": "https://elsewhere.example/base/", "config": {"idempotent": true}}),
        )
        .await
        .expect(200);
    assert_eq!(
        (&at["plugin"], &at["url"]),
        (
            &json!("http-component"),
            &json!("https://elsewhere.example/base")
        )
    );
    for (body, path) in [
        (json!({}), "plugin"),
        (json!({"plugin": "unknown"}), "plugin"),
        (json!({"plugin": "email"}), "plugin"),
        (
            json!({"plugin": "echoes", "url": "https://a.example"}),
            "url",
        ),
        (json!({"url": "http://a.example"}), "url"),
        (json!({"url": "https://a.example?b"}), "url"),
        (
            json!({"plugin": "http-component", "config": {"idempotent": "yes"}}),
            "config.idempotent",
        ),
        (json!({"plugin": "echoes", "config": 1}), "config"),
    ] {
        assert_eq!(
            client.put("/components/c", body.clone()).await.faults(),
            [path],
            "{body}"
        );
    }
    client.delete("/components/elsewhere").await.expect(204);
    assert_eq!(
        client.get("/components/elsewhere").await.refusal(404),
        "NOT_FOUND"
    );
    assert_eq!(
        client.delete("/components/elsewhere").await.refusal(404),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn parameters_of_tasks_are_checked_where_these_are_saved() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, guest("echoes")).await.expect(201);
    client
        .put("/components/speaks", json!({"plugin": "echoes"}))
        .await
        .expect(200);
    let tasks = |count: Value| {
        json!([
            {"component": "unknown", "actionParameters": {"count": 0}},
            {"component": "echoes", "actionParameters": {"count": 1}},
            {"component": "speaks", "actionParameters": {"count": count}},
        ])
    };

    let refused = client
        .post(
            "/orchestrations",
            json!({"name": "a", "tasks": tasks(json!(0))}),
        )
        .await;
    assert_eq!(refused.faults(), ["tasks[2].actionParameters.count"]);
    create(&client, tasks(json!(2))).await;
    let refused = client
        .put("/orchestrations/1/tasks", tasks(json!("x")))
        .await;
    assert_eq!(refused.faults(), ["[2].actionParameters.count"]);
    let refused = client
        .put("/orchestrations/1", json!({"tasks": tasks(json!(-1))}))
        .await;
    assert_eq!(refused.faults(), ["tasks[2].actionParameters.count"]);
}

#[tokio::test]
async fn a_plugin_that_is_used_is_not_deleted_and_its_users_are_named() {
    let Some(server) = start().await else { return };
    let client = server.client();
    upload(&client, &noop(&json!({}))).await.expect(201);
    client
        .put("/components/own", json!({"plugin": "mine"}))
        .await
        .expect(200);
    create(&client, json!([{"component": "mine"}])).await;

    let refused = client.delete("/plugins/mine").await.expect(409);
    assert_eq!(refused["code"], "PLUGIN_IN_USE");
    let message = refused["message"].as_str().expect("text");
    assert!(
        message.contains("component own and orchestration 1"),
        "{message}"
    );

    client.delete("/components/own").await.expect(204);
    client
        .put("/orchestrations/1/tasks", json!([]))
        .await
        .expect(202);
    client.delete("/plugins/mine").await.expect(204);
    assert_eq!(client.get("/plugins/mine").await.refusal(404), "NOT_FOUND");
    // Nothing is left of it: the same version may be another one now.
    upload(&client, &noop(&json!({"description": "changed"})))
        .await
        .expect(201);
}

#[tokio::test]
async fn old_versions_that_nobody_runs_are_forgotten() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for number in 1..=15 {
        upload(&client, &noop(&json!({"version": format!("1.0.{number}")})))
            .await
            .expect(201);
    }

    let versions = client.get("/plugins/mine/versions").await.expect(200);

    let versions = versions.as_array().expect("a list");
    assert_eq!(versions.len(), 11);
    assert_eq!(
        (&versions[0]["version"], &versions[0]["status"]),
        (&json!("1.0.15"), &json!("serving"))
    );
}

#[tokio::test]
async fn a_component_over_its_limit_or_of_another_type_is_refused() {
    let settings = ApiSettings {
        plugin_limit: 1_000,
        ..default_settings()
    };
    let Some(server) = Server::start_with(super::database(), settings).await else {
        return;
    };
    let client = server.client();

    assert_eq!(
        upload(&client, guest("noop")).await.refusal(413),
        "BODY_TOO_LARGE"
    );
    let json = client
        .request(Method::POST, "/plugins")
        .header("Content-Type", "application/json")
        .body("{}");
    assert_eq!(
        client.send(json).await.refusal(415),
        "UNSUPPORTED_MEDIA_TYPE"
    );
}

#[tokio::test]
async fn another_projects_plugins_and_components_do_not_exist() {
    let Some(server) = start().await else { return };
    upload(&server.client(), &calls_out(&json!({})))
        .await
        .expect(201);
    server
        .client()
        .put("/components/c", json!({"plugin": "caller"}))
        .await
        .expect(200);
    let other = server.add_project("Other").await;

    for (method, path, body) in [
        (Method::GET, "/plugins/{}", ""),
        (Method::DELETE, "/plugins/{}", ""),
        (Method::GET, "/plugins/{}/versions", ""),
        (
            Method::PUT,
            "/plugins/{}/grant",
            r#"{"capabilities": ["http"], "hosts": ["https://a.example"]}"#,
        ),
    ] {
        let ask = async |id: &str| {
            let request = other
                .request(method.clone(), &path.replace("{}", id))
                .body(body);
            let mut answer = other.send(request).await.expect(404);
            answer["exceptionId"] = Value::Null;
            answer
        };
        assert_eq!(
            ask("caller").await,
            ask("never-was").await,
            "{method} {path}"
        );
    }
    assert_eq!(other.get("/components/c").await.refusal(404), "NOT_FOUND");
    assert_eq!(
        other.delete("/components/c").await.refusal(404),
        "NOT_FOUND"
    );
    assert_eq!(other.get("/components").await.expect(200), json!([]));
    let refused = other
        .put("/components/c", json!({"plugin": "caller"}))
        .await;
    assert_eq!(refused.faults(), ["plugin"]);
    let listed = other.get("/plugins").await.expect(200);
    assert!(!listed.to_string().contains("caller"), "{listed}");
    // The same id is free for it, with a grant of its own.
    let added = upload(&other, &calls_out(&json!({}))).await.expect(201);
    assert_eq!(added["status"], "awaiting-grant");
    assert_eq!(
        server.client().get("/plugins/caller").await.expect(200)["granted"],
        Value::Null
    );
}

#[tokio::test]
async fn a_plugin_that_a_notification_names_is_not_deleted() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let manifest =
        json!({"kind": "delivery", "id": "pager", "version": "1.0.0", "contract": "0.1"});
    let component = with_changes(guest("delivers"), manifest, &json!({}));
    upload(&client, &component).await.expect(201);
    let notification = json!({"plugin": "pager", "channel": "error"});
    let body = json!({"name": "Paged", "notifications": [notification]});
    let made = client.post("/orchestrations", body).await.expect(201);

    let refused = client.delete("/plugins/pager").await;

    let text = refused.json["message"].as_str().expect("text").to_owned();
    assert_eq!(refused.refusal(409), "PLUGIN_IN_USE");
    assert!(text.contains(&made["id"].to_string()), "{text}");
    client
        .put(
            &format!("/orchestrations/{}/notifications", made["id"]),
            json!([]),
        )
        .await
        .expect(202);
    client.delete("/plugins/pager").await.expect(204);
}
