//! What a live server counts, as Prometheus reads it.

use crate::support::client::Client;
use crate::support::process::{Installation, Process, until};
use crate::support::steps::demo;
use reqwest::Method;
use serde_json::json;

/// From the line that says where they are.
pub fn metrics_address(process: &Process) -> String {
    let log = process.log();
    let (_, rest) = log.split_once("metrics are at ").expect("told");
    let end = rest.find(['\n', '\u{1b}', ' ']).unwrap_or(rest.len());
    rest[..end].to_owned()
}

async fn get(process: &Process, path: &str) -> (u16, String) {
    let base = metrics_address(process).replace("/metrics", "");
    let request = Client::new(base, None).request(Method::GET, path);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

pub async fn scrape(process: &Process) -> String {
    let (status, text) = get(process, "/metrics").await;
    assert_eq!(status, 200, "{text}");
    text
}

/// The sum of a metric's values, over all labels.
fn sum(printed: &str, name: &str) -> f64 {
    let of_it = printed.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']))
    });
    of_it
        .map(|line| line.rsplit(' ').next().expect("a value"))
        .map(|value| value.parse::<f64>().expect("a number"))
        .sum()
}

#[tokio::test]
async fn a_live_server_tells_what_became_of_jobs_tasks_steps_and_deliveries() {
    let demo = demo().await;
    let installation = Installation::new(&demo).with("--metrics-listen=127.0.0.1:0".to_owned());
    let process = installation.start().await;
    let tasks = json!([
        {"component": "delay", "actionParameters": {"seconds": 0}},
        {"component": "sync"},
        {"component": "status", "actionParameters": {"code": 400}}
    ]);
    let id = process
        .run(json!({"name": "Tenants own name", "tasks": tasks,
            "notifications": [{"email": "tenant@example.com", "channel": "error"}]}))
        .await;
    process.finished(&id).await;

    let printed = until("the delivery to be counted", || async {
        let printed = scrape(&process).await;
        let delivered = sum(&printed, "orchestrator_delivery_attempts_total");
        (delivered >= 1.0)
            .then_some(printed)
            .ok_or_else(String::new)
    })
    .await;

    for (name, least) in [
        ("orchestrator_jobs_ended_total", 1.0),
        ("orchestrator_job_duration_seconds_count", 1.0),
        ("orchestrator_task_duration_seconds_count", 3.0),
        ("orchestrator_task_failures_total", 1.0),
        ("orchestrator_step_cpu_seconds_count", 3.0),
        ("orchestrator_step_duration_seconds_count", 3.0),
        ("orchestrator_http_requests_total", 3.0),
        ("orchestrator_database_write_wait_seconds_count", 5.0),
        ("orchestrator_database_up", 1.0),
        ("orchestrator_database_connections", 2.0),
        ("orchestrator_hosts_alive", 1.0),
        ("orchestrator_step_slots", 64.0),
        ("orchestrator_role", 4.0),
        ("orchestrator_build_info", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
        ("process_cpu_seconds_total", 0.01),
        ("process_open_fds", 5.0),
    ] {
        let value = sum(&printed, name);
        assert!(value >= least, "{name} is {value}, not {least}:\n{printed}");
    }
    assert_eq!(sum(&printed, "orchestrator_steps_running"), 0.0);
    assert_eq!(sum(&printed, "orchestrator_jobs_waiting"), 0.0);
    assert!(printed.contains(r#"orchestrator_jobs_ended_total{outcome="error"} 1"#));
    assert!(printed.ends_with("# EOF\n"));
    // It is for operators, and tells nothing of a tenant all the same.
    assert!(!printed.to_lowercase().contains("tenant"), "{printed}");
    assert_eq!(get(&process, "/orchestrations").await.0, 404);
    assert_eq!(get(&process, "/health/live").await.0, 200);
    assert!(process.stop().await.success());
}
