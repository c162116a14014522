//! The janitor: what is left to be done about projects once an operator has had his answer, and what this host keeps for
//! nobody.
//!
//! A project that was disabled and is no more gets its schedules back, and of a deleted one everything is removed, a
//! bounded transaction at a time, so that nobody waits for it for long. It takes no input, and any number of hosts may
//! do this at once. Compiled components whose plugin is gone are removed by each host from its own folder, once an hour.

use crate::domain::time::Timestamp;
use crate::registry::Registry;
use crate::store::{Chore, Purged, Store, StoreError};
use crate::wake::Pause;
use std::time::Duration;

/// How long a chore may lie.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often compiled components are looked through.
const BETWEEN_LOOKS: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug)]
pub struct Janitor {
    pub store: Store,
    pub registry: Registry,
    pub pause: Pause,
}

impl Janitor {
    /// Runs until stopped.
    pub async fn run(self) {
        let mut next_look = self.pause.clock.now();
        loop {
            let now = self.pause.clock.now();
            if now >= next_look {
                next_look = now.plus(BETWEEN_LOOKS);
                self.look_through(now).await;
            }
            if let Err(error) = self.pass().await {
                tracing::warn!(%error, "chores about projects could not be done");
            }
            if !self.pause.wait(None, LONGEST_WAIT).await {
                return;
            }
        }
    }

    async fn look_through(&self, now: Timestamp) {
        match self.registry.remove_strays(now).await {
            Ok(0) => {}
            Ok(components) => {
                tracing::info!(components, "removed compiled plugins that are gone");
            }
            Err(error) => tracing::warn!(%error, "compiled plugins could not be looked through"),
        }
    }

    /// Does all that can be done now.
    ///
    /// # Errors
    /// Where the database does not answer. What was done until then stays done.
    pub async fn pass(&self) -> Result<(), StoreError> {
        for chore in self.store.list_chores().await? {
            while self.step(chore).await? && !self.pause.stop.is_stopped() {}
        }
        Ok(())
    }

    /// `true`: there is more.
    async fn step(&self, chore: Chore) -> Result<bool, StoreError> {
        let now = self.pause.clock.now();
        match chore {
            Chore::Resume(project) => self.store.resume_schedules(project, now).await,
            Chore::Purge(project) => match self.store.purge_project(project, now).await? {
                Purged::Some => Ok(true),
                Purged::Waits => Ok(false),
                Purged::All => {
                    tracing::info!(%project, "removed all of a deleted project");
                    Ok(false)
                }
            },
        }
    }
}
