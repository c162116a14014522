//! Uploads to a real server: another host runs them, and the operator's folder is shared.

use crate::support::client::Client;
use crate::support::guests::guest;
use crate::support::postgres::Cluster;
use crate::support::process::{Installation, Process};
use crate::support::steps::demo;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

async fn upload(client: &Client, component: &[u8]) -> Value {
    let request = client
        .request(Method::POST, "/plugins")
        .body(component.to_vec());
    client.send(request).await.expect(201)
}

async fn response(process: &Process, component: &str) -> Value {
    let id = process
        .run(json!({"name": "One task", "tasks": [{"component": component}]}))
        .await;
    process.finished(&id).await["results"]["tasks"][0].clone()
}

#[tokio::test]
async fn a_plugin_that_was_uploaded_to_one_host_runs_on_another_without_a_restart() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let url = cluster.fresh_url();
    let installation = Installation::shared(&demo, &url);
    let (one, other) = tokio::join!(installation.start_host(0), installation.start_host(1));
    upload(&one.client(), guest("echoes")).await;
    let config = json!({"plugin": "echoes", "config": {"greeting": "hello"}});
    one.client()
        .put("/components/speaks", config)
        .await
        .expect(200);
    one.kill();

    let entry = response(&other, "speaks").await;

    assert_eq!(entry["status"], "success", "{entry}");
    assert_eq!(entry["response"]["config"], json!({"greeting": "hello"}));
    let usage = other.client().get("/jobs/1/usage").await.expect(200);
    assert_eq!(usage["tasks"][0]["status"], "success");
    assert!(
        usage["tasks"][0]["cpuMilliseconds"].as_u64() > Some(0),
        "{usage}"
    );
}

#[tokio::test]
async fn the_plugins_of_the_operators_folder_are_shared_with_all_projects() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let folder = installation.dir.path().join("shared");
    fs::create_dir(&folder).expect("made");
    // It asks for the whole network, which the operator's plugins have.
    for name in ["echoes", "calls-out"] {
        fs::write(folder.join(format!("{name}.wasm")), guest(name)).expect("written");
    }
    fs::write(folder.join("README"), "not a plugin").expect("written");
    let installation = installation.with(format!("--shared-plugins={}", folder.display()));

    let process = installation.start().await;

    let shown = process.client().get("/plugins/calls-out").await.expect(200);
    assert_eq!(
        (&shown["origin"], &shown["status"]),
        (&json!("shared"), &json!("ready"))
    );
    let entry = response(&process, "echoes").await;
    assert_eq!(entry["status"], "success", "{entry}");
    let taken = process
        .client()
        .request(Method::POST, "/plugins")
        .body(guest("echoes").to_vec());
    assert_eq!(
        process.client().send(taken).await.refusal(409),
        "PLUGIN_ID_TAKEN"
    );
    assert!(process.stop().await.success());
    // The same once more.
    assert!(installation.start().await.stop().await.success());
}
