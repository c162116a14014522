//! Reading over HTTP, against a bare axum and sqlx handler that makes the same query on the same database and prints the
//! row: both are processes of their own, asked in turns by the same clients. And pages of a long history, deep and not.

use crate::database::{Database, Look};
use crate::http::Client;
use crate::server::Installation;
use crate::throughput::make_orchestrations;
use crate::{Bound, Failure, Options, verdict};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Row};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CLIENTS: usize = 16;
const TURN: Duration = Duration::from_secs(1);
/// Pairs of turns, one after the other: the ratio of each is of one moment of the machine.
const TURNS: usize = 9;
const PAGE: i64 = 50;
/// How often each page is asked for; the least counts.
const PAGES: usize = 40;

pub async fn measure(database: &Database, options: &Options, noop: &[u8]) -> Result<bool, Failure> {
    let installation = Installation::new(database, noop)?;
    let server = installation.start()?;
    let ids = make_orchestrations(&server, 1 + CLIENTS).await?;
    let (long, short) = (ids[0], &ids[1..]);
    let mut look = Look::at(&installation.url).await?;
    for of in short {
        fill(&mut look, *of, 1_000).await?;
    }
    fill(&mut look, long, options.history).await?;
    if let Database::Postgres(_) = database {
        look.change("ANALYZE".to_owned()).await?;
    }
    let bare = Bare::start(&installation.url)?;
    let mut holds = true;

    println!("  reading, {CLIENTS} clients with an orchestration each, requests a second");
    for (what, path) in [
        ("an orchestration", String::new()),
        ("a page of 50 jobs", format!("/jobs?limit={PAGE}")),
    ] {
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            let theirs = rate(&bare.address, short, &path).await?;
            let ours = rate(&server.address, short, &path).await?;
            turns.push((ours / theirs, ours, theirs));
        }
        turns.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, ours, theirs) = turns[TURNS / 2];
        println!("    {what:<20} bare handler {theirs:>8.0}   server {ours:>8.0}");
        holds &= verdict(what, ratio, Bound::AtLeast(0.8));
    }

    println!(
        "  a page of {PAGE} jobs, of {} and of 1,000",
        options.history
    );
    let mut client = server.client().await?;
    for (what, of, offset) in [
        ("the first of many", long, 0),
        ("from the middle", long, options.history / 2),
        ("the oldest", long, options.history - PAGE),
    ] {
        // In turns, so that both are of one moment of the machine.
        let (mut first, mut time) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..PAGES {
            first = first.min(page(&mut client, short[0], 0).await?);
            time = time.min(page(&mut client, of, offset).await?);
        }
        println!("    {what:<20} {time:>8.2} ms   the first of few {first:>8.2} ms");
        holds &= verdict(what, time / first, Bound::AtMost(1.5));
    }
    server.stop()?;
    Ok(holds)
}

/// Finished jobs with one task run each, added by SQL.
async fn fill(look: &mut Look, of: i64, jobs: i64) -> Result<(), Failure> {
    let numbers = |most: i64| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {most}) "
        )
    };
    for sql in [
        numbers(jobs)
            + &format!(
                "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
                 start_at, end_at, token_id, token_description) SELECT o.project_id, o.id, o.revision_id, 'success', 0, \
                 'scheduler', 1000000 * n.i, 1000000 * n.i, 1000000 * n.i + 5, o.token_id, o.token_description \
                 FROM n JOIN orchestrations o ON o.id = {of}"
            ),
        format!(
            "INSERT INTO task_runs (project_id, job_id, position, status, start_at, end_at, step, attempt, is_sent, \
             is_checkpointed, epoch, response) SELECT project_id, id, 0, 'success', start_at, end_at, 0, 1, 0, 0, 1, '{{\"rows\": 12}}' \
             FROM jobs WHERE orchestration_id = {of}"
        ),
        format!("UPDATE orchestrations SET job_count = {jobs} WHERE id = {of}"),
    ] {
        look.change(sql).await?;
    }
    Ok(())
}

