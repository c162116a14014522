//! How loops are hurried and stopped.
//!
//! Loops meet in rows, never in calls: a wake only shortens a wait, and a loop that misses one finds the row on its next
//! pass all the same.

use crate::clock::Clock;
use crate::domain::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Hurries one loop; cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Ends the loop's present wait, or its next one where it does not wait.
    pub fn poke(&self) {
        self.0.notify_one();
    }

    /// Returns once poked.
    pub async fn poked(&self) {
        self.0.notified().await;
    }
}

/// Told to all loops at once: begin nothing new and come to an end.
#[derive(Clone, Debug, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    pub fn stop(&self) {
        self.0.cancel();
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Returns once stopped.
    pub async fn stopped(&self) {
        self.0.cancelled().await;
    }
}

/// What a loop waits with between two passes.
#[derive(Clone, Debug)]
pub struct Pause {
    pub clock: Clock,
    pub wake: Wake,
    pub stop: Stop,
}

impl Pause {
    /// Waits until `until` (at most `longest`), a poke or the stop, whichever comes first. `false`: stop.
    pub async fn wait(&self, until: Option<Timestamp>, longest: Duration) -> bool {
        let latest = self.clock.now().plus(longest);
        let until = until.map_or(latest, |until| until.min(latest));
        tokio::select! {
            () = self.stop.stopped() => return false,
            () = self.wake.poked() => {}
            () = self.clock.sleep_until(until) => {}
        }
        !self.stop.is_stopped()
    }
}
