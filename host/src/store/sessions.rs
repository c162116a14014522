//! Sessions of browsers: found by a hash of what the browser presents, which is nowhere else.

use super::rows::Columns;
use super::{Result, Store};
use crate::domain::audit::{Action, of_session};
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
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let row = sqlx::query(
                    "INSERT INTO sessions (project_id, lookup, sealed, created_at, expires_at) \
                     VALUES ($1, $2, $3, $4, $5) RETURNING id",
                )
                .bind(session.project.0)
                .bind(session.lookup)
                .bind(session.sealed)
                .bind(now.0)
                .bind(session.expires_at.0)
                .fetch_one(&mut *tx)
                .await?;
                let id = Columns::of(&row, "sessions").int("id")?;
                let change = of_session(Action::SessionOpen, id);
                store.note(tx, session.project, change, now).await
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

    pub async fn close_session(&self, lookup: String, now: Timestamp) -> Result<()> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let closed = "DELETE FROM sessions WHERE lookup = $1 RETURNING id, project_id";
                let closed = sqlx::query(closed).bind(lookup);
                let Some(row) = closed.fetch_optional(&mut *tx).await? else {
                    return Ok(());
                };
                let columns = Columns::of(&row, "sessions");
                let change = of_session(Action::SessionClose, columns.int("id")?);
                let project = ProjectId(columns.int("project_id")?);
                store.note(tx, project, change, now).await
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
