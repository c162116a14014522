//! Changing the master key while hosts run.
//!
//! A new key is put before the present one in the key file. Each host reads the file every few seconds and says in its
//! row which key it has; once all have the new one it becomes the current one, under which everything new is sealed.
//! What is sealed under the old one is sealed anew, a batch per pass, and the look-up hashes of tokens move along. Once
//! nothing is left, the old key is retired and may be taken out of the file. Any host does any part of this, each value
//! by compare-and-set, so several at once do no harm.

use crate::domain::ids::HostId;
use crate::lease::{HostLease, LEASE};
use crate::store::KeyState;
use crate::tokens::{TokenError, Tokens};
use crate::wake::Pause;
use std::time::Duration;

const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Keeps this host's keys and the database's values in step.
#[derive(Debug)]
pub struct KeyKeeper {
    pub tokens: Tokens,
    pub lease: HostLease,
    pub pause: Pause,
}

impl KeyKeeper {
    /// Until stopped.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.pass(self.lease.host()).await {
                tracing::warn!(%error, "the master keys were not looked after");
            }
            if !self.pause.wait(None, LONGEST_WAIT).await {
                return;
            }
        }
    }

    async fn pass(&self, host: HostId) -> Result<(), TokenError> {
        let keys = self.tokens.refresh_keys().await?;
        if keys.len() < 2 {
            return Ok(());
        }
        let (store, now) = (self.tokens.store(), self.pause.clock.now());
        let mine = self.tokens.newest_key();
        store.note_host_key(host, mine).await?;
        let of_state = |state| keys.iter().find(|key| key.state == state);
        let is_next = keys
            .iter()
            .any(|key| key.id == mine && key.state == KeyState::New);
        if is_next && store.promote_master_key(mine, now).await? {
            tracing::info!(key = mine, "a new master key is in use");
            return Ok(());
        }
        let (Some(current), Some(_)) = (of_state(KeyState::Current), of_state(KeyState::Old))
        else {
            return Ok(());
        };
        let left = self.tokens.reseal_batch(current.id).await?;
        // A host that has not noticed yet may seal under the old key for a moment.
        let settled = current.promoted_at.map(|at| now.since(at));
        if left == 0 && settled.is_some_and(|since| since > LEASE) {
            store.retire_old_master_keys(current.id).await?;
            tracing::info!(
                key = current.id,
                "nothing is sealed under older master keys"
            );
        }
        Ok(())
    }
}
