//! What steps use: of their projects' quotas, written down for many steps at once, and for the operator's counts.
//!
//! Added up in memory, it costs a step no write and no lock of its project's row; a host that is killed forgets the
//! last seconds of it.

use super::Runner;
use crate::domain::ids::ProjectId;
use crate::domain::job::Status;
use crate::domain::time::Timestamp;
use crate::store::{LeasedStep, StepEnd, StepUse, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long use may lie before it is written down.
const WRITE_DOWN_AFTER: Duration = Duration::from_secs(2);

impl Runner {
    /// Counts a step whose end is recorded, for the operator. `over` is from its begin to that end.
    pub(super) fn count(
        &self,
        leased: &LeasedStep,
        builtin: Option<&str>,
        end: &StepEnd,
        over: (Timestamp, Timestamp),
        cpu: Duration,
    ) {
        let (from, to) = over;
        self.metrics.step_ended(builtin, cpu, to.since(from));
        if let StepEnd::Done {
            status, error_code, ..
        } = end
        {
            self.metrics
                .task_ended(builtin, *status, to.since(leased.start_at));
            if *status == Status::Error {
                self.metrics.task_failed(error_code.as_deref());
            }
        }
    }
}

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
