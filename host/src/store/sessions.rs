//! Sessions of browsers: found by a hash of what the browser presents, which is nowhere else.

use super::rows::Columns;
use super::{Result, Store};
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;

/// A session to be kept, or as it is kept.
#[derive(Clone, Debug)]
pub struct Session {
    pub project: ProjectId,
    /// Hash of what the browser presents, in hexadecimal digits.
    pub lookup: String,
    /// The secret of the token that it was opened with.
    pub sealed: Vec<u8>,
    pub expires_at: Timestamp,
}

impl Store {
    pub async fn open_session(&self, session: Session, now: Timestamp) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sessions (project_id, lookup, sealed, created_at, expires_at) \
                     VALUES ($1, $2, $3, $4, $5)",
                )
                .bind(session.project.0)
                .bind(session.lookup)
                .bind(session.sealed)
                .bind(now.0)
                .bind(session.expires_at.0)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// One that is not over.
    pub async fn find_session(&self, lookup: &str, now: Timestamp) -> Result<Option<Session>> {
        let row = sqlx::query(
            "SELECT project_id, sealed, expires_at FROM sessions WHERE lookup = $1 AND expires_at > $2",
        )
        .bind(lookup.to_owned())
        .bind(now.0)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            let columns = Columns::of(&row, "sessions");
            Ok(Session {
                project: ProjectId(columns.int("project_id")?),
                lookup: lookup.to_owned(),
                sealed: columns.bytes("sealed")?,
                expires_at: columns.time("expires_at")?,
            })
        })
        .transpose()
    }

    pub async fn close_session(&self, lookup: String) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sessions WHERE lookup = $1")
                    .bind(lookup)
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Removes sessions that are over, at most a batch of them.
    pub async fn forget_sessions(&self, now: Timestamp) -> Result<u64> {
        self.forget(
            "SELECT id FROM sessions WHERE expires_at <= $1 LIMIT 1",
            "DELETE FROM sessions WHERE id IN \
             (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now.0,
        )
        .await
    }
}
