//! Sessions of browsers: a token is presented once, and a random id stands for it from then on.
//!
//! The id is kept as a hash and the token's secret sealed, so that a session is its token, looked at anew by each request:
//! one that was refreshed, disabled or deleted, or has expired, ends its sessions with it, whatever keeps the tokens.

use super::seal::{self, Label};
use super::{TokenError, Tokens};
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use crate::store::Session;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// Letters and digits of a session's id: 238 bits.
const ID_CHARACTERS: usize = 40;

/// What a session stands for.
#[derive(Clone)]
pub struct SessionToken {
    /// Of the token, to be authenticated as if it had been presented.
    pub secret: String,
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionToken")
    }
}

impl Tokens {
    /// Opens a session for the bearer of a token's secret, which was found valid. Returns its id and its end.
    ///
    /// # Errors
    /// Without random bytes, or where the database does not answer.
    pub async fn open_session(
        &self,
        project: ProjectId,
        secret: &str,
    ) -> Result<(String, Timestamp), TokenError> {
        let id = self.random.text(ID_CHARACTERS)?;
        let lookup = lookup(&id);
        let sealed = seal::seal(
            &self.keys,
            &self.random,
            session_label(&owner(project, &lookup)),
            secret.as_bytes(),
        )?;
        let now = self.clock.now();
        let expires_at = now.plus(SESSION_LIFE);
        let session = Session {
            project,
            lookup,
            sealed,
            expires_at,
        };
        self.store.open_session(session, now).await?;
        Ok((id, expires_at))
    }

    /// The token of a session; `None` where there is no such session, or it is over.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn session_token(&self, id: &str) -> Result<Option<SessionToken>, TokenError> {
        let lookup = lookup(id);
        let found = self.store.find_session(&lookup, self.clock.now()).await?;
        let Some(found) = found else { return Ok(None) };
        let owner = owner(found.project, &lookup);
        // Damaged, or sealed under a key that this host does not have: whoever it was signs in again.
        let Ok(plain) = seal::open(&self.keys, session_label(&owner), &found.sealed) else {
            return Ok(None);
        };
        Ok(String::from_utf8(plain).ok().map(|secret| SessionToken {
            secret,
            expires_at: found.expires_at,
        }))
    }

    /// Ends a session, if there is one.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn close_session(&self, id: &str) -> Result<(), TokenError> {
        Ok(self.store.close_session(lookup(id)).await?)
    }
}

/// The id is random enough to need no key.
fn lookup(id: &str) -> String {
    hex::encode(Sha256::digest(id.as_bytes()))
}

/// As the row says whose it is (`SEALED_COLUMNS`).
fn owner(project: ProjectId, lookup: &str) -> Vec<u8> {
    [&project.0.to_be_bytes()[..], lookup.as_bytes()].concat()
}

fn session_label(owner: &[u8]) -> Label<'_> {
    Label {
        purpose: "session",
        owner,
    }
}
