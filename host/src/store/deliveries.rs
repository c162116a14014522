//! Deliveries: notifications that were promised, and the attempts to keep the promise.
//!
//! A row is written in the transaction that makes the event true, once per job, event, plugin and address. It is leased,
//! attempted and tried again until it is accepted, refused for good, or its days are over; each attempt is a row too.

use super::dialect::Dialect;
use super::locks::hold_host;
use super::rows::{Columns, storable, to_json};
use super::{Result, Store, Tx};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{DeliveryId, HostId, JobId, ProjectId};
use crate::domain::job::Job;
use crate::domain::notification::Channel;
use crate::domain::time::Timestamp;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use std::time::Duration;

/// The delivery plugin of subscriptions that name none.
const DEFAULT_PLUGIN: &str = "email";

/// Columns of a delivery, for [`read`].
pub(super) const SHOWN: &str =
    "id, job_id, event, plugin, address, status, attempts, created_at, end_at, receipt";

/// Proof that this host attempts a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryLease {
    pub delivery: DeliveryId,
    pub host: HostId,
    pub epoch: i64,
}

/// A delivery that this host is to attempt now.
#[derive(Clone, Debug)]
pub struct LeasedDelivery {
    pub lease: DeliveryLease,
    pub project_id: ProjectId,
    pub channel: Channel,
    pub plugin: String,
    pub address: String,
    /// JSON object.
    pub parameters: String,
    pub expected: Option<Duration>,
    pub actual: Option<Duration>,
    pub created_at: Timestamp,
    /// 1 for the first one.
    pub attempt: u32,
    pub orchestration_name: String,
    /// With its task runs.
    pub job: Job,
    /// The first job of the orchestration's present trouble: messages about the same trouble form one thread.
    pub incident: JobId,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum AttemptEnd {
    Delivered {
        receipt: Option<String>,
    },
    /// To be tried again at `next_at`.
    Retry {
        kind: &'static str,
        message: String,
        next_at: Timestamp,
    },
    /// Refused for good, or given up.
    Failed {
        kind: &'static str,
        message: String,
    },
}

/// A delivery as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub job_id: JobId,
    pub channel: Channel,
    pub plugin: String,
    pub address: String,
    pub status: DeliveryStatus,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub end_at: Option<Timestamp>,
    pub receipt: Option<String>,
}

