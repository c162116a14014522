//! The master key is changed while the server runs, and `orchestrator doctor` finds what is wrong.

use crate::support::process::{self, Installation, command};
use crate::support::steps::demo;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

async fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
    let output = process::output(command(&arguments)).await;
    let both = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&both).into_owned(),
    )
}

fn of_component(component: &str, seconds: u32) -> Value {
    json!({"name": component, "tasks": [{"component": component, "actionParameters": {"seconds": seconds}}]})
}

#[tokio::test]
async fn the_master_key_is_changed_while_the_server_runs_and_nothing_is_lost() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let waits = process.run(of_component("async", 600)).await;
    process
        .job_when(&waits, "the remote job to be polled", |job| {
            job["results"]["tasks"][0]["response"]["url"].is_string()
        })
        .await;
    let client = process.client();
    let bearer =
        json!({"type": "bearer", "token": "sealed-under-the-old-key", "hosts": [demo.base_url()]});
    client.put("/credentials/shop", bearer).await.expect(201);
    let data_dir = format!("--data-dir={}", installation.data_dir().display());
    let key_file = installation.data_dir().join("master.key");
    let old = fs::read_to_string(&key_file)
        .expect("a key")
        .trim()
        .to_owned();

    let (code, told) = run(&["key", "rotate", &data_dir, "--wait-seconds=100"]).await;

    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("key 1: retired, key 2: current"), "{told}");
    assert!(!told.contains(&old), "keys are not printed");
    let (code, told) = run(&["key", "rotate", &data_dir]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("run `orchestrator key drop`"), "{told}");
    let (code, told) = run(&["key", "drop", &data_dir]).await;
    assert_eq!(code, Some(0), "{told}");
    let kept = fs::read_to_string(&key_file).expect("a key");
    assert!(kept.split_whitespace().count() == 1 && !kept.contains(&old));
    process.client().get("/orchestrations").await.expect(200);
    let other = process.run(of_component("sync", 0)).await;
    assert_eq!(process.finished(&other).await["status"], "success");
    assert!(process.stop().await.success());

    // With the new key alone.
    let process = installation.start().await;
    demo.finish_jobs();
    assert_eq!(process.finished(&waits).await["status"], "success");
    let uses =
        json!({"url": format!("{}/echo/shop", demo.base_url()), "body": {}, "credential": "shop"});
    let uses = json!({"component": "http-request", "actionParameters": uses});
    let uses = process.run(json!({"name": "Uses", "tasks": [uses]})).await;
    assert_eq!(process.finished(&uses).await["status"], "success");
    let sent = demo.requests();
    let sent = sent.iter().find(|one| one.path == "/echo/shop");
    let sent = sent.and_then(|one| one.header("authorization"));
    assert_eq!(sent, Some("Bearer sealed-under-the-old-key"));
    let again = process
        .client()
        .post("/orchestrations/1/jobs", json!({}))
        .await;
    again.expect(201);
    assert!(process.stop().await.success());
    fs::write(&key_file, format!("{old}\n")).expect("written");
    let (code, told) = run(&["serve", &data_dir, "--listen=127.0.0.1:0"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("the master key is not the one"), "{told}");
}

#[tokio::test]
async fn the_master_key_may_be_printed_by_a_command() {
    let demo = demo().await;
    let dir = tempfile::tempdir().expect("temporary directory");
    let key = dir.path().join("key");
    fs::write(&key, "7b".repeat(32)).expect("written");
    let setting = format!("--master-key-command=cat '{}'", key.display());
    let installation = Installation::new(&demo).with(setting);

    let process = installation.start().await;

    process.client().get("/orchestrations").await.expect(200);
    assert!(!installation.data_dir().join("master.key").exists());
    assert!(process.stop().await.success());
    let (code, told) = run(&["serve", "--master-key-command=exit 3"]).await;
    assert_eq!(code, Some(2));
    assert!(
        told.starts_with("error: master-key-command failed"),
        "{told}"
    );
    let (code, told) = run(&["serve", "--master-key-command=echo secret-but-no-key"]).await;
    assert_eq!(code, Some(2));
    assert!(!told.contains("secret-but"), "{told}");
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_what_mends_it() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let data_dir = format!("--data-dir={}", installation.data_dir().display());
    let (code, told) = run(&["doctor", &data_dir]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("does not exist yet"), "{told}");
    let process = installation.start().await;
    let (code, told) = run(&["doctor", &data_dir]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("the database answers and has schema"),
        "{told}"
    );
    assert!(told.contains("the master key is the database's"), "{told}");
    assert!(!told.contains("WRONG"), "{told}");
    assert!(process.stop().await.success());
    for name in ["master.key", "orchestrator.sqlite"] {
        let path = installation.data_dir().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("changed");
    }

    let (code, told) = run(&[
        "doctor",
        &data_dir,
        "--listen=0.0.0.0:8080",
        "--smtp-url=smtp://127.0.0.1:9",
    ])
    .await;

    assert_eq!(code, Some(1), "{told}");
    for finding in [
        "master.key can be read by others (mode 644): run chmod 600",
        "orchestrator.sqlite can be read by others (mode 644): run chmod 600",
        "plain HTTP for other machines",
        "the mail server 127.0.0.1:9 cannot be reached",
    ] {
        assert!(told.contains(finding), "{finding}: {told}");
    }
    let (code, told) = run(&["doctor", "--workers=0"]).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("WRONG  setting workers"), "{told}");
}
