//! `kill -9` in the middle of a job, and what the next start makes of it.

use super::check_jobs;
use crate::support::process::{Installation, PATIENCE};
use crate::support::steps::demo;
use serde_json::json;

#[tokio::test]
async fn a_remote_job_is_polled_on_after_a_kill_and_never_started_again() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let id = process
        .run(json!({"name": "Killed", "tasks": [
            {"component": "async", "actionParameters": {"seconds": 3600}},
            {"component": "sync"},
        ]}))
        .await;
    demo.wait_for(|seen| seen.iter().any(|one| one.method == "GET"), PATIENCE)
        .await
        .expect("polled");

    process.kill();
    let process = installation.start().await;
    demo.finish_jobs();
    let job = process.finished(&id).await;

    assert_eq!(job["status"], "success", "{job}");
    assert_eq!(demo.jobs().len(), 1, "the remote job was started once");
    let keys: Vec<_> = demo
        .requests()
        .iter()
        .filter(|one| one.path == "/async/run")
        .map(|one| one.header("idempotency-key").map(str::to_owned))
        .collect();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_start_that_was_cut_off_by_a_kill_is_in_doubt_and_not_repeated() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let id = process
        .run(json!({"name": "In doubt", "tasks": [
            {"component": "async", "actionParameters": {"seconds": 0, "answerAfter": 3600}},
        ]}))
        .await;
    demo.wait_for(|seen| !seen.is_empty(), PATIENCE)
        .await
        .expect("started");

    process.kill();
    let process = installation.start().await;
    let job = process.finished(&id).await;

    assert_eq!(job["status"], "error", "{job}");
    assert_eq!(job["results"]["tasks"][0]["code"], "IN_DOUBT", "{job}");
    assert_eq!(demo.jobs().len(), 1);
}

#[tokio::test]
async fn kills_at_random_moments_lose_no_job_and_double_no_remote_job() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let task =
        json!({"component": "async", "actionParameters": {"polls": 1}, "continueOnFailure": true});
    let process = installation.start().await;
    let mut ids = Vec::new();
    for number in 0..8 {
        let name = format!("Job {number}");
        ids.push(
            process
                .run(json!({"name": name, "tasks": vec![task.clone(); 3]}))
                .await,
        );
    }
    let mut process = Some(process);
    for round in 1_usize..=6 {
        // Not at fixed times: after so many requests, wherever the server is then.
        let seen = demo.requests().len() + 3 * round;
        let _ = demo
            .wait_for(|all| all.len() >= seen, std::time::Duration::from_secs(5))
            .await;
        if let Some(process) = process.take() {
            process.kill();
        }
        process = Some(installation.start().await);
    }
    let process = process.expect("running");

    check_jobs(&process, &demo, &ids).await;
}

#[tokio::test]
async fn an_orderly_stop_gives_the_work_to_the_next_start() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let id = process
        .run(json!({"name": "Stopped", "tasks": [
            {"component": "async", "actionParameters": {"seconds": 3600}},
        ]}))
        .await;
    demo.wait_for(|seen| seen.iter().any(|one| one.method == "GET"), PATIENCE)
        .await
        .expect("polled");

    assert!(process.stop().await.success());
    let process = installation.start().await;
    demo.finish_jobs();

    assert_eq!(process.finished(&id).await["status"], "success");
}
