//! One step, from its lease to its recorded end.
//!
//! The order is what makes it safe to be killed anywhere: the lease is durable before the plugin is called, the note
//! that a request leaves is durable before it does, and the result is accepted only under the same lease.

use super::Runner;
use super::crowd::Crowd;
use super::inputs::NoInput;
use super::lines::Lines;
use super::services::{Services, open, seal};
use crate::domain::ids::TaskRunId;
use crate::domain::job::Status;
use crate::domain::plugin::Usage;
use crate::domain::step::{
    Checkpoint, Failure, FailureKind, LONGEST_DELAY, Outcome, Restart, SHORTEST_DELAY, Step,
    StepCall, StepContext, Wait,
};
use crate::domain::time::Timestamp;
use crate::lease::Hold;
use crate::plugins::{Plugin, StepError};
use crate::registry::{TaskType, Unresolved};
use crate::store::{Accepted, Lease, LeasedStep, StepEnd, StepReport};
use serde_json::{Map, Value};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::Instrument;

/// A step that its host did not survive so often is not tried again: it may be what kills the host.
const MOST_ATTEMPTS: u32 = 20;
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

impl Runner {
    /// Runs a step, and those of the job's next tasks that this host takes on in its place.
    pub(super) async fn run_steps(&self, first: LeasedStep, hold: Hold<Lease>, crowd: Crowd) {
        let mut next = Some((first, hold));
        while let Some((leased, hold)) = next {
            let job = &leased.job;
            let span = tracing::info_span!(
                "step",
                project = job.project_id.0,
                job = job.id.0,
                task = leased.lease.run.0,
                host = leased.lease.host.0,
                trace = self.trace_of(job).map(|trace| trace.job().trace_text()),
            );
            next = self.run_step(leased, &crowd).instrument(span).await;
            drop(hold);
        }
    }

