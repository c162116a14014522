//! Alarms that are due become deliveries.

use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};
use crate::wake::{Pause, Wake};
use std::time::Duration;

/// Jobs looked at in one transaction.
const BATCH: u32 = 100;
/// A new job may have an earlier alarm than all others; alarms count in minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct AlarmRaiser {
    pub store: Store,
    pub pause: Pause,
    /// Poked when there are new deliveries.
    pub deliverer: Wake,
}

impl AlarmRaiser {
    /// Runs until stopped.
    pub async fn run(self) {
        loop {
            let (next, longest) = match self.pass().await {
                Ok(next) => (next, LONGEST_WAIT),
                Err(error) => {
                    tracing::warn!(%error, "alarms could not be looked at");
                    (None, PAUSE_AFTER_ERROR)
                }
            };
            if !self.pause.wait(next, longest).await {
                return;
            }
        }
    }

    /// Raises every alarm that is due; returns when the next one is.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn pass(&self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let now = self.pause.clock.now();
            let jobs = self.store.raise_alarms(now, BATCH).await?;
            if jobs == 0 {
                let next = self.store.next_alarm_time().await?;
                // What is due and was not raised is in another transaction's hands.
                return Ok(next.filter(|next| *next > now));
            }
            self.deliverer.poke();
        }
    }
}
