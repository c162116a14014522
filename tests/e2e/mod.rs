//! The server as a process, against real peers: an HTTPS component server, an SMTP server, and `kill -9`.

mod backup;
mod components;
mod cost;
mod crash;
mod edges;
mod full_disk;
mod hostile;
mod hosts;
mod keys;
mod log;
mod mail;
mod metrics;
mod operator;
mod plugins;
mod prometheus;
mod roles;
mod schedule;
mod settings;
mod storage_api;
mod task_types;
mod torture;
mod traces;
mod webhooks;

use crate::support::process::Process;
use demo_components::DemoServer;
use serde_json::Value;

/// What became of jobs of three tasks each: every task succeeded, or was in doubt and not repeated.
async fn check_jobs(process: &Process, demo: &DemoServer, ids: &[Value]) {
    let mut in_doubt = 0;
    for id in ids {
        let job = process.finished(id).await;
        let results = job["results"]["tasks"].as_array().expect("results");
        assert_eq!(results.len(), 3, "{job}");
        for result in results {
            match result["status"].as_str() {
                Some("success") => {}
                _ if result["code"] == "IN_DOUBT" => in_doubt += 1,
                _ => panic!("{result}"),
            }
        }
    }
    let mut keys: Vec<_> = demo
        .requests()
        .iter()
        .filter(|one| one.method == "POST")
        .map(|one| one.header("idempotency-key").expect("a key").to_owned())
        .collect();
    let started = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), started, "no task was started twice");
    println!(
        "{} jobs, {started} starts, {in_doubt} tasks in doubt, none repeated",
        ids.len()
    );
}
