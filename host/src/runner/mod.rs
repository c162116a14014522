//! The runner: claims due steps and ready jobs, runs each step in its plugin and records what came of it.
//!
//! A waiting task is a row: nothing of it is here. What is here is one future per running step, bounded by the workers
//! of the host and of each project. Results are recorded under the step's lease, so that a step which another host has
//! taken over counts for nothing here. When stopped, the runner claims nothing more and lets running steps end.

mod crowd;
mod inputs;
mod lines;
mod metering;
mod services;
mod spans;
mod step;

pub use metering::StepUses;

use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use crate::lease::HostLease;
use crate::metrics::Metrics;
use crate::plugins::Plugins;
use crate::registry::Registry;
use crate::store::{Capacity, Store, StoreError};
use crate::tokens::Tokens;
use crate::traces::Tracer;
use crate::wake::{Pause, Wake};
use crowd::Crowd;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::{self, JoinError, JoinSet};

/// Work that another host gave back, or a clock that jumped, is noticed after this time at the latest.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The answer to a claim may get lost with a connection: what it took is given back after this time at the latest.
const STRAY_SEARCH: Duration = Duration::from_secs(30);
/// How long running steps may take to end once the host stops; what is left then is given back.
const DRAIN: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct RunnerSettings {
    /// Most steps at a time.
    pub workers: usize,
    /// Most steps of one project at a time.
    pub project_workers: usize,
    /// Where components without an address of their own live; no trailing slash.
    pub components_url: String,
    /// The public base address of this server, where it is configured.
    pub public_url: Option<String>,
    /// Distinguishes this installation's idempotency keys from those of others.
    pub installation: String,
}

#[derive(Clone)]
pub struct Runner {
    pub store: Store,
    pub tokens: Tokens,
    pub plugins: Plugins,
    pub registry: Registry,
    pub lease: HostLease,
    pub pause: Pause,
    /// Poked when a job has ended: it may have promised notifications.
    pub notifier: Wake,
    /// Poked when something was told of a job.
    pub events: Wake,
    pub settings: Arc<RunnerSettings>,
    /// What steps have used since it was last written down.
    pub used: StepUses,
    pub metrics: Metrics,
    pub tracer: Tracer,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The steps that run now.
#[derive(Default)]
struct Running {
    steps: JoinSet<()>,
    crowd: Crowd,
    /// When to look again for steps that this host holds by their rows only.
    strays_at: Option<Timestamp>,
}

impl Running {
    fn start(
        &mut self,
        project: ProjectId,
        step: impl Future<Output = ()> + Send + 'static,
        runtime: &Handle,
    ) {
        let started = self.steps.spawn_on(step, runtime);
        self.crowd.add(started.id(), project);
    }

    /// Waits for a step to end, for ever where none runs.
    async fn one_ended(&mut self) {
        match self.steps.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
        while let Some(ended) = self.steps.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(task::Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            // It panicked: its lease is given back as a stray, or with the host's.
            Err(error) => {
                tracing::error!(%error, "a step's future failed");
                error.id()
            }
        };
        self.crowd.remove(id);
    }
}

impl Runner {
    /// Runs until stopped, then waits for what runs.
    pub async fn run(self) {
        let mut running = Running::default();
        loop {
            let (next, longest) = match self.pass(&mut running).await {
                Ok(next) => (next, LONGEST_WAIT),
                Err(error) => {
                    tracing::warn!(%error, "no work could be claimed");
                    running.strays_at = None;
                    (None, PAUSE_AFTER_ERROR)
                }
            };
            tokio::select! {
                goes_on = self.pause.wait(next, longest) => if !goes_on { break },
                () = running.one_ended() => {}
            }
        }
        let drained = async { while running.steps.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = self.pause.clock.sleep(DRAIN) => {
                tracing::warn!(steps = running.steps.len(), "steps that did not end in time are given back");
            }
        }
        self.used
            .last_words(&self.store, self.pause.clock.now())
            .await;
    }

    /// Claims what there is room for; returns when the next waiting task wants to go on.
    async fn pass(&self, running: &mut Running) -> Result<Option<Timestamp>, StoreError> {
        self.give_back_strays(running).await?;
        self.used
            .write_down(&self.store, self.pause.clock.now())
            .await?;
        loop {
            let free = self.settings.workers.saturating_sub(running.steps.len());
            if free == 0 || self.pause.stop.is_stopped() {
                return Ok(None);
            }
            let capacity = Capacity {
                free,
                per_project: self.settings.project_workers,
                running: running.crowd.of_project(),
            };
            let now = self.pause.clock.now();
            let claimed = self
                .store
                .claim_steps(self.lease.host(), capacity, now)
                .await?;
            if claimed.is_empty() {
                let next = self.store.next_wake_time().await?;
                // What is due and was not claimed waits for a step of its project to end.
                return Ok(next.filter(|next| *next > now));
            }
            self.events.poke();
            for leased in claimed {
                let project = leased.job.project_id;
                let (runner, crowd) = (self.clone(), running.crowd.clone());
                let hold = crowd.hold(leased.lease);
                let step = async move { runner.run_steps(leased, hold, crowd).await };
                // Beside the plugin that it calls, which spares the step two changes of thread.
                running.start(project, step, self.plugins.runtime());
            }
        }
    }

    async fn give_back_strays(&self, running: &mut Running) -> Result<(), StoreError> {
        let now = self.pause.clock.now();
        if running.strays_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let host = self.lease.host();
        // Nothing is taken on until what the rows say is compared with it.
        let still = running.crowd.stand_still().await;
        let in_hand = running.crowd.in_hand();
        let strays = self.store.give_back_stray_steps(host, in_hand, now).await?;
        drop(still);
        if strays > 0 {
            tracing::warn!(steps = strays, "claimed without knowing it, and given back");
        }
        running.strays_at = Some(now.plus(STRAY_SEARCH));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[tokio::test]
    async fn a_step_that_panics_leaves_the_count_of_its_project() {
        let mut running = Running::default();
        let runtime = Handle::current();
        running.start(ProjectId(1), std::future::pending(), &runtime);
        running.start(ProjectId(1), async { panic!("ouch") }, &runtime);
        running.start(ProjectId(2), async {}, &runtime);

        while running.steps.len() > 1 {
            running.one_ended().await;
        }

        assert_eq!(
            running.crowd.of_project(),
            HashMap::from([(ProjectId(1), 1)])
        );
    }
}
