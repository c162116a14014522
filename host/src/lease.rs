//! The lease of this process on the work it does.
//!
//! One heartbeat renews it; whoever finds another process's lease run out gives that one's work back. A process that
//! was declared dead (it was suspended, say) goes on under a new id: what it still had in hand is refused. Nobody is
//! declared dead by a process that could not renew its own lease for a while: where the database was away, the others
//! could not renew theirs either, and get the time to do so.
//! With each beat goes a little housekeeping.

use crate::clock::Clock;
use crate::domain::ids::HostId;
use crate::store::{Store, StoreError};
use crate::wake::{Stop, Wake};
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a process may be silent before its work is given to others.
pub const LEASE: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Under which id this process works now.
#[derive(Clone, Debug)]
pub struct HostLease {
    store: Store,
    clock: Clock,
    id: Arc<AtomicI64>,
}

impl HostLease {
    /// Registers this process. `is_alone`: the database is embedded and locked, so every other lease is a dead one's and
    /// its work is taken over at once.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn take(store: Store, clock: Clock, is_alone: bool) -> Result<Self, StoreError> {
        let now = clock.now();
        let id = store.register_host(now, now.plus(LEASE)).await?;
        if is_alone {
            let given_back = store.take_over(id, now).await?;
            if given_back > 0 {
                tracing::info!(steps = given_back, "going on with the work of the last run");
            }
        }
        let id = Arc::new(AtomicI64::new(id.0));
        Ok(Self { store, clock, id })
    }

    #[must_use]
    pub fn host(&self) -> HostId {
        HostId(self.id.load(Ordering::Acquire))
    }

    /// Renews the lease and gives dead hosts' work back until stopped; `runner` is poked where there was any.
    pub async fn keep(&self, runner: Wake, stop: Stop) {
        let mut last = self.clock.now();
        let mut steady_since = last;
        loop {
            let now = self.clock.now();
            if now.since(last) >= LEASE {
                steady_since = now;
            }
            let may_reap = now.since(steady_since) >= LEASE;
            let beat = self.beat(may_reap).await;
            if beat.is_ok() {
                last = now;
            }
            match beat {
                Ok(0) => {}
                Ok(steps) => {
                    tracing::warn!(steps, "took back the work of a host that fell silent");
                    runner.poke();
                }
                Err(error) => tracing::warn!(%error, "the heartbeat did not reach the database"),
            }
            self.tidy().await;
            tokio::select! {
                () = stop.stopped() => return,
                () = self.clock.sleep(HEARTBEAT) => {}
            }
        }
    }

    /// Removes what is kept for a time only. A failure is no matter: the next beat tries again.
    async fn tidy(&self) {
        let now = self.clock.now();
        if let Err(error) = self.store.forget_idempotency_keys(now).await {
            tracing::warn!(%error, "keys of requests that are over could not be removed");
        }
        if let Err(error) = self.store.forget_job_events(now).await {
            tracing::warn!(%error, "events that are over could not be removed");
        }
        if let Err(error) = self.store.forget_sessions(now).await {
            tracing::warn!(%error, "sessions that are over could not be removed");
        }
    }

    async fn beat(&self, may_reap: bool) -> Result<u64, StoreError> {
        let now = self.clock.now();
        if !self.store.renew_host(self.host(), now.plus(LEASE)).await? {
            let id = self.store.register_host(now, now.plus(LEASE)).await?;
            tracing::warn!("this host was silent for too long: what it had in hand is done again");
            self.id.store(id.0, Ordering::Release);
        }
        if may_reap {
            self.store.reap_dead_hosts(now).await
        } else {
            Ok(0)
        }
    }

    /// Gives back what is still in hand and ends the lease.
    ///
    /// # Errors
    /// Where the database does not answer; the lease then runs out by itself.
    pub async fn give_up(&self) -> Result<u64, StoreError> {
        self.store.retire_host(self.host(), self.clock.now()).await
    }
}

/// What a loop has in hand in fact, by its leases. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct InHand<T>(Arc<Mutex<HashSet<T>>>);

impl<T> Default for InHand<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Copy + Eq + Hash> InHand<T> {
    /// It is in hand until what this returns is dropped.
    #[must_use]
    pub fn hold(&self, lease: T) -> Hold<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(lease);
        Hold {
            of: self.clone(),
            lease,
        }
    }

    #[must_use]
    pub fn all(&self) -> HashSet<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// One lease in hand.
#[derive(Debug)]
pub struct Hold<T: Copy + Eq + Hash> {
    of: InHand<T>,
    lease: T,
}

impl<T: Copy + Eq + Hash> Drop for Hold<T> {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.lease);
    }
}
