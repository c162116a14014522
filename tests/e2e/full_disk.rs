//! A disk that is full, played by a limit on the size of the server's files.

use crate::support::process::{Installation, until};
use crate::support::steps::demo;
use serde_json::json;
use std::collections::HashSet;

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_acknowledged_and_is_over_when_there_is_room() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start_with_limits().await;
    let first = process
        .run(json!({"name": "Full", "tasks": [{"component": "sync"}]}))
        .await;
    process.finished(&first).await;
    let log = installation.data_dir().join("orchestrator.sqlite-wal");
    let room = std::fs::metadata(log).unwrap().len() + (400 << 10);
    let client = process.client();
    let jobs = "/orchestrations/1/jobs";

    process.limit_files(&room.to_string());
    let mut acknowledged = vec![first];
    let refused = loop {
        let answer = client.post(jobs, json!({})).await;
        if answer.status != 201 {
            break answer;
        }
        acknowledged.push(answer.expect(201)["id"].clone());
        assert!(acknowledged.len() < 2_000);
    };
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.expect(503)["code"], "UNAVAILABLE");
    let count = |what: &str| process.log().matches(what).count();
    // Two heartbeats: three seconds, in which nothing tries again and again without a pause.
    until("two heartbeats to fail", || {
        let beats = count("the heartbeat did not reach the database");
        std::future::ready(if beats >= 2 {
            Ok(())
        } else {
            Err(process.log())
        })
    })
    .await;
    let failures = count("a commit failed");
    println!(
        "{} jobs acknowledged, {failures} commits failed",
        acknowledged.len()
    );
    assert!(failures < 100, "{}", process.log());

    process.limit_files("unlimited");
    until("the service to return", || async {
        let answer = client.post(jobs, json!({})).await;
        if answer.status == 201 {
            Ok(())
        } else {
            Err(process.log())
        }
    })
    .await;
    for id in &acknowledged {
        process.finished(id).await;
    }
    let keys: Vec<_> = demo
        .requests()
        .iter()
        .filter(|one| one.method == "POST")
        .map(|one| one.header("idempotency-key").expect("a key").to_owned())
        .collect();
    let distinct: HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "no task was started twice");
}
