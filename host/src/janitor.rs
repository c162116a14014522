//! The janitor: what is left to be done about projects once an operator has had his answer.
//!
//! A project that was disabled and is no more gets its schedules back, and of a deleted one everything is removed, a
//! bounded transaction at a time, so that nobody waits for it for long. It takes no input, and any number of hosts may
//! do this at once.

use crate::store::{Chore, Purged, Store, StoreError};
use crate::wake::Pause;
use std::time::Duration;

/// How long a chore may lie.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Janitor {
    pub store: Store,
    pub pause: Pause,
}

impl Janitor {
    /// Runs until stopped.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.pass().await {
                tracing::warn!(%error, "chores about projects could not be done");
            }
            if !self.pause.wait(None, LONGEST_WAIT).await {
                return;
            }
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
