//! What a step says while it runs: gathered, and kept as events of its job.
//!
//! Mostly a step is over before anybody could read along, and its lines are kept with its end, in the same transaction. Those
//! of a step that takes longer are kept meanwhile, many at a time, and never later than its end.

use super::Runner;
use crate::domain::job_event::LogLine;
use crate::store::LeasedStep;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a line of a step that still runs waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// Of one step. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    gathered: Mutex<Vec<LogLine>>,
    added: Notify,
    /// Held while lines are being kept, so that the end of the step comes after them.
    keeping: Arc<tokio::sync::Mutex<()>>,
}

impl Lines {
    pub(super) fn add(&self, line: LogLine) {
        self.gathered().push(line);
        self.0.added.notify_one();
    }

    /// What is left once the step is over.
    pub(super) async fn rest(&self) -> Vec<LogLine> {
        let _kept = self.0.keeping.lock().await;
        std::mem::take(&mut self.gathered())
    }

    /// Keeps what is said, for as long as the step runs: it never returns, and may be dropped at any time.
    pub(super) async fn keep(&self, runner: &Runner, leased: &LeasedStep) {
        loop {
            self.0.added.notified().await;
            runner.pause.clock.sleep(GATHER).await;
            let guard = Arc::clone(&self.0.keeping).lock_owned().await;
            let lines = std::mem::take(&mut *self.gathered());
            if lines.is_empty() {
                continue;
            }
            let (store, events) = (runner.store.clone(), runner.events.clone());
            let (lease, tasks) = (leased.lease, leased.job.revision.tasks.len());
            // A task of its own: the step may end at any time, and this must not end half way.
            let keeping = tokio::spawn(async move {
                match store.keep_lines(lease, lines, tasks).await {
                    Ok(true) => events.poke(),
                    // Whoever has taken the step over says it all again.
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%error, "lines of a plugin's log are lost"),
                }
                drop(guard);
            });
            let _ = keeping.await;
        }
    }

    fn gathered(&self) -> std::sync::MutexGuard<'_, Vec<LogLine>> {
        self.0
            .gathered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