    async fn run_step(
        &self,
        leased: LeasedStep,
        crowd: &Crowd,
    ) -> Option<(LeasedStep, Hold<Lease>)> {
        let usage = Arc::default();
        let lines = Lines::default();
        let begun_at = self.pause.clock.now();
        let mut builtin = None;
        let running = self.metrics.step_begun();
        let end = self.step_end(&leased, &usage, &lines, &mut builtin).await;
        drop(running);
        let used = *usage.lock().unwrap_or_else(PoisonError::into_inner);
        let cpu = Duration::from_micros(used.cpu_micros);
        let project = leased.job.project_id;
        self.used.add(project, cpu, kept_bytes(&end));
        let report = StepReport {
            used,
            said: lines.rest().await,
            tasks: leased.job.revision.tasks.len(),
            is_progress: is_progress(&leased, &end),
        };
        // A result must not be lost: it is offered until it is taken, or until it no longer counts.
        loop {
            let (now, lease) = (self.pause.clock.now(), leased.lease);
            let goes_on = !self.pause.stop.is_stopped() && crowd.has_room(project, &self.settings);
            let taking = crowd.take_on().await;
            let ended = (end.clone(), report.clone());
            match self
                .store
                .end_step_and_go_on(lease, ended.0, ended.1, now, goes_on)
                .await
            {
                Ok((Accepted::Yes { has_more, ends_job }, next, job_end)) => {
                    let over = (begun_at, now);
                    self.count(&leased, builtin.as_deref(), &end, over, cpu);
                    self.tell_spans(&leased, &end, over, job_end);
                    let next = next.map(|next| {
                        let hold = crowd.hold(next.lease);
                        (next, hold)
                    });
                    self.events.poke();
                    if has_more {
                        self.pause.wake.poke();
                    }
                    if ends_job {
                        self.notifier.poke();
                    }
                    return next;
                }
                Ok((Accepted::LeaseLost, ..)) => {
                    tracing::warn!(run = %run_id(&leased), "the result came too late: another host has taken the task over");
                    return None;
                }
                Err(error) => {
                    drop(taking);
                    tracing::warn!(run = %run_id(&leased), %error, "a result could not be recorded yet");
                    self.pause.clock.sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    /// Leaves the plugin's id in `builtin` where it came with the server.
    async fn step_end(
        &self,
        leased: &LeasedStep,
        usage: &Arc<Mutex<Usage>>,
        lines: &Lines,
        builtin: &mut Option<String>,
    ) -> StepEnd {
        let task_type = match self.choose_plugin(leased).await {
            Ok(task_type) => task_type,
            Err(end) => return end,
        };
        let plugin = task_type.plugin.clone();
        if self.plugins.is_builtin(plugin.digest()) {
            *builtin = Some(plugin.id().to_owned());
        }
        let state = match self.open_state(leased) {
            Ok(state) => state,
            Err(failure) => return failed(failure),
        };
        if let Some(failure) = refuse_to_repeat(leased, plugin.manifest().restart) {
            return failed(failure);
        }
        if state.is_none()
            && let Err(end) = self.check_may_run(leased).await
        {
            return end;
        }
        let (parameters, credentials) = match self.inputs(leased, &plugin).await {
            Ok(inputs) => inputs,
            Err(NoInput::Failed(failure)) => return failed(failure),
            Err(NoInput::Store(error)) => {
                tracing::warn!(run = %run_id(leased), %error, "a step is to be repeated: what it needs cannot be read");
                return self.abandoned(leased);
            }
        };
        let services = Arc::new(Services {
            runner: self.clone(),
            lease: leased.lease,
            project: leased.job.project_id,
            token: leased.job.token.id,
            credentials,
            run_id: run_id(leased),
            component_digest: plugin.digest().to_owned(),
            saved: Mutex::new(None),
            usage: Arc::clone(usage),
            lines: lines.clone(),
            trace: self.trace_of(&leased.job),
            calls: AtomicU64::new(0),
        });
        let context = self.context(leased, task_type, parameters);
        let call = match state.clone() {
            None => StepCall::Start,
            Some(state) => StepCall::Resume {
                state,
                is_recovery: leased.is_checkpointed,
            },
        };
        let deadline = deadline_at(leased);
        let answer = tokio::select! {
            // A step that is over when the time is up counts.
            biased;
            answer = self.plugins.run_step(&plugin, context.clone(), call, services.clone()) => Some(answer),
            () = self.pause.clock.sleep_until(deadline.unwrap_or(Timestamp(i64::MAX))) => None,
            () = lines.keep(self, leased) => None,
        };
        match answer {
            Some(Ok(Step::Done(outcome))) => done(outcome),
            Some(Ok(Step::Wait(wait))) => self.wait(leased, wait, plugin.digest()),
            Some(Err(StepError::Failed(failure))) => failed(failure),
            Some(Err(StepError::Abandoned(why))) => {
                tracing::warn!(run = %run_id(leased), why, "a step is to be repeated");
                self.abandoned(leased)
            }
            None => {
                if let Some(state) = services.take_saved().or(state) {
                    self.cancel(&plugin, context, state, services).await;
                }
                failed(time_is_up(leased))
            }
        }
    }

    fn abandoned(&self, leased: &LeasedStep) -> StepEnd {
        let delay = Duration::from_secs(1_u64 << leased.attempt.min(6));
        StepEnd::Abandoned {
            wake_at: self.pause.clock.now().plus(delay),
        }
    }

    /// Whether the orchestration's token is confined to other components than the task's; asked once, when it starts. A
    /// token that is gone is the call's to refuse.
    async fn check_may_run(&self, leased: &LeasedStep) -> Result<(), StepEnd> {
        let Some(component) = leased.task.component.as_deref() else {
            return Ok(());
        };
        let id = leased.job.token.id;
        match self.store.read_token(leased.job.project_id, id).await {
            Ok(Some(token)) if !token.rights.may_run(component) => {
                let message = format!(
                    "the orchestration's token {id} may not run {component}: it is not in its componentAccess"
                );
                Err(failed(Failure::new(
                    FailureKind::Internal,
                    "COMPONENT_NOT_ALLOWED",
                    message,
                )))
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(run = %run_id(leased), %error, "a step is to be repeated: its token cannot be read");
                Err(self.abandoned(leased))
            }
        }
    }

    /// The component that the run began with, else the one that the task's kind has now.
    async fn choose_plugin(&self, leased: &LeasedStep) -> Result<TaskType, StepEnd> {
        let component = leased.task.component.as_deref();
        let pinned = leased.component_digest.as_deref();
        let project = leased.job.project_id;
        match self.registry.task_type(project, component, pinned).await {
            Ok(task_type) => Ok(task_type),
            Err(Unresolved::Failed(failure)) => Err(failed(failure)),
            Err(Unresolved::Unavailable(why)) => {
                tracing::warn!(run = %run_id(leased), why, "a step is to be repeated: its plugin cannot be had");
                Err(self.abandoned(leased))
            }
        }
    }

    fn open_state(&self, leased: &LeasedStep) -> Result<Option<Checkpoint>, Failure> {
        let Some(sealed) = &leased.state else {
            return Ok(None);
        };
        match open(self, leased.lease.run, sealed) {
            Ok(Some(state)) => Ok(Some(state)),
            Ok(None) => Err(unreadable(leased, "it is too short")),
            Err(error) => Err(unreadable(leased, &error.to_string())),
        }
    }

    fn context(
        &self,
        leased: &LeasedStep,
        task_type: TaskType,
        parameters: Map<String, Value>,
    ) -> StepContext {
        let components_url = task_type.components_url;
        let task = &leased.task;
        let now = self.pause.clock.now();
        StepContext {
            project_id: leased.job.project_id,
            orchestration_id: leased.job.orchestration_id,
            job_id: leased.job.id,
            task_run_id: leased.lease.run,
            run_id: run_id(leased),
            task_id: task.id.clone(),
            attempt: leased.attempt,
            step: leased.step,
            idempotency_key: format!("{}-{}", self.settings.installation, leased.lease.run),
            is_in_doubt: leased.is_sent,
            component: task.component.clone(),
            component_url: task.component_url.clone(),
            action: task.action.clone(),
            components_url: components_url.unwrap_or_else(|| self.settings.components_url.clone()),
            public_url: self.settings.public_url.clone(),
            parameters: Value::Object(parameters).to_string(),
            config: task_type.config,
            deadline: deadline_at(leased).map(|deadline| deadline.since(now)),
        }
    }

    fn wait(&self, leased: &LeasedStep, wait: Wait, digest: &str) -> StepEnd {
        let sealed = match seal(self, leased.lease.run, &wait.state) {
            Ok(sealed) => sealed,
            Err(error) => return failed(unreadable(leased, &error.to_string())),
        };
        let delay = spread(
            wait.after.clamp(SHORTEST_DELAY, LONGEST_DELAY),
            leased.lease.run,
            leased.step,
        );
        let wake_at = self.pause.clock.now().plus(delay);
        StepEnd::Wait {
            state: sealed,
            wake_at: deadline_at(leased).map_or(wake_at, |deadline| wake_at.min(deadline)),
            response: wait.response,
            message: wait.progress,
            component_digest: digest.to_owned(),
        }
    }

    async fn cancel(
        &self,
        plugin: &Plugin,
        context: StepContext,
        state: Checkpoint,
        services: Arc<Services>,
    ) {
        let run_id = services.run_id.clone();
        if let Err(error) = self.plugins.cancel(plugin, context, state, services).await {
            tracing::info!(run = %run_id, ?error, "what the task left running could not be stopped");
        }
    }
}

/// Whether a step that was interrupted must not be run again.
fn refuse_to_repeat(leased: &LeasedStep, restart: Restart) -> Option<Failure> {
    if leased.is_sent && restart == Restart::Never {
        let message = "the host stopped while the task was acting: what it did is unknown, so it is not repeated";
        return Some(Failure::new(FailureKind::Transient, "IN_DOUBT", message));
    }
    (leased.attempt > MOST_ATTEMPTS).then(|| {
        let message = format!("the host did not get through this step in {MOST_ATTEMPTS} attempts");
        Failure::new(FailureKind::Internal, "TOO_MANY_ATTEMPTS", message)
    })
}

/// Whether the task waits, and for something else than before.
fn is_progress(leased: &LeasedStep, end: &StepEnd) -> bool {
    matches!(end, StepEnd::Wait { message, .. } if *message != leased.progress)
}

/// Of the answer that is kept.
fn kept_bytes(end: &StepEnd) -> usize {
    match end {
        StepEnd::Done { response, .. } => response.as_ref().map_or(0, String::len),
        // An answer between steps is replaced by the next one.
        StepEnd::Wait { .. } | StepEnd::Abandoned { .. } => 0,
    }
}

fn deadline_at(leased: &LeasedStep) -> Option<Timestamp> {
    let minutes = leased.task.timeout_minutes?;
    Some(
        leased
            .start_at
            .plus(Duration::from_secs(60 * u64::from(minutes))),
    )
}

fn time_is_up(leased: &LeasedStep) -> Failure {
    let minutes = leased.task.timeout_minutes.unwrap_or_default();
    let message = format!("the task did not end within its timeoutMinutes of {minutes}");
    Failure::new(FailureKind::Transient, "TIMEOUT", message)
}

fn unreadable(leased: &LeasedStep, why: &str) -> Failure {
    tracing::error!(run = %run_id(leased), why, "a task's state cannot be sealed or opened");
    Failure::new(
        FailureKind::Internal,
        "BAD_STATE",
        "the task's state cannot be read or kept",
    )
}

fn done(outcome: Outcome) -> StepEnd {
    StepEnd::Done {
        status: outcome.status,
        response: outcome.response,
        error_code: None,
        message: (outcome.status != Status::Success)
            .then_some(outcome.summary)
            .filter(|summary| !summary.is_empty()),
    }
}

fn failed(failure: Failure) -> StepEnd {
    StepEnd::Done {
        status: Status::Error,
        response: None,
        error_code: Some(failure.code),
        message: Some(failure.message),
    }
}

fn run_id(leased: &LeasedStep) -> String {
    format!("{}.{}", leased.job.id, leased.lease.run)
}

/// The delay, up to a tenth longer: by an amount that differs between runs and steps, so that tasks which began together
/// do not all come back together.
fn spread(delay: Duration, run: TaskRunId, step: u32) -> Duration {
    let mixed =
        (run.0.unsigned_abs() ^ (u64::from(step) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let thousandths = u32::try_from(mixed >> 54).unwrap_or_default() % 100;
    delay + delay * thousandths / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_spread_by_at_most_a_tenth() {
        let delay = Duration::from_secs(10);
        let all: Vec<_> = (1..1000)
            .map(|run| spread(delay, TaskRunId(run), 3))
            .collect();
        assert!(
            all.iter()
                .all(|spread| (delay..delay + delay / 10).contains(spread))
        );
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert!(different.len() > 90, "{}", different.len());
    }
}
