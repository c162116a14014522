//! The list of an orchestration's deliveries, and the wish to send one again.

use super::deliveries::{channel, target};
use super::rows::Columns;
use super::{Result, Store};
use crate::domain::audit::{Action, Change};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{DeliveryId, JobId, OrchestrationId, ProjectId};
use crate::domain::notification::{Channel, Target};
use crate::domain::time::Timestamp;
use serde_json::json;
use sqlx::any::AnyRow;

/// A delivery as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub job_id: JobId,
    pub channel: Channel,
    pub target: Target,
    pub status: DeliveryStatus,
    /// How many were begun.
    pub attempts: u32,
    pub created_at: Timestamp,
    /// While it is pending and no attempt is under way.
    pub next_attempt_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    pub receipt: Option<String>,
    pub last_attempt: Option<Attempt>,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub end_at: Timestamp,
    /// `delivered`, or the kind of the failure.
    pub outcome: String,
    pub message: String,
}

/// A part of a list of deliveries, newest first.
#[derive(Clone, Debug)]
pub struct DeliveryPage {
    pub deliveries: Vec<Delivery>,
    /// All there are, on whatever page.
    pub total: u64,
}

/// What became of the wish to send a delivery again.
#[derive(Clone, Debug, PartialEq)]
pub enum Redelivered {
    /// It is due now.
    Due(Box<Delivery>),
    /// It is not over yet: its next attempt comes by itself.
    Pending,
    NotFound,
}

/// Columns of a delivery, for [`read`].
pub(super) const COLUMNS: &str = "d.id, d.job_id, d.event, d.plugin, COALESCE(d.email, d.address) AS email, d.config, d.status, \
    d.attempts, d.created_at, d.next_attempt_at, d.end_at, d.receipt, a.end_at AS last_at, a.outcome, a.message";
pub(super) const WITH_LAST_ATTEMPT: &str = "deliveries d LEFT JOIN delivery_attempts a ON a.delivery_id = d.id AND a.attempt = \
    (SELECT MAX(l.attempt) FROM delivery_attempts l WHERE l.delivery_id = d.id)";

impl Store {
    /// The deliveries that a job's events promised, oldest first.
    pub async fn list_deliveries(&self, project: ProjectId, job: JobId) -> Result<Vec<Delivery>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {WITH_LAST_ATTEMPT} WHERE d.job_id = $1 AND d.project_id = $2 ORDER BY d.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(job.0)
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The deliveries of an orchestration's jobs, newest first; `None` where there is no such orchestration.
    pub async fn page_deliveries(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
        limit: u32,
        offset: u64,
    ) -> Result<Option<DeliveryPage>> {
        let found = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM deliveries d WHERE d.orchestration_id = o.id) AS total \
             FROM orchestrations o WHERE o.id = $1 AND o.project_id = $2 AND o.deleted_at IS NULL",
        )
        .bind(orchestration.0)
        .bind(project.0)
        .fetch_optional(&self.read)
        .await?;
        let Some(found) = found else { return Ok(None) };
        // Ids first: a deep page walks the index only.
        let sql = format!(
            "SELECT {COLUMNS} FROM {WITH_LAST_ATTEMPT} WHERE d.id IN (SELECT id FROM deliveries \
             WHERE orchestration_id >= $1 AND orchestration_id <= $1 ORDER BY orchestration_id DESC, id DESC LIMIT $3 OFFSET $4) AND d.project_id = $2 ORDER BY d.id DESC"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(orchestration.0)
            .bind(project.0)
            .bind(i64::from(limit))
            .bind(i64::try_from(offset).unwrap_or(i64::MAX))
            .fetch_all(&self.read)
            .await?;
        Ok(Some(DeliveryPage {
            deliveries: rows.iter().map(read).collect::<Result<_>>()?,
            total: Columns::of(&found, "deliveries").count("total")?,
        }))
    }

    /// Makes a delivery that is over due once more, with the same id for its receiver; its days and delays begin anew.
    pub async fn redeliver(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
        delivery: DeliveryId,
        now: Timestamp,
    ) -> Result<Redelivered> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let renewed = sqlx::query(
                    "UPDATE deliveries SET status = 'pending', next_attempt_at = $4, renewed_at = $4, \
                     renewed_attempts = attempts, end_at = NULL, receipt = NULL \
                     WHERE id = $1 AND orchestration_id = $2 AND project_id = $3 AND status <> 'pending'",
                )
                .bind(delivery.0)
                .bind(orchestration.0)
                .bind(project.0)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                let sql = format!(
                    "SELECT {COLUMNS} FROM {WITH_LAST_ATTEMPT} \
                     WHERE d.id = $1 AND d.orchestration_id = $2 AND d.project_id = $3"
                );
                let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(delivery.0)
                    .bind(orchestration.0)
                    .bind(project.0)
                    .fetch_optional(&mut *tx)
                    .await?;
                let Some(row) = row else {
                    return Ok(Redelivered::NotFound);
                };
                if renewed.rows_affected() == 0 {
                    return Ok(Redelivered::Pending);
                }
                let change = Change {
                    action: Action::DeliveryRepeat,
                    subject: delivery.to_string(),
                    before: None,
                    after: Some(json!({"orchestrationId": orchestration})),
                };
                store.note(tx, project, change, now).await?;
                Ok(Redelivered::Due(Box::new(read(&row)?)))
            })
        })
        .await
    }
}

pub(super) fn read(row: &AnyRow) -> Result<Delivery> {
    let columns = Columns::of(row, "deliveries");
    let status = columns.text("status")?;
    let last_attempt = match columns.maybe_time("last_at")? {
        None => None,
        Some(end_at) => Some(Attempt {
            end_at,
            outcome: columns.text("outcome")?,
            message: columns.text("message")?,
        }),
    };
    Ok(Delivery {
        id: DeliveryId(columns.int("id")?),
        job_id: JobId(columns.int("job_id")?),
        channel: channel(&columns)?,
        target: target(&columns)?,
        status: DeliveryStatus::from_text(&status)
            .ok_or_else(|| columns.damaged(format!("unknown status {status:?}")))?,
        attempts: columns.count("attempts")?,
        created_at: columns.time("created_at")?,
        next_attempt_at: columns.maybe_time("next_attempt_at")?,
        end_at: columns.maybe_time("end_at")?,
        receipt: columns.maybe_text("receipt")?,
        last_attempt,
    })
}
