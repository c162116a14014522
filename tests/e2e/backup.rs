//! A backup of a server that works meanwhile, and a server that goes on from it.

use crate::support::client::Client;
use crate::support::process::{Installation, MASTER, command, output, until};
use crate::support::steps::demo;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn arguments(installation: &Installation, to: &Path) -> Vec<String> {
    vec![
        "backup".to_owned(),
        format!("--data-dir={}", installation.data_dir().display()),
        format!("--to={}", to.display()),
    ]
}

/// Every job of the orchestration, by its id.
async fn jobs(client: &Client, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = format!("{path}/jobs?limit=500&offset={}", all.len());
        let page = client.get(&page).await.expect(200);
        let page = page.as_array().expect("an array");
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().cloned());
    }
}

#[tokio::test]
async fn a_backup_made_under_load_has_all_that_was_acknowledged_before_and_a_server_goes_on_from_it()
 {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let client = process.client();
    let tasks =
        json!([{"component": "sync"}, {"component": "async", "actionParameters": {"seconds": 1}}]);
    let made = client
        .post("/orchestrations", json!({"name": "Loaded", "tasks": tasks}))
        .await
        .expect(201);
    let path = format!("/orchestrations/{}", made["id"]);
    let (acknowledged, is_over) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let load = tokio::spawn({
        let (client, path) = (process.client(), format!("{path}/jobs"));
        let (acknowledged, is_over) = (Arc::clone(&acknowledged), Arc::clone(&is_over));
        async move {
            while !is_over.load(Ordering::Acquire) {
                client.post(&path, json!({})).await.expect(201);
                acknowledged.fetch_add(1, Ordering::AcqRel);
            }
        }
    });
    until("some load", || {
        let enough = acknowledged.load(Ordering::Acquire) >= 50;
        std::future::ready(enough.then_some(()).ok_or_else(String::new))
    })
    .await;

    let to = installation.dir.path().join("backup");
    let before = acknowledged.load(Ordering::Acquire);
    let made = output(command(&arguments(&installation, &to))).await;
    let after = acknowledged.load(Ordering::Acquire);
    is_over.store(true, Ordering::Release);
    load.await.expect("the load ended");
    let said = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    assert!(said.contains("--data-dir"), "{said}");
    // Nothing of the original is left to go on from.
    process.kill();
    fs::remove_dir_all(installation.data_dir()).expect("removed");
    for file in ["orchestrator.sqlite", "master.key"] {
        let mode = fs::metadata(to.join(file))
            .expect(file)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    fs::rename(&to, installation.data_dir()).expect("renamed");

    let restored = installation.start().await;

    let client = restored.client();
    let kept = jobs(&client, &path).await;
    println!(
        "{before} jobs before, {after} after, {} in the backup",
        kept.len()
    );
    // One more may have been on its way.
    assert!((before..=after + 1).contains(&kept.len()), "{}", kept.len());
    // It goes on with what was under way, with the token that is sealed in it, and takes new work.
    let oldest = kept.last().expect("a job")["id"].clone();
    let job = restored.finished(&oldest).await;
    assert!(["success", "error"].contains(&job["status"].as_str().expect("a status")));
    let next = client
        .post(
            "/orchestrations",
            json!({"name": "New", "tasks": [{"component": "sync"}]}),
        )
        .await
        .expect(201);
    let next = client
        .post(&format!("/orchestrations/{}/jobs", next["id"]), json!({}))
        .await
        .expect(201);
    assert_eq!(restored.finished(&next["id"]).await["status"], "success");
    // Whoever knows a job that the backup forgot does not find another one in its place.
    let forgotten = format!("/jobs/{}", after + 1);
    assert!(
        next["id"].as_u64().expect("a number") > 1_000_000_000,
        "{next}"
    );
    if kept.len() <= after {
        client.get(&forgotten).await.expect(404);
    }
    assert_eq!(client.token.as_deref(), Some(MASTER));
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_leaves_nothing_half_done() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let folder = installation.dir.path().join("there");
    fs::create_dir(&folder).expect("made");

    let there = output(command(&arguments(&installation, &folder))).await;
    let nowhere = Installation::new(&demo);
    let nothing = output(command(&arguments(
        &nowhere,
        &nowhere.dir.path().join("copy"),
    )))
    .await;
    let mut with_flag = arguments(&installation, &installation.dir.path().join("no-key"));
    with_flag.push("--without-key".to_owned());
    let without_key = output(command(&with_flag)).await;

    let error =
        |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!there.status.success());
    assert!(
        error(&there).contains("is there already"),
        "{}",
        error(&there)
    );
    assert!(!nothing.status.success());
    assert!(
        error(&nothing).contains("there is no database"),
        "{}",
        error(&nothing)
    );
    let left: Vec<_> = fs::read_dir(nowhere.dir.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["ca.pem"]);
    assert!(without_key.status.success(), "{}", error(&without_key));
    assert!(!installation.dir.path().join("no-key/master.key").exists());
    process.client().get("/orchestrations").await.expect(200);
}
