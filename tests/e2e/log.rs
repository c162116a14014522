//! The server's log: for machines, and changed while it runs.

use crate::support::process::{Installation, until};
use crate::support::steps::demo;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The lines so far, each of which must be an object.
fn objects(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn span<'a>(line: &'a Value, name: &str) -> Option<&'a Value> {
    let spans = line["spans"].as_array()?;
    spans.iter().find(|span| span["name"] == name)
}

#[tokio::test]
async fn lines_for_machines_name_the_project_job_task_host_and_trace() {
    let demo = demo().await;
    let installation = Installation::new(&demo)
        .with("--log-format=json".to_owned())
        .with("--log=info,plugin=debug".to_owned());
    let process = installation.start().await;
    let client = process.client();

    let traced = client
        .request(Method::GET, "/jobs/77")
        .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-00"));
    client.send(traced).await.expect(404);
    let failing = json!({"component": "no-such-component"});
    let id = process
        .run(json!({"name": "Logs", "tasks": [failing]}))
        .await;
    process.finished(&id).await;

    let lines = until("lines of both", || {
        let lines = objects(&process.log());
        let has = |name| lines.iter().any(|line| span(line, name).is_some());
        let is_whole = has("request") && has("step");
        std::future::ready(if is_whole {
            Ok(lines)
        } else {
            Err(process.log())
        })
    })
    .await;
    let of = |name| {
        lines
            .iter()
            .find_map(|line| Some((line, span(line, name)?)))
    };
    let (line, request) = of("request").expect("a line");
    assert_eq!(request["project"], 1, "{line}");
    assert_eq!(request["trace"], TRACE, "its caller's: {line}");
    assert_eq!(line["code"], "NOT_FOUND", "{line}");
    assert_eq!(line["level"], "INFO");
    let (line, step) = of("step").expect("a line");
    for key in ["project", "job", "task", "host"] {
        assert!(step[key].is_number(), "{key} in {line}");
    }
    assert_eq!(step["job"], id);
}

#[tokio::test]
async fn the_filter_in_the_file_counts_from_a_sighup_on_and_a_wrong_one_is_told() {
    let demo = demo().await;
    let plain = Installation::new(&demo);
    let file = plain.dir.path().join("settings.toml");
    let write = |filter: &str| fs::write(&file, format!("log = '{filter}'\n")).expect("written");
    write("info");
    let installation = plain.with(format!("--config={}", file.display()));
    let process = installation.start().await;
    let told = async |what: &str| {
        until(what, || {
            let log = process.log();
            std::future::ready(if log.contains(what) { Ok(()) } else { Err(log) })
        })
        .await;
    };

    write("no=such=filter");
    process.signal("HUP");
    told("the log's filter stays").await;
    assert!(!process.log().contains("sqlx::query"));
    write("info,sqlx::query=debug");
    process.signal("HUP");
    told("the log's filter is what the file says now").await;
    process.client().get("/orchestrations").await.expect(200);

    told("sqlx::query").await;
}
