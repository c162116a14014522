//! Alarms: jobs that wait or run longer than somebody wants to put up with.
//!
//! A job carries the time of its next alarm; raising it promises the notifications and sets the one after it in the same
//! transaction. Each subscription's alarm is promised once per job, by the deliveries' unique key.

use super::deliveries::{NewDelivery, insert_delivery};
use super::dialect::Dialect;
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::alarm::{Alarms, JobTimes};
use crate::domain::ids::JobId;
use crate::domain::time::Timestamp;
use std::time::Duration;

impl Store {
    /// Promises the notifications of alarms that are due; returns of how many jobs.
    pub async fn raise_alarms(&self, now: Timestamp, limit: u32) -> Result<usize> {
        let due =
            sqlx::query("SELECT id FROM jobs WHERE alarm_at <= $1 ORDER BY alarm_at LIMIT $2")
                .bind(now.0)
                .bind(i64::from(limit))
                .fetch_all(&self.read)
                .await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut ids = Vec::with_capacity(due.len());
        for row in &due {
            ids.push(JobId(Columns::of(row, "jobs").int("id")?));
        }
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let mut raised = 0;
                for id in &ids {
                    raised += usize::from(raise(&store, tx, *id, now).await?);
                }
                Ok(raised)
            })
        })
        .await
    }

    /// When the next alarm comes due.
    pub async fn next_alarm_time(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT alarm_at FROM jobs WHERE alarm_at IS NOT NULL ORDER BY alarm_at LIMIT 1",
        )
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Columns::of(&row, "jobs").time("alarm_at"))
            .transpose()
    }
}

async fn raise(store: &Store, tx: &mut Tx, id: JobId, now: Timestamp) -> Result<bool> {
    let lock_free = Dialect::of(tx).lock_free("j");
    let sql =
        format!("SELECT j.average_run FROM jobs j WHERE j.id = $1 AND j.alarm_at <= $2{lock_free}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(now.0)
        .fetch_optional(&mut *tx)
        .await?;
    // Another host may be here or have been here, or the job has ended since.
    let Some(row) = row else { return Ok(false) };
    let Some(job) = store.find_job(tx, id).await? else {
        return Ok(false);
    };
    let average = Columns::of(&row, "jobs").maybe_int("average_run")?;
    let times = JobTimes {
        created_at: job.created_at,
        start_at: job.start_at,
        average: average
            .and_then(|micros| u64::try_from(micros).ok())
            .map(Duration::from_micros),
    };
    let alarms = Alarms::of(&job.revision.notifications, &job.notifications_emails);
    let since = job.start_at.unwrap_or(job.created_at);
    for alarm in alarms.due_at(&times, now) {
        let delivery = NewDelivery {
            job: &job,
            channel: alarm.subscription.channel,
            address: &alarm.subscription.email,
            parameters: &alarm.subscription.parameters,
            expected: Some(alarm.expected),
            actual: Some(now.since(since)),
        };
        insert_delivery(tx, &delivery, now).await?;
    }
    sqlx::query("UPDATE jobs SET alarm_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(alarms.next_after(&times, Some(now)).map(|time| time.0))
        .execute(tx)
        .await?;
    Ok(true)
}
