//! What a job costs the database, counted and not timed: a guard against a statement that creeps in.

use crate::support::process::{Installation, Process, until};
use crate::support::steps::demo;
use orchestrator::store::Store;
use serde_json::json;
use sqlx::{AnyConnection, Connection, Row};

/// Each statement is a line in the server's log.
const LOG: &str = "--log=info,sqlx::query=debug";

struct Counts {
    statements: usize,
    commits: usize,
}

impl Counts {
    fn of(process: &Process) -> Self {
        let log = process.log();
        let statements = log.lines().filter(|line| line.contains("sqlx::query"));
        let (mut all, mut commits) = (0, 0);
        for line in statements {
            all += 1;
            // A transaction has one of them.
            commits += usize::from(line.contains("BEGIN"));
        }
        Self {
            statements: all,
            commits,
        }
    }
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

async fn cost_of(tasks: usize, jobs: usize) -> (f64, f64) {
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
    let mut before = Counts::of(&process);
    until("the log to be still", || {
        let now = Counts::of(&process);
        let is_still = now.statements == before.statements;
        before = now;
        std::future::ready(is_still.then_some(()).ok_or_else(String::new))
    })
    .await;

    for job in 0..jobs {
        client.post(&path, json!({})).await.expect(201);
        until_all_succeeded(&installation, i64::try_from(job).expect("few") + 2).await;
    }

    let after = Counts::of(&process);
    let each = |number: usize| number as f64 / jobs as f64;
    let (statements, commits) = (
        each(after.statements - before.statements),
        each(after.commits - before.commits),
    );
    println!("{tasks} tasks: {statements:.1} statements and {commits:.1} commits a job");
    (statements, commits)
}

#[tokio::test]
async fn a_job_by_itself_costs_three_commits_and_few_statements() {
    let (statements, commits) = cost_of(1, 20).await;

    // Made, taken, ended; and now and then a heartbeat.
    assert!(commits < 3.6, "{commits}");
    assert!(statements > 10.0, "they are not counted: {statements}");
    assert!(statements < 40.0, "{statements}");
}

#[tokio::test]
async fn a_task_in_a_series_costs_one_commit() {
    let (statements, commits) = cost_of(21, 5).await;

    assert!(commits / 21.0 < 1.3, "{commits}");
    assert!(statements / 21.0 < 18.0, "{statements}");
}
