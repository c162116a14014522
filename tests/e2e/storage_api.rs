//! The server with tokens of a Storage API elsewhere, as a process.

use crate::support::client::Client;
use crate::support::process::{self, Installation, command, until};
use crate::support::steps::{certificates, demo};
use demo_components::StorageApi;
use serde_json::json;

const MANAGER: &str = "42-manager-of-tokens";

#[tokio::test]
async fn a_job_calls_its_component_with_the_token_that_was_made_for_its_orchestration_elsewhere() {
    let (demo, elsewhere) = (demo().await, StorageApi::start(&certificates()).await);
    let elsewhere = elsewhere.expect("started");
    elsewhere.add_token(MANAGER, 42, true);
    let installation = Installation::new(&demo)
        .with("--token-backend=storage-api".to_owned())
        .with(format!("--storage-api-url={}", elsewhere.base_url()));
    let process = installation.start().await;
    let client = Client::new(process.base.clone(), Some(MANAGER.to_owned()));
    let body = json!({"name": "Main", "tasks": [{"component": "sync"}]});
    let made = client.post("/orchestrations", body).await.expect(201);
    // What runs needs nothing of the Storage API.
    elsewhere.fail(true);

    let run = json!({"config": made["id"]});
    let job = client.post("/run", run).await.expect(202);

    let path = format!("/jobs/{}", job["id"]);
    until("the job to finish", || async {
        let job = client.get(&path).await.expect(200);
        (job["status"] == "success")
            .then_some(())
            .ok_or(job.to_string())
    })
    .await;
    let id = made["token"]["id"].as_u64().expect("an id");
    let secret = elsewhere.secret_of(id).expect("it is there");
    let requests = demo.requests();
    assert_eq!(
        requests[0].header("x-storageapi-token"),
        Some(secret.as_str())
    );
    assert!(!process.log().contains(&secret) && !process.log().contains(MANAGER));
    assert!(process.stop().await.success());
}

#[tokio::test]
async fn a_database_does_not_change_its_token_backend() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    assert!(installation.start().await.stop().await.success());

    let data_dir = format!("--data-dir={}", installation.data_dir().display());
    let arguments = [
        "serve",
        &data_dir,
        "--listen=127.0.0.1:0",
        "--token-backend=storage-api",
    ];
    let output = process::output(command(&arguments.map(str::to_owned))).await;

    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        err.contains("this database was made with embedded"),
        "{err}"
    );
}
