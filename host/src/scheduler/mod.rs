//! The scheduler: turns orchestrations whose time has come into waiting jobs. It never runs one.
//!
//! A pass reads what is due, in batches, from the front of an index: its cost follows what is due, not what exists.
//! What a due schedule asks for is decided by [`Firing`]; that it happens once is the store's compare-and-set. The loop
//! takes no input and may run on any number of hosts at once.

use crate::domain::crontab::Crontab;
use crate::domain::tick::Firing;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};
use crate::wake::{Pause, Wake};
use std::time::Duration;

/// Orchestrations read at once.
const BATCH: u32 = 500;
/// Jobs made in one transaction: bounds how long other writes wait.
const PER_TRANSACTION: usize = 50;
/// Another host may have saved an orchestration, or the clock may have jumped: looked for at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Scheduler {
    pub store: Store,
    pub pause: Pause,
    /// Poked when there are new jobs.
    pub runner: Wake,
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
            let due = self.store.list_due_orchestrations(now, BATCH).await?;
            if due.is_empty() {
                return self.store.next_due_time().await;
            }
            let firings: Vec<_> = due
                .into_iter()
                .map(|due| {
                    let crontab = due.crontab_record.as_deref().map(Crontab::parse);
                    let crontab = crontab.and_then(Result::ok);
                    let firing = Firing::decide(crontab.as_ref(), due.next_scheduled_at, now);
                    (due, firing)
                })
                .collect();
            for chunk in firings.chunks(PER_TRANSACTION) {
                let jobs = self.store.fire_ticks(chunk.to_vec(), now).await?;
                tracing::debug!(jobs = jobs.len(), "scheduled");
                self.runner.poke();
            }
        }
    }
}