impl Store {
    /// Takes on deliveries that are due, the longest due first.
    pub async fn lease_deliveries(
        &self,
        host: HostId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<LeasedDelivery>> {
        let due = sqlx::query(
            "SELECT id FROM deliveries WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $2",
        )
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = Vec::with_capacity(due.len());
        for row in &due {
            ids.push(Columns::of(row, "deliveries").int("id")?);
        }
        let rows = self
            .write(move |tx| Box::pin(async move { lease(tx, &ids, host).await }))
            .await?;
        let mut leased = Vec::with_capacity(rows.len());
        for row in &rows {
            leased.extend(self.complete_delivery(row, host).await?);
        }
        Ok(leased)
    }

    /// Records how an attempt ended. `false`: another host has taken the delivery over.
    pub async fn end_delivery(
        &self,
        lease: DeliveryLease,
        attempt: u32,
        start_at: Timestamp,
        end: AttemptEnd,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let (status, next_at, receipt, outcome, message) = match end {
                    AttemptEnd::Delivered { receipt } => {
                        let message = receipt.clone().unwrap_or_default();
                        (DeliveryStatus::Delivered, None, receipt, "delivered", message)
                    }
                    AttemptEnd::Retry { kind, message, next_at } => {
                        (DeliveryStatus::Pending, Some(next_at), None, kind, message)
                    }
                    AttemptEnd::Failed { kind, message } => {
                        (DeliveryStatus::Failed, None, None, kind, message)
                    }
                };
                let ended = sqlx::query(
                    "UPDATE deliveries SET status = $4, next_attempt_at = $5, receipt = $6, end_at = $7, \
                     host_id = NULL WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.delivery.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(status.as_str())
                .bind(next_at.map(|time| time.0))
                .bind(receipt.as_deref().map(storable))
                .bind((status != DeliveryStatus::Pending).then_some(now.0))
                .execute(&mut *tx)
                .await?;
                if ended.rows_affected() == 0 {
                    return Ok(false);
                }
                sqlx::query(
                    "INSERT INTO delivery_attempts (delivery_id, attempt, start_at, end_at, outcome, message) \
                     VALUES ($1, $2, $3, $4, $5, $6)",
                )
                .bind(lease.delivery.0)
                .bind(i64::from(attempt))
                .bind(start_at.0)
                .bind(now.0)
                .bind(outcome)
                .bind(storable(&message))
                .execute(tx)
                .await?;
                Ok(true)
            })
        })
        .await
    }

    /// When the next attempt is due.
    pub async fn next_delivery_time(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT next_attempt_at FROM deliveries WHERE next_attempt_at IS NOT NULL \
             ORDER BY next_attempt_at LIMIT 1",
        )
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Columns::of(&row, "deliveries").time("next_attempt_at"))
            .transpose()
    }

    /// The deliveries that a job's events promised, oldest first.
    pub async fn list_deliveries(&self, project: ProjectId, job: JobId) -> Result<Vec<Delivery>> {
        let sql = format!(
            "SELECT {SHOWN} FROM deliveries WHERE job_id = $1 AND project_id = $2 ORDER BY id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(job.0)
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    async fn complete_delivery(
        &self,
        row: &AnyRow,
        host: HostId,
    ) -> Result<Option<LeasedDelivery>> {
        let columns = Columns::of(row, "deliveries");
        let project_id = ProjectId(columns.int("project_id")?);
        let job_id = JobId(columns.int("job_id")?);
        let Some(job) = self.read_job(project_id, job_id).await? else {
            return Err(columns.damaged("its job is missing"));
        };
        let channel = channel(&columns)?;
        let orchestration =
            sqlx::query("SELECT name FROM orchestrations WHERE id = $1 AND project_id = $2")
                .bind(job.orchestration_id.0)
                .bind(project_id.0)
                .fetch_one(&self.read)
                .await?;
        let incident = match channel {
            Channel::Error => self.first_error_since_success(&job).await?,
            Channel::Waiting | Channel::Processing => job_id,
        };
        Ok(Some(LeasedDelivery {
            lease: DeliveryLease {
                delivery: DeliveryId(columns.int("id")?),
                host,
                epoch: columns.int("epoch")?,
            },
            project_id,
            channel,
            plugin: columns.text("plugin")?,
            address: columns.text("address")?,
            parameters: columns.text("parameters")?,
            expected: seconds(&columns, "expected_seconds")?,
            actual: seconds(&columns, "actual_seconds")?,
            created_at: columns.time("created_at")?,
            attempt: columns.count("attempts")?,
            orchestration_name: Columns::of(&orchestration, "orchestrations").text("name")?,
            job,
            incident,
        }))
    }

    async fn first_error_since_success(&self, job: &Job) -> Result<JobId> {
        let row = sqlx::query(
            "SELECT id FROM jobs WHERE orchestration_id = $1 AND status = 'error' AND id <= $2 AND id > COALESCE( \
             (SELECT id FROM jobs WHERE orchestration_id = $1 AND status IN ('success', 'warning') AND id < $2 \
             ORDER BY id DESC LIMIT 1), 0) ORDER BY id LIMIT 1",
        )
        .bind(job.orchestration_id.0)
        .bind(job.id.0)
        .fetch_optional(&self.read)
        .await?;
        row.map_or(Ok(job.id), |row| {
            Ok(JobId(Columns::of(&row, "jobs").int("id")?))
        })
    }
}

async fn lease(tx: &mut Tx, ids: &[i64], host: HostId) -> Result<Vec<AnyRow>> {
    let mut rows = Vec::with_capacity(ids.len());
    if !hold_host(tx, host).await? {
        return Ok(rows);
    }
    let lock_free = Dialect::of(tx).lock_free("d");
    let sql = format!(
        "UPDATE deliveries SET host_id = $2, epoch = epoch + 1, attempts = attempts + 1, next_attempt_at = NULL \
         WHERE id = (SELECT d.id FROM deliveries d WHERE d.id = $1 AND d.next_attempt_at IS NOT NULL{lock_free}) \
         RETURNING id, project_id, job_id, event, plugin, address, parameters, expected_seconds, actual_seconds, \
         created_at, attempts, epoch"
    );
    for id in ids {
        let row = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
            .bind(*id)
            .bind(host.0)
            .fetch_optional(&mut *tx)
            .await?;
        rows.extend(row);
    }
    Ok(rows)
}

fn channel(columns: &Columns<'_>) -> Result<Channel> {
    let event = columns.text("event")?;
    Channel::from_text(&event).ok_or_else(|| columns.damaged(format!("unknown event {event:?}")))
}

fn seconds(columns: &Columns<'_>, name: &str) -> Result<Option<Duration>> {
    let seconds = columns
        .maybe_int(name)?
        .and_then(|value| u64::try_from(value).ok());
    Ok(seconds.map(Duration::from_secs))
}

pub(super) fn read(row: &AnyRow) -> Result<Delivery> {
    let columns = Columns::of(row, "deliveries");
    let status = columns.text("status")?;
    Ok(Delivery {
        id: DeliveryId(columns.int("id")?),
        job_id: JobId(columns.int("job_id")?),
        channel: channel(&columns)?,
        plugin: columns.text("plugin")?,
        address: columns.text("address")?,
        status: DeliveryStatus::from_text(&status)
            .ok_or_else(|| columns.damaged(format!("unknown status {status:?}")))?,
        attempts: columns.count("attempts")?,
        created_at: columns.time("created_at")?,
        end_at: columns.maybe_time("end_at")?,
        receipt: columns.maybe_text("receipt")?,
    })
}

/// A notification to be promised.
pub(super) struct NewDelivery<'a> {
    pub(super) job: &'a Job,
    pub(super) channel: Channel,
    pub(super) address: &'a str,
    pub(super) parameters: &'a Map<String, Value>,
    pub(super) expected: Option<Duration>,
    pub(super) actual: Option<Duration>,
}

/// Promises a notification, unless it is promised already.
pub(super) async fn insert_delivery(
    tx: &mut Tx,
    delivery: &NewDelivery<'_>,
    now: Timestamp,
) -> Result<()> {
    let seconds = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_secs()).ok());
    sqlx::query(
        "INSERT INTO deliveries (project_id, job_id, event, plugin, address, parameters, expected_seconds, \
         actual_seconds, created_at, status, attempts, next_attempt_at, epoch) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', 0, $9, 0) \
         ON CONFLICT (job_id, event, plugin, address) DO NOTHING",
    )
    .bind(delivery.job.project_id.0)
    .bind(delivery.job.id.0)
    .bind(delivery.channel.as_str())
    .bind(DEFAULT_PLUGIN)
    .bind(storable(delivery.address))
    .bind(to_json("deliveries", delivery.parameters)?)
    .bind(seconds(delivery.expected))
    .bind(seconds(delivery.actual))
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}
