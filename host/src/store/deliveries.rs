//! Deliveries: notifications that were promised, and the attempts to keep the promise.
//!
//! A row is written in the transaction that makes the event true ([`promises`](super::promises)). It is leased, attempted and
//! tried again until it is accepted, refused for good, or its days are over; each attempt is a row too.

use super::dialect::Dialect;
use super::locks::hold_host;
use super::promises::enable_receiver;
use super::rows::{Columns, storable};
use super::{Result, Store, Tx};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{DeliveryId, HostId, JobId, ProjectId};
use crate::domain::job::Job;
use crate::domain::notification::{Channel, Target};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::time::Duration;

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
    pub target: Target,
    /// JSON object.
    pub parameters: String,
    pub expected: Option<Duration>,
    pub actual: Option<Duration>,
    pub created_at: Timestamp,
    /// When its days began: with its creation, or with the last wish to send it again.
    pub tried_since: Timestamp,
    /// 1 for the first one.
    pub attempt: u32,
    /// The same since `tried_since`.
    pub attempt_since: u32,
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
        /// The receiver is gone for good: further events are not delivered to it.
        is_gone: bool,
    },
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
                let is_gone = matches!(end, AttemptEnd::Failed { is_gone: true, .. });
                let (status, next_at, receipt, outcome, message) = match end {
                    AttemptEnd::Delivered { receipt } => {
                        let message = receipt.clone().unwrap_or_default();
                        (DeliveryStatus::Delivered, None, receipt, "delivered", message)
                    }
                    AttemptEnd::Retry { kind, message, next_at } => {
                        (DeliveryStatus::Pending, Some(next_at), None, kind, message)
                    }
                    AttemptEnd::Failed { kind, message, .. } => {
                        (DeliveryStatus::Failed, None, None, kind, message)
                    }
                };
                let ended = sqlx::query(
                    "UPDATE deliveries SET status = $4, next_attempt_at = $5, receipt = $6, end_at = $7, \
                     is_gone = $8, host_id = NULL WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.delivery.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(status.as_str())
                .bind(next_at.map(|time| time.0))
                .bind(receipt.as_deref().map(storable))
                .bind((status != DeliveryStatus::Pending).then_some(now.0))
                .bind(i64::from(is_gone))
                .execute(&mut *tx)
                .await?;
                if ended.rows_affected() == 0 {
                    return Ok(false);
                }
                if status == DeliveryStatus::Delivered {
                    enable_receiver(tx, lease.delivery).await?;
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
        let created_at = columns.time("created_at")?;
        let attempt: u32 = columns.count("attempts")?;
        let orchestration =
            sqlx::query("SELECT name FROM orchestrations WHERE id = $1 AND project_id = $2")
                .bind(job.orchestration_id.0)
                .bind(project_id.0)
                .fetch_one(&self.read)
                .await?;
        let incident = match channel {
            Channel::Error | Channel::Recovery => self.first_error_since_success(&job).await?,
            Channel::Waiting | Channel::Processing | Channel::Success | Channel::Warning => job_id,
        };
        Ok(Some(LeasedDelivery {
            lease: DeliveryLease {
                delivery: DeliveryId(columns.int("id")?),
                host,
                epoch: columns.int("epoch")?,
            },
            project_id,
            channel,
            target: target(&columns)?,
            parameters: columns.text("parameters")?,
            expected: seconds(&columns, "expected_seconds")?,
            actual: seconds(&columns, "actual_seconds")?,
            created_at,
            tried_since: columns.maybe_time("renewed_at")?.unwrap_or(created_at),
            attempt,
            attempt_since: attempt.saturating_sub(columns.count("renewed_attempts")?),
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
         RETURNING id, project_id, job_id, event, plugin, COALESCE(email, address) AS email, config, parameters, \
         expected_seconds, actual_seconds, created_at, attempts, renewed_at, renewed_attempts, epoch"
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

pub(super) fn channel(columns: &Columns<'_>) -> Result<Channel> {
    let event = columns.text("event")?;
    Channel::from_text(&event).ok_or_else(|| columns.damaged(format!("unknown event {event:?}")))
}

pub(super) fn target(columns: &Columns<'_>) -> Result<Target> {
    Ok(Target {
        plugin: columns.text("plugin")?,
        email: columns.text("email")?,
        config: columns.text("config")?,
    })
}

fn seconds(columns: &Columns<'_>, name: &str) -> Result<Option<Duration>> {
    let seconds = columns
        .maybe_int(name)?
        .and_then(|value| u64::try_from(value).ok());
    Ok(seconds.map(Duration::from_secs))
}
