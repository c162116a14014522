//! The audit log: an entry is written in the transaction of the change that it tells of, or not at all.
//!
//! A [`Store`] that acts on behalf of somebody notes what it changes; one that does not (the loops') notes nothing.
//! Entries are never changed (the database refuses it) and removed by their age only.

use super::dialect::Dialect;
use super::rows::{Columns, storable, to_json};
use super::{Result, Store, StoreError, Tx};
use crate::domain::audit::{Actor, AuditEntry, Change};
use crate::domain::ids::{ProjectId, TokenId};
use crate::domain::orchestration::TokenReference;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::sync::Arc;

/// An hour, in microseconds.
const HOUR: i64 = 3_600_000_000;

/// What somebody changed, to be noted.
pub(super) struct Entry {
    pub(super) actor: Arc<Actor>,
    pub(super) project: ProjectId,
    pub(super) change: Change,
    pub(super) now: Timestamp,
}

/// A page of a project's entries, newest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// Of all pages.
    pub total: u64,
}

impl Store {
    /// The same database, every change noted as this one's.
    #[must_use]
    pub fn on_behalf_of(&self, actor: Actor) -> Self {
        Self {
            actor: Some(Arc::new(actor)),
            ..self.clone()
        }
    }

    /// Notes a change inside its transaction.
    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        project: ProjectId,
        change: Change,
        now: Timestamp,
    ) -> Result<()> {
        let Some(actor) = &self.actor else {
            return Ok(());
        };
        let entry = Entry {
            actor: Arc::clone(actor),
            project,
            change,
            now,
        };
        note_all(tx, vec![entry]).await
    }

    /// What was changed in a project, newest first.
    pub async fn list_audit(
        &self,
        project: ProjectId,
        limit: u32,
        offset: u64,
    ) -> Result<AuditPage> {
        let counted = sqlx::query("SELECT COUNT(*) AS total FROM audit_log WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(&self.read)
            .await?;
        let rows = sqlx::query(
            "SELECT id, created_at, token_id, token_description, address, action, subject, before_change, \
             after_change FROM audit_log WHERE project_id >= $1 AND project_id <= $1 ORDER BY project_id DESC, id DESC LIMIT $2 OFFSET $3",
        )
        .bind(project.0)
        .bind(i64::from(limit))
        .bind(i64::try_from(offset).unwrap_or(i64::MAX))
        .fetch_all(&self.read)
        .await?;
        Ok(AuditPage {
            entries: rows.iter().map(read).collect::<Result<_>>()?,
            total: Columns::of(&counted, "audit_log").count("total")?,
        })
    }

    /// Removes entries of before `end`, at most a batch of them; returns how many.
    pub async fn forget_audit(&self, end: Timestamp) -> Result<u64> {
        self.forget(
            "SELECT id FROM audit_log WHERE created_at < $1 LIMIT 1",
            "DELETE FROM audit_log WHERE id IN \
             (SELECT id FROM audit_log WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
            end.0,
        )
        .await
    }

    /// Counts requests without a valid token, in the hour of `now`.
    pub async fn count_refused(&self, requests: u64, now: Timestamp) -> Result<()> {
        let hour = now.0.div_euclid(HOUR).saturating_mul(HOUR);
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO refused_requests (hour_at, requests) VALUES ($1, $2) \
                     ON CONFLICT (hour_at) DO UPDATE SET requests = refused_requests.requests + excluded.requests",
                )
                .bind(hour)
                .bind(i64::try_from(requests).unwrap_or(i64::MAX))
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Requests without a valid token since `start`, by whole hours.
    pub async fn refused_since(&self, start: Timestamp) -> Result<u64> {
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) AS requests FROM refused_requests WHERE hour_at >= $1",
        )
        .bind(start.0.div_euclid(HOUR).saturating_mul(HOUR))
        .fetch_one(&self.read)
        .await?;
        Columns::of(&row, "refused_requests").count("requests")
    }
}

fn read(row: &AnyRow) -> Result<AuditEntry> {
    let columns = Columns::of(row, "audit_log");
    let token = columns.maybe_int("token_id")?.map(|id| {
        Ok::<_, StoreError>(TokenReference {
            id: TokenId(id),
            description: columns.text("token_description")?,
        })
    });
    Ok(AuditEntry {
        id: columns.int("id")?,
        created_at: columns.time("created_at")?,
        actor: Actor {
            token: token.transpose()?,
            address: columns.text("address")?,
        },
        action: columns.text("action")?,
        subject: columns.text("subject")?,
        before: columns.maybe_json("before_change")?,
        after: columns.maybe_json("after_change")?,
    })
}

/// Notes changes inside their transaction.
pub(super) async fn note_all(tx: &mut Tx, entries: Vec<Entry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let json = |value: Option<serde_json::Value>| {
        let text = value.map(|value| to_json("audit_log", &value)).transpose();
        text.map(|text| text.as_deref().map(storable))
    };
    let mut bound = Vec::with_capacity(entries.len());
    for entry in entries {
        let (change, token) = (entry.change, entry.actor.token.as_ref());
        bound.push((
            entry.project.0,
            entry.now.0,
            token.map(|token| token.id.0),
            token.map(|token| storable(&token.description)),
            entry.actor.address.clone(),
            change.action.as_str(),
            storable(&change.subject),
            json(change.before)?,
            json(change.after)?,
        ));
    }
    let rows = Dialect::of(tx).rows(
        "$1",
        &["project", "noted_at", "token"],
        &["description", "came_from", "what", "whose", "was", "became"],
    );
    let sql = format!(
        "INSERT INTO audit_log (project_id, created_at, token_id, token_description, address, action, subject, \
         before_change, after_change) SELECT d.project, d.noted_at, d.token, d.description, d.came_from, d.what, d.whose, \
         d.was, d.became FROM {rows} d"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("audit_log", &bound)?)
        .execute(tx)
        .await?;
    Ok(())
}
