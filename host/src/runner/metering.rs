//! What steps use of their projects' quotas: measured here, and written down for many steps at once.
//!
//! Computing time is the time in which a step is at work rather than waiting. Added up in memory, it costs a step no
//! write and no lock of its project's row; a host that is killed forgets the last seconds of it.

use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use crate::store::{StepUse, Store, StoreError};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long use may lie before it is written down.
const WRITE_DOWN_AFTER: Duration = Duration::from_secs(2);

/// What steps have used since it was last written down; cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct StepUses(Arc<Mutex<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    used: BTreeMap<ProjectId, StepUse>,
    /// When it was last written down.
    written_at: Option<Timestamp>,
}

impl StepUses {
    /// `bytes`: of the answer that is kept.
    pub(super) fn add(&self, project: ProjectId, cpu: Duration, bytes: usize) {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = ledger.used.entry(project).or_default();
        used.cpu += cpu;
        used.bytes = used.bytes.saturating_add(bytes as u64);
    }

    /// Writes it down where that is due.
    pub(super) async fn write_down(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let used = {
            let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let is_fresh = ledger
                .written_at
                .is_some_and(|at| now.since(at) < WRITE_DOWN_AFTER && at <= now);
            if is_fresh || ledger.used.is_empty() {
                return Ok(());
            }
            ledger.written_at = Some(now);
            std::mem::take(&mut ledger.used)
        };
        let written = store.add_step_use(used.clone(), now).await;
        if written.is_err() {
            for (project, used) in used {
                let bytes = usize::try_from(used.bytes).unwrap_or(usize::MAX);
                self.add(project, used.cpu, bytes);
            }
        }
        written
    }

    /// Writes down what there is, before the host stops.
    pub(super) async fn last_words(&self, store: &Store, now: Timestamp) {
        let used = {
            let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut ledger.used)
        };
        if used.is_empty() {
            return;
        }
        if let Err(error) = store.add_step_use(used, now).await {
            tracing::warn!(%error, "what the last steps used is not counted");
        }
    }
}

/// The future's answer, and for how long it was at work.
pub(super) async fn metered<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut spent = Duration::ZERO;
    let answer = std::future::poll_fn(|context| {
        let start = Instant::now();
        let polled = future.as_mut().poll(context);
        spent += start.elapsed();
        polled
    })
    .await;
    (answer, spent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_is_not_computing() {
        let (answer, spent) = metered(async {
            tokio::time::timeout(Duration::from_millis(200), std::future::pending::<()>())
                .await
                .is_err()
        })
        .await;

        assert!(answer);
        assert!(spent < Duration::from_millis(150), "{spent:?}");
    }

    #[tokio::test]
    async fn computing_is_counted() {
        let ((), spent) = metered(async {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(20) {}
        })
        .await;

        assert!(spent >= Duration::from_millis(20), "{spent:?}");
    }
}