/// How long one takes, in milliseconds.
async fn page(client: &mut Client, of: i64, offset: i64) -> Result<f64, Failure> {
    let path = format!("/orchestrations/{of}/jobs?limit={PAGE}&offset={offset}");
    let begun = Instant::now();
    client.call("GET", &path, None).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

/// Answers a second, of all clients together; each asks for that part of an orchestration of its own.
async fn rate(address: &str, orchestrations: &[i64], part: &str) -> Result<f64, Failure> {
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for id in orchestrations {
        let mut client = Client::connect(address).await?;
        let path = format!("/orchestrations/{id}{part}");
        clients.spawn(async move {
            let mut answers = 0_u32;
            while begun.elapsed() < TURN {
                client.call("GET", &path, None).await?;
                answers += 1;
            }
            Ok::<_, Failure>(answers)
        });
    }
    let mut answers = 0;
    while let Some(ended) = clients.join_next().await {
        answers += ended??;
    }
    Ok(f64::from(answers) / begun.elapsed().as_secs_f64())
}

/// The bare handler's process.
struct Bare {
    child: Child,
    address: String,
}

/// The argument that makes this program the bare handler.
pub const BARE: &str = "--bare-handler";

impl Bare {
    fn start(url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([BARE, url])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut address)?;
        let address = address.trim_end().to_owned();
        Ok(Self { child, address })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves the same queries and nothing else, until it is killed.
pub async fn serve_bare(url: &str) -> Result<(), Failure> {
    sqlx::any::install_default_drivers();
    let pool = AnyPoolOptions::new()
        .max_connections(8)
        .connect(url)
        .await?;
    let router = axum::Router::new()
        .route("/orchestrations/{id}", get(read_one))
        .route("/orchestrations/{id}/jobs", get(list))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let stream = hyper_util::rt::TokioIo::new(stream);
            let serving = hyper::server::conn::http1::Builder::new();
            let _ = serving.serve_connection(stream, service).await;
        });
    }
}

async fn read_one(State(pool): State<AnyPool>, Path(id): Path<i64>) -> Response {
    let row = sqlx::query(
        "SELECT o.id, o.name, o.crontab_record, o.active, o.token_id, o.token_description, o.created_at, \
         r.tasks, r.notifications, j.status, j.created_at AS job_created_at FROM orchestrations o \
         JOIN revisions r ON r.id = o.revision_id LEFT JOIN jobs j ON j.id = o.last_executed_job_id \
         WHERE o.id = $1 AND o.project_id = $2 AND o.deleted_at IS NULL",
    )
    .bind(id)
    .bind(1_i64)
    .fetch_one(&pool)
    .await;
    answer(row.and_then(|row| {
        Ok(format!(
            r#"{{"id": {}, "name": {:?}, "crontabRecord": {:?}, "active": {}, "token": {{"id": {}, "description": {:?}}}, "createdTime": {}, "tasks": {}, "notifications": {}}}"#,
            row.try_get::<i64, _>("id")?,
            row.try_get::<String, _>("name")?,
            row.try_get::<Option<String>, _>("crontab_record")?.unwrap_or_default(),
            row.try_get::<i64, _>("active")?,
            row.try_get::<i64, _>("token_id")?,
            row.try_get::<String, _>("token_description")?,
            row.try_get::<i64, _>("created_at")?,
            row.try_get::<String, _>("tasks")?,
            row.try_get::<String, _>("notifications")?,
        ))
    }))
}

async fn list(State(pool): State<AnyPool>, Path(id): Path<i64>) -> Response {
    let rows = sqlx::query(
        "SELECT j.id, j.status, j.initialized_by, j.created_at, j.start_at, j.end_at, j.token_id, j.token_description, \
         t.position, t.status AS run_status, t.start_at AS run_start_at, t.end_at AS run_end_at, t.response \
         FROM (SELECT * FROM jobs WHERE orchestration_id = $1 AND project_id = $2 ORDER BY id DESC LIMIT $3) j \
         LEFT JOIN task_runs t ON t.job_id = j.id ORDER BY j.id DESC, t.position",
    )
    .bind(id)
    .bind(1_i64)
    .bind(PAGE)
    .fetch_all(&pool)
    .await;
    answer(rows.and_then(|rows| {
        let mut text = String::from("[");
        for row in &rows {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&format!(
                r#"{{"id": {}, "status": {:?}, "initializedBy": {:?}, "createdTime": {}, "startTime": {}, "endTime": {}, "token": {{"id": {}, "description": {:?}}}, "results": {{"status": {:?}, "startTime": {}, "endTime": {}, "response": {}}}}}"#,
                row.try_get::<i64, _>("id")?,
                row.try_get::<String, _>("status")?,
                row.try_get::<String, _>("initialized_by")?,
                row.try_get::<i64, _>("created_at")?,
                row.try_get::<i64, _>("start_at")?,
                row.try_get::<i64, _>("end_at")?,
                row.try_get::<i64, _>("token_id")?,
                row.try_get::<String, _>("token_description")?,
                row.try_get::<String, _>("run_status")?,
                row.try_get::<i64, _>("run_start_at")?,
                row.try_get::<i64, _>("run_end_at")?,
                row.try_get::<String, _>("response")?,
            ));
        }
        text.push(']');
        Ok(text)
    }))
}

fn answer(text: sqlx::Result<String>) -> Response {
    match text {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
