//! Carries wakes between the hosts of one database.
//!
//! What a host's own wakes leave in the [`Outbox`] is told to the others, gathered, so that however much happens only so
//! many messages a second leave; what others tell pokes this host's loops. A message that gets lost costs time, never
//! work: loops look by themselves too. After a gap, as when the connection was lost, all loops are poked once.

use crate::clock::Clock;
use crate::domain::role::HostLoop;
use crate::store::{StoreError, WakeChannel};
use crate::wake::{LoopWakes, Outbox, Stop};
use std::collections::BTreeSet;
use std::time::Duration;

/// At least this long between two messages: what is to be told meanwhile goes with the next one.
const GATHER: Duration = Duration::from_millis(10);
/// A connection that is silent for so long is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// How long the last message may take once the host stops.
const LAST_MESSAGE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Relay {
    pub channel: WakeChannel,
    pub outbox: Outbox,
    /// Poked, here only, when others tell of work.
    pub wakes: LoopWakes,
    pub clock: Clock,
}

impl Relay {
    /// Runs until stopped, which is to be after this host has given its work back: its last message tells the others to
    /// take up what it leaves.
    pub async fn run(self, stop: Stop) {
        tokio::select! {
            () = stop.stopped() => {}
            () = self.tell_others() => {}
            () = self.hear_others() => {}
        }
        let farewell = async {
            self.tell(&HostLoop::ALL.into()).await;
            self.channel.close().await;
        };
        tokio::select! {
            () = farewell => {}
            () = self.clock.sleep(LAST_MESSAGE) => {}
        }
    }

    async fn tell_others(&self) {
        loop {
            let loops = self.outbox.take().await;
            self.tell(&loops).await;
            self.clock.sleep(GATHER).await;
        }
    }

    async fn tell(&self, loops: &BTreeSet<HostLoop>) {
        if let Err(error) = self.channel.tell(loops).await {
            tracing::debug!(%error, "other hosts could not be told of work: they find it by looking");
        }
    }

    async fn hear_others(&self) {
        let mut is_known = false;
        loop {
            let mut has_listened = false;
            if let Err(error) = self.hear_until_lost(&mut has_listened).await {
                // Once per loss: while the database is away, everybody else complains.
                if has_listened || !is_known {
                    tracing::warn!(%error, "what other hosts tell is not heard for now: work is found by looking");
                    is_known = true;
                }
            }
            self.clock.sleep(PAUSE_AFTER_ERROR).await;
        }
    }

    async fn hear_until_lost(&self, has_listened: &mut bool) -> Result<(), StoreError> {
        let mut listener = self.channel.listen().await?;
        *has_listened = true;
        // Something may have been told before.
        self.poke(HostLoop::ALL.into());
        loop {
            tokio::select! {
                heard = listener.hear() => self.poke(heard?),
                () = self.clock.sleep(SILENCE) => tokio::select! {
                    lives = listener.check() => lives?,
                    // Nothing is wrong with the database as far as anybody knows: a new connection will tell.
                    () = self.clock.sleep(ANSWER) => return Ok(()),
                },
            }
        }
    }

    fn poke(&self, loops: BTreeSet<HostLoop>) {
        for name in loops {
            self.wakes.of(name).poke_here();
        }
    }
}
