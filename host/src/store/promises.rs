//! Promises: the deliveries that an event of a job is told by, written in the transaction that makes the event true, once per
//! job, event, plugin and address.
//!
//! A receiver that said it is gone for good is promised nothing more: its deliveries are rows that nobody attempts, so that
//! it shows what was not told.

use super::rows::{storable, to_json};
use super::{Result, Tx};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{DeliveryId, OrchestrationId};
use crate::domain::job::{Job, Status};
use crate::domain::notification::{Channel, Target};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value};
use std::time::Duration;

/// A notification to be promised.
pub(super) struct NewDelivery<'a> {
    pub(super) job: &'a Job,
    pub(super) channel: Channel,
    pub(super) target: &'a Target,
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
    let (target, orchestration) = (delivery.target, delivery.job.orchestration_id);
    let is_gone = is_receiver_gone(tx, orchestration, target).await?;
    let status = if is_gone {
        DeliveryStatus::Disabled
    } else {
        DeliveryStatus::Pending
    };
    let seconds = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_secs()).ok());
    sqlx::query(
        "INSERT INTO deliveries (project_id, job_id, event, plugin, address, parameters, expected_seconds, \
         actual_seconds, created_at, status, attempts, next_attempt_at, end_at, epoch, orchestration_id, email, config) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, 0, $13, $14, $15) \
         ON CONFLICT (job_id, event, plugin, address) DO NOTHING",
    )
    .bind(delivery.job.project_id.0)
    .bind(delivery.job.id.0)
    .bind(delivery.channel.as_str())
    .bind(storable(&target.plugin))
    .bind(storable(&target.address()))
    .bind(to_json("deliveries", delivery.parameters)?)
    .bind(seconds(delivery.expected))
    .bind(seconds(delivery.actual))
    .bind(now.0)
    .bind(status.as_str())
    .bind((!is_gone).then_some(now.0))
    .bind(is_gone.then_some(now.0))
    .bind(orchestration.0)
    .bind(storable(&target.email))
    .bind(storable(&target.config))
    .execute(tx)
    .await?;
    Ok(())
}

/// Promises what a job's end is told to. Addresses that were given for its run stand in place of all subscriptions, and get
/// the mail of its failure.
pub(super) async fn promise_notifications(
    tx: &mut Tx,
    job: &Job,
    status: Status,
    now: Timestamp,
) -> Result<()> {
    let none = Map::new();
    let mut events = Vec::new();
    if job.notifications_emails.is_empty() {
        for one in &job.revision.notifications {
            let is_due = match one.channel {
                Channel::Error => status == Status::Error,
                Channel::Success => status == Status::Success,
                Channel::Warning => status == Status::Warning,
                Channel::Recovery => status == Status::Success && failed_before(tx, job).await?,
                Channel::Waiting | Channel::Processing => false,
            };
            if is_due {
                events.push((one.channel, one.target(), &one.parameters));
            }
        }
    } else if status == Status::Error {
        let emails = job.notifications_emails.iter();
        events.extend(emails.map(|email| (Channel::Error, Target::of_email(email), &none)));
    }
    for (channel, target, parameters) in &events {
        let delivery = NewDelivery {
            job,
            channel: *channel,
            target,
            parameters,
            expected: None,
            actual: None,
        };
        insert_delivery(tx, &delivery, now).await?;
    }
    Ok(())
}

/// Whether a job of the orchestration ended in error since the last one before this that ended in success.
async fn failed_before(tx: &mut Tx, job: &Job) -> Result<bool> {
    let row = sqlx::query(
        "SELECT 1 AS one FROM jobs WHERE orchestration_id = $1 AND status = 'error' AND id < $2 AND id > COALESCE( \
         (SELECT id FROM jobs WHERE orchestration_id = $1 AND status IN ('success', 'warning') AND status = 'success' \
         AND id < $2 ORDER BY id DESC LIMIT 1), 0) LIMIT 1",
    )
    .bind(job.orchestration_id.0)
    .bind(job.id.0)
    .fetch_optional(tx)
    .await?;
    Ok(row.is_some())
}

async fn is_receiver_gone(
    tx: &mut Tx,
    orchestration: OrchestrationId,
    target: &Target,
) -> Result<bool> {
    let row = sqlx::query(
        "SELECT 1 AS one FROM deliveries WHERE orchestration_id = $1 AND plugin = $2 AND address = $3 AND is_gone = 1 LIMIT 1",
    )
    .bind(orchestration.0)
    .bind(target.plugin.as_str())
    .bind(storable(&target.address()))
    .fetch_optional(tx)
    .await?;
    Ok(row.is_some())
}

/// It took a delivery: it is not gone, whatever it said before.
pub(super) async fn enable_receiver(tx: &mut Tx, delivery: DeliveryId) -> Result<()> {
    sqlx::query(
        "UPDATE deliveries SET is_gone = 0 WHERE is_gone = 1 AND (orchestration_id, plugin, address) = \
         (SELECT d.orchestration_id, d.plugin, d.address FROM deliveries d WHERE d.id = $1)",
    )
    .bind(delivery.0)
    .execute(tx)
    .await?;
    Ok(())
}
