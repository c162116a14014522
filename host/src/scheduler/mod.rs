//! The scheduler: turns orchestrations whose time has come into waiting jobs. It never runs one.
//!
//! A pass reads what is due from the front of an index: its cost follows what is due, not what exists. Projects take
//! turns, so that the many schedules of one do not hold up those of others; hosts that look at the same time share the
//! work. What a due schedule asks for is the domain's (`domain/tick.rs`), that it happens once the store's compare-and-set.
//! The loop takes no input and may run on any number of hosts at once.

use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};
use crate::wake::{Pause, Wake};
use std::time::Duration;

/// Due orchestrations listed at once, by their ids: projects are served in turns within a list.
const MOST_LISTED: u32 = 50_000;
/// Jobs made in one transaction: bounds how long other writes wait.
const PER_TRANSACTION: usize = 100;
/// Another host may have saved an orchestration, or the clock may have jumped: looked for at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Scheduler {
    pub store: Store,
    pub pause: Pause,
    /// Poked when there are new jobs.
    pub runner: Wake,
    /// The same, for those who watch.
    pub events: Wake,
}

impl Scheduler {
    /// Runs until stopped.
    pub async fn run(self) {
        loop {
            let (next, longest) = match self.pass().await {
                Ok(next) => (next, LONGEST_WAIT),
                Err(error) => {
                    tracing::warn!(%error, "schedules could not be looked at");
                    (None, PAUSE_AFTER_ERROR)
                }
            };
            if !self.pause.wait(next, longest).await {
                return;
            }
        }
    }

    /// Fires everything that is due; returns when something is due next.
    ///
    /// # Errors
    /// Where the database does not answer. What was fired until then stays fired.
    pub async fn pass(&self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let now = self.pause.clock.now();
            let due = self.store.list_due_orchestrations(now, MOST_LISTED).await?;
            let Some(first) = due.first() else {
                return self.store.next_due_time().await;
            };
            let mut fired = 0;
            for batch in due.chunks(PER_TRANSACTION) {
                if self.pause.stop.is_stopped() {
                    return Ok(None);
                }
                let now = self.pause.clock.now();
                fired += self.store.fire_ticks(batch.to_vec(), now).await?;
                self.runner.poke();
                self.events.poke();
            }
            tracing::debug!(fired, "scheduled");
            if fired == 0 {
                // All of them are in the hands of other hosts or requests: waits for one that is.
                self.store.fire_tick_in_turn(*first, now).await?;
            }
        }
    }
}
