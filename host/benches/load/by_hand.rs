//! The baseline of throughput: the same durable row changes by hand, in the same tables, with the same driver and durability,
//! and nothing else: no HTTP, no sandbox, no look at what is there.
//!
//! A job is a row that is added and counted, taken (with its task's run) and ended. On SQLite 64 jobs share each commit,
//! which is what 64 clients at once could share at most; on PostgreSQL each of eight connections makes one job after
//! another, with the usual three commits.

use crate::Failure;
use crate::database::Database;
use orchestrator::store::Store;
use sqlx::{AnyConnection, Connection, Row};
use std::time::{Duration, Instant};

const PER_COMMIT: i64 = 64;
const CONNECTIONS: i64 = 8;

/// Makes so many jobs of as many orchestrations, which are there, and returns the time it took.
pub async fn run(database: &Database, url: &str, ids: &[i64]) -> Result<Duration, Failure> {
    let (connections, per_commit) = match database {
        Database::Sqlite => (1, PER_COMMIT),
        Database::Postgres(_) => (CONNECTIONS, 1),
    };
    let mut workers = Vec::new();
    for share in ids.chunks(ids.len().div_ceil(usize::try_from(connections)?)) {
        let connection = connect(url).await?;
        workers.push((connection, share.to_vec()));
    }
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for (mut connection, share) in workers {
        running.spawn(async move {
            for ids in share.chunks(usize::try_from(per_commit)?) {
                make(&mut connection, ids).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(begun.elapsed())
}

async fn connect(url: &str) -> Result<AnyConnection, Failure> {
    let mut connection = AnyConnection::connect(url).await?;
    let settings: &[&'static str] = if Store::is_embedded(url) {
        &[
            "PRAGMA synchronous = FULL",
            "PRAGMA busy_timeout = 5000",
            "PRAGMA foreign_keys = ON",
        ]
    } else {
        &[
            "SET synchronous_commit = on",
            "SET enable_seqscan = off",
            "SET enable_bitmapscan = off",
        ]
    };
    for sql in settings {
        sqlx::query(*sql).execute(&mut connection).await?;
    }
    Ok(connection)
}

async fn make(connection: &mut AnyConnection, ids: &[i64]) -> Result<(), Failure> {
    let mut jobs = Vec::with_capacity(ids.len());
    let mut tx = connection.begin().await?;
    for id in ids {
        let row = sqlx::query(
            "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
             token_id, token_description, initiator_id, initiator_description) \
             SELECT project_id, id, revision_id, 'waiting', 1, 'manually', $2, token_id, token_description, token_id, 'Master token' \
             FROM orchestrations WHERE id = $1 RETURNING id",
        )
        .bind(id)
        .bind(1_i64)
        .fetch_one(&mut *tx)
        .await?;
        jobs.push((*id, row.try_get::<i64, _>(0)?));
        sqlx::query("UPDATE orchestrations SET job_count = job_count + 1 WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    let mut runs = Vec::with_capacity(jobs.len());
    let mut tx = connection.begin().await?;
    for (id, job) in &jobs {
        sqlx::query(
            "UPDATE jobs SET status = 'processing', is_ready = 0, start_at = $2 WHERE id = $1",
        )
        .bind(job)
        .bind(2_i64)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE orchestrations SET last_executed_job_id = $2 WHERE id = $1")
            .bind(id)
            .bind(job)
            .execute(&mut *tx)
            .await?;
        let row = sqlx::query(
            "INSERT INTO task_runs (project_id, job_id, position, status, start_at, step, attempt, is_sent, \
             is_checkpointed, host_id, epoch) VALUES (1, $1, 0, 'processing', $2, 0, 1, 0, 0, 1, 1) RETURNING id",
        )
        .bind(job)
        .bind(2_i64)
        .fetch_one(&mut *tx)
        .await?;
        runs.push((*job, row.try_get::<i64, _>(0)?));
    }
    tx.commit().await?;
    let mut tx = connection.begin().await?;
    for (job, run) in &runs {
        sqlx::query(
            "UPDATE task_runs SET status = 'success', end_at = $2, host_id = NULL WHERE id = $1",
        )
        .bind(run)
        .bind(3_i64)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE jobs SET status = 'success', end_at = $2 WHERE id = $1")
            .bind(job)
            .bind(3_i64)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
