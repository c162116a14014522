//! Starts: ready jobs that a host has chosen move from `waiting` to `processing` and begin their first phase, many at once.

use super::advances::{Finished, finish_jobs};
use super::claims::LeasedStep;
use super::dialect::Dialect;
use super::job_events::News;
use super::job_rows::job_column;
use super::new_runs::{NewRuns, insert_runs};
use super::rows::{Columns, to_json};
use super::{Result, Store, Tx};
use crate::domain::alarm::{Alarms, JobTimes};
use crate::domain::ids::{HostId, JobId};
use crate::domain::job::{Job, Status};
use crate::domain::notification::{MOST_SAMPLES, average};
use crate::domain::phases::next_active;
use crate::domain::time::Timestamp;
use crate::metrics::JobEnd;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What a host has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) host: HostId,
    /// Steps in all.
    pub(super) free: usize,
    /// Steps of one job.
    pub(super) per_job: usize,
}

/// Starts those of the jobs for which there is room, in their order, and returns the steps that the host takes at once, and the
/// ends of jobs that have nothing to do. What
/// another transaction is at, or was quicker with, is left out; a job that finds no room stays ready.
pub(super) async fn start_jobs(
    store: &Store,
    tx: &mut Tx,
    ready: &[JobId],
    room: Room,
    now: Timestamp,
    news: &mut News,
) -> Result<(Vec<LeasedStep>, Vec<JobEnd>)> {
    if ready.is_empty() || room.free == 0 {
        return Ok(Default::default());
    }
    let mut starting = Vec::new();
    let mut free = room.free;
    for mut job in lock_ready(store, tx, ready).await? {
        if free == 0 {
            break;
        }
        let positions = next_active(&job.tasks(), 0);
        let most_leased = positions.len().min(free).min(room.per_job);
        free -= most_leased;
        (job.status, job.start_at) = (Status::Processing, Some(now));
        starting.push(NewRuns {
            job,
            positions,
            host: room.host,
            most_leased,
            now,
        });
    }
    let started = mark_started(tx, &starting, now).await?;
    starting.retain(|one| started.contains(&one.job.id));
    if starting.is_empty() {
        return Ok(Default::default());
    }
    note_last_executed(tx, &starting).await?;
    for one in &starting {
        news.job(one.job.project_id, one.job.id, Status::Processing, now);
        set_alarm(tx, &one.job, now).await?;
    }
    let (empty, starting): (Vec<_>, Vec<_>) = starting
        .into_iter()
        .partition(|one| one.positions.is_empty());
    let finished = empty.into_iter().map(|one| Finished {
        job: one.job,
        status: Status::Success,
        now,
        keeps_token: false,
    });
    let finished: Vec<_> = finished.collect();
    let ended = finished.iter().map(Finished::end).collect();
    finish_jobs(tx, finished, news).await?;
    Ok((insert_runs(tx, starting, news).await?, ended))
}

/// Those that are still ready, their orchestrations locked where no other transaction is at them.
async fn lock_ready(store: &Store, tx: &mut Tx, ready: &[JobId]) -> Result<Vec<Job>> {
    let dialect = Dialect::of(tx);
    let sql = format!(
        "SELECT {} FROM {} d JOIN jobs j ON j.id = d.of_job JOIN orchestrations o ON o.id = j.orchestration_id \
         WHERE j.status || '' = 'waiting' AND +j.is_ready = 1{}",
        job_column(dialect, "j"),
        dialect.rows("$1", &["of_job"], &[]),
        dialect.lock_free("o")
    );
    let ids: Vec<_> = ready.iter().map(|id| [id.0]).collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &ids)?)
        .fetch_all(&mut *tx)
        .await?;
    let found = store.read_jobs_in(tx, &rows).await?;
    let mut found: HashMap<_, _> = found.into_iter().map(|job| (job.id, job)).collect();
    Ok(ready.iter().filter_map(|id| found.remove(id)).collect())
}

/// Compare-and-set: returns those that were waiting and ready, and now run.
async fn mark_started(tx: &mut Tx, starting: &[NewRuns], now: Timestamp) -> Result<HashSet<JobId>> {
    let rows = Dialect::of(tx).rows("$1", &["of_job"], &[]);
    let sql = format!(
        "UPDATE jobs SET status = 'processing', is_ready = 0, start_at = $2, alarm_at = NULL FROM {rows} d \
         WHERE jobs.id = d.of_job AND jobs.status || '' = 'waiting' AND +jobs.is_ready = 1 RETURNING jobs.id AS id"
    );
    let ids: Vec<_> = starting.iter().map(|one| [one.job.id.0]).collect();
    let started = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &ids)?)
        .bind(now.0)
        .fetch_all(tx)
        .await?;
    let id = |row| Ok(JobId(Columns::of(row, "jobs").int("id")?));
    started.iter().map(id).collect()
}

async fn note_last_executed(tx: &mut Tx, starting: &[NewRuns]) -> Result<()> {
    let rows = Dialect::of(tx).rows("$1", &["queue", "newest"], &[]);
    let sql = format!(
        "UPDATE orchestrations SET last_executed_job_id = d.newest FROM {rows} d WHERE orchestrations.id = d.queue"
    );
    let jobs = starting.iter().map(|one| &one.job);
    let bound: Vec<_> = jobs.map(|job| (job.orchestration_id.0, job.id.0)).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &bound)?)
        .execute(tx)
        .await?;
    Ok(())
}

/// Sets the alarm for a job that runs too long, where somebody subscribed to that.
async fn set_alarm(tx: &mut Tx, job: &Job, now: Timestamp) -> Result<()> {
    let alarms = Alarms::of(&job.revision.notifications, &job.notifications_emails);
    if !alarms.needs_average() {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT start_at, end_at FROM jobs WHERE orchestration_id = $1 AND status IN ('success', 'warning') \
         ORDER BY id DESC LIMIT $2",
    )
    .bind(job.orchestration_id.0)
    .bind(i64::try_from(MOST_SAMPLES).unwrap_or(20))
    .fetch_all(&mut *tx)
    .await?;
    let mut samples = Vec::with_capacity(rows.len());
    for row in &rows {
        let columns = Columns::of(row, "jobs");
        samples.push(columns.time("end_at")?.since(columns.time("start_at")?));
    }
    let average: Option<Duration> = average(&samples);
    let times = JobTimes {
        created_at: job.created_at,
        start_at: Some(now),
        average,
    };
    sqlx::query("UPDATE jobs SET average_run = $2, alarm_at = $3 WHERE id = $1")
        .bind(job.id.0)
        .bind(average.map(|average| i64::try_from(average.as_micros()).unwrap_or(i64::MAX)))
        .bind(alarms.next_after(&times, None).map(|time| time.0))
        .execute(tx)
        .await?;
    Ok(())
}
