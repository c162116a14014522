//! How loops are hurried and stopped.
//!
//! Loops meet in rows, never in calls: a wake only shortens a wait, and a loop that misses one finds the row on its next
//! pass all the same. Where several hosts share a database, a wake also leaves a note in the [`Outbox`], which
//! `relay.rs` carries to the same loop of the others.

use crate::clock::Clock;
use crate::domain::role::HostLoop;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Hurries one loop; cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    here: Arc<Notify>,
    /// For those who are many.
    watched: watch::Sender<()>,
    elsewhere: Option<(HostLoop, Outbox)>,
}

/// One of many who wait for the same wake; made before it looks at what there is, it misses no poke.
#[derive(Debug)]
pub struct Watch(watch::Receiver<()>);

impl Watch {
    /// Returns once poked since the last time.
    pub async fn poked(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could poke.
            std::future::pending::<()>().await;
        }
    }
}

impl Wake {
    /// Ends the loop's present wait, or its next one where it does not wait; soon also that of the other hosts' loop.
    pub fn poke(&self) {
        self.poke_here();
        if let Some((name, outbox)) = &self.elsewhere {
            outbox.add(*name);
        }
    }

    /// The same on this host only.
    pub fn poke_here(&self) {
        self.here.notify_one();
        self.watched.send_replace(());
    }

    /// For each of many who wait side by side, where a loop is one.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.watched.subscribe())
    }

    /// For whoever makes work that this host does itself: the others are left in peace.
    #[must_use]
    pub fn here_only(&self) -> Self {
        Self {
            here: Arc::clone(&self.here),
            watched: self.watched.clone(),
            elsewhere: None,
        }
    }

    /// Returns once poked.
    pub async fn poked(&self) {
        self.here.notified().await;
    }
}

/// One handle per loop.
#[derive(Clone, Debug)]
pub struct LoopWakes {
    pub scheduler: Wake,
    pub runner: Wake,
    pub alarms: Wake,
    pub deliverer: Wake,
    /// Poked when something was told of a job.
    pub events: Wake,
}

impl LoopWakes {
    /// `others`: where notes for other hosts are left, if there can be any.
    #[must_use]
    pub fn new(others: Option<&Outbox>) -> Self {
        let wake = |name| Wake {
            here: Arc::default(),
            watched: watch::Sender::default(),
            elsewhere: others.map(|outbox| (name, outbox.clone())),
        };
        Self {
            scheduler: wake(HostLoop::Scheduler),
            runner: wake(HostLoop::Runner),
            alarms: wake(HostLoop::Alarms),
            deliverer: wake(HostLoop::Deliverer),
            events: wake(HostLoop::Watchers),
        }
    }

    #[must_use]
    pub fn of(&self, name: HostLoop) -> &Wake {
        match name {
            HostLoop::Scheduler => &self.scheduler,
            HostLoop::Runner => &self.runner,
            HostLoop::Alarms => &self.alarms,
            HostLoop::Deliverer => &self.deliverer,
            HostLoop::Watchers => &self.events,
        }
    }
}

/// Which loops of other hosts are to be poked. However often one is added, it is taken once.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    loops: Mutex<BTreeSet<HostLoop>>,
    added: Notify,
}

impl Outbox {
    fn add(&self, name: HostLoop) {
        let mut loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.insert(name);
        drop(loops);
        self.0.added.notify_one();
    }

    /// Returns what was added since the last time, once there is any. For one taker.
    pub async fn take(&self) -> BTreeSet<HostLoop> {
        loop {
            let taken = self.take_now();
            if !taken.is_empty() {
                return taken;
            }
            self.0.added.notified().await;
        }
    }

    fn take_now(&self) -> BTreeSet<HostLoop> {
        let mut loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *loops)
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn notes_for_others_gather_and_are_taken_once() {
        let outbox = Outbox::default();
        let wakes = LoopWakes::new(Some(&outbox));

        wakes.runner.poke();
        wakes.runner.poke();
        wakes.scheduler.poke();
        wakes.deliverer.here_only().poke();

        let taken = outbox.take().now_or_never().unwrap();
        assert_eq!(
            taken,
            BTreeSet::from([HostLoop::Runner, HostLoop::Scheduler])
        );
        assert_eq!(outbox.take().now_or_never(), None);
        for (name, is_poked) in [
            (HostLoop::Runner, true),
            (HostLoop::Deliverer, true),
            (HostLoop::Alarms, false),
        ] {
            let poked = wakes.of(name).poked().now_or_never();
            assert_eq!(poked.is_some(), is_poked, "{name:?}");
        }
    }
}
