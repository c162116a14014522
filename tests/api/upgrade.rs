//! A database that an old version filled, and old hosts that still write to it: what there was is there, and goes on.

use crate::support::database::Database;
use crate::support::server::{Server, default_settings};
use crate::support::store::{NOON, seconds_after};
use orchestrator::domain::ids::ProjectId;
use orchestrator::domain::job::Status;
use orchestrator::scheduler::Scheduler;
use orchestrator::wake::{Pause, Stop};
use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, Connection};
use std::path::Path;

const ROWS: &str = include_str!("../store/first-schema.sql");

/// Makes the first schema, as the first version did.
async fn make_first_schema(database: Database, url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let (address, tree) = match database {
        Database::Sqlite => (format!("{url}?mode=rwc"), "../migrations/sqlite"),
        Database::Postgres => (url.to_owned(), "../migrations/postgres"),
    };
    let mut connection = AnyConnection::connect(&address).await.unwrap();
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join(tree);
    let migrations = Migrator::new(tree).await.unwrap();
    migrations.run_to(1, &mut connection).await.unwrap();
    connection
}

/// Writes what the first version wrote.
async fn write_as_the_first_version(database: Database, connection: &mut AnyConnection, run: &str) {
    let lines: Vec<&str> = ROWS
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    let mut statements = lines.join("\n").replace("{run}", run);
    if database == Database::Postgres {
        statements = statements.replace("AS BLOB", "AS BYTEA");
    }
    for statement in statements.split(";\n").filter(|one| !one.trim().is_empty()) {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()));
        query.execute(&mut *connection).await.unwrap();
    }
}

#[tokio::test]
async fn what_an_old_version_wrote_is_read_and_goes_on_also_what_it_writes_later() {
    let (database, dir) = (super::database(), tempfile::tempdir().unwrap());
    let Some(url) = database.fresh_url(dir.path()) else {
        return;
    };
    let mut old_host = make_first_schema(database, &url).await;
    write_as_the_first_version(database, &mut old_host, "1").await;

    let server = Server::start_on(url, dir, default_settings()).await;
    // An old host is still running, on the schema that the new one has made of its own.
    write_as_the_first_version(database, &mut old_host, "2").await;
    server.clock.set(seconds_after(NOON, 300));

    for project in [1, 2] {
        check_project(&server, project).await;
    }
    for step in server.claim().await {
        server.end(&step, Status::Success, None, None).await;
    }
    let scheduler = Scheduler {
        store: server.store.clone(),
        pause: Pause {
            clock: server.clock.clone(),
            wake: server.scheduler.clone(),
            stop: Stop::default(),
        },
        runner: server.runner.clone(),
        events: server.events.clone(),
    };
    scheduler.pass().await.unwrap();

    for project in [1, 2] {
        let (client, _) = server
            .add_token(ProjectId(project), "Another new one", true)
            .await;
        let jobs = client
            .get(&format!("/orchestrations/{project}/jobs"))
            .await
            .expect(200);
        let kinds: Vec<_> = jobs
            .as_array()
            .unwrap()
            .iter()
            .map(|job| (job["initializedBy"].clone(), job["status"].clone()))
            .collect();
        assert_eq!(
            kinds,
            [
                (json!("scheduler"), json!("waiting")),
                (json!("manually"), json!("success")),
                (json!("scheduler"), json!("error")),
            ]
        );
    }
}

/// Reads all that a project has.
async fn check_project(server: &Server, project: i64) {
    let (client, _) = server
        .add_token(ProjectId(project), "New master token", true)
        .await;
    let path = format!("/orchestrations/{project}");
    let of = client.get(&path).await.expect(200);
    assert_eq!(of["name"], "Old load");
    assert_eq!(of["nextScheduledTime"], "2026-01-05T12:05:00+00:00");
    assert_eq!(of["lastExecutedJob"]["status"], "error");
    assert_eq!(of["tasks"][1]["timeoutMinutes"], 5);
    let tasks = client.get(&format!("{path}/tasks")).await.expect(200);
    assert_eq!(tasks, of["tasks"]);
    let notifications = client
        .get(&format!("{path}/notifications"))
        .await
        .expect(200);
    assert_eq!(notifications, of["notifications"]);
    assert_eq!(notifications[1]["parameters"]["timeout"], 10);
    let answer = client.get(&format!("{path}/jobs")).await;
    assert_eq!(answer.headers["x-total-count"], "2");
    let jobs = answer.expect(200);
    let read = async |at: usize| {
        let path = format!("/jobs/{}", jobs[at]["id"]);
        client.get(&path).await.expect(200)
    };
    let (waiting, failed) = (read(0).await, read(1).await);
    assert_eq!(waiting["status"], "waiting");
    assert_eq!(waiting["notificationsEmails"], json!(["run@example.com"]));
    assert_eq!(failed["results"]["tasks"][0]["message"], "no such table");
    let tokens = client.get("/v2/storage/tokens").await.expect(200);
    let made = tokens
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["description"] == "Orchestrator Old load");
    // What the first version did not know is as it behaved: no restriction.
    assert_eq!(made.unwrap()["componentAccess"], json!([]));
}
