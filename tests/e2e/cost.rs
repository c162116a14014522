//! What a job costs the database, counted and not timed: a guard against a statement that creeps in.

use crate::support::process::{Installation, Process, until};
use crate::support::steps::demo;
use orchestrator::store::Store;
use serde_json::json;
use sqlx::{AnyConnection, Connection, Row};

/// Each statement is a line in the server's log.
const LOG: &str = "--log=info,sqlx::query=debug";

fn statements(process: &Process) -> usize {
    let log = process.log();
    log.lines()
        .filter(|line| line.contains("sqlx::query"))
        .count()
}

/// Looks into the database: a request would be counted.
async fn until_all_succeeded(installation: &Installation, jobs: i64) {
    sqlx::any::install_default_drivers();
    let url = Store::embedded_url(&installation.data_dir());
    until("the jobs to succeed", || async {
        let mut connection = AnyConnection::connect(&url).await.expect("connected");
        let sql = "SELECT COUNT(*) FROM jobs WHERE status = 'success'";
        let row = sqlx::query(sql).fetch_one(&mut connection).await;
        let number = row.expect("a number").get::<i64, _>(0);
        (number >= jobs).then_some(()).ok_or(number.to_string())
    })
    .await;
}

/// Statements of a job, those of the request for it among them.
async fn cost_of(tasks: usize, jobs: usize) -> f64 {
    let demo = demo().await;
    let installation = Installation::new(&demo).with(LOG.to_owned());
    let process = installation.start().await;
    let client = process.client();
    let task = json!({"component": "delay", "actionParameters": {"seconds": 0}});
    let body = json!({"name": "cheap", "tasks": vec![task; tasks]});
    let made = client.post("/orchestrations", body).await.expect(201);
    let path = format!("/orchestrations/{}/jobs", made["id"]);
    client.post(&path, json!({})).await.expect(201);
    until_all_succeeded(&installation, 1).await;
    // A line of the log may be on its way.
    let mut before = statements(&process);
    until("the log to be still", || {
        let now = statements(&process);
        let is_still = now == before;
        before = now;
        std::future::ready(is_still.then_some(()).ok_or_else(String::new))
    })
    .await;

    for job in 0..jobs {
        client.post(&path, json!({})).await.expect(201);
        until_all_succeeded(&installation, i64::try_from(job).expect("few") + 2).await;
    }

    let each = (statements(&process) - before) as f64 / jobs as f64;
    println!("{tasks} tasks: {each:.1} statements a job");
    each
}

#[tokio::test]
async fn a_job_by_itself_costs_few_statements() {
    let statements = cost_of(1, 20).await;

    // Now and then there is a heartbeat among them.
    assert!(statements > 10.0, "they are not counted: {statements}");
    assert!(statements < 42.0, "{statements}");
}

#[tokio::test]
async fn a_task_in_a_series_costs_fewer_still() {
    let statements = cost_of(21, 5).await / 21.0;

    assert!(statements < 12.0, "{statements}");
}
