//! Plays a task through: start, waits on a clock that jumps, resumes; and crashes where it is told to.
//!
//! What the runner and the store do in a server is done here in the same order: a step's result counts only once it is
//! recorded, and a crash before that repeats the step, from its last checkpoint if it saved one, and in doubt if something
//! may have been sent.

use super::credentials;
use super::scenario::Scenario;
use super::script::{Exchange, Repeats, Script};
use crate::cli::plugin::compiled::CacheArgs;
use crate::clock::Clock;
use crate::domain::credential::{Credential, NAMING_KEY};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId};
use crate::domain::plugin::Usage;
use crate::domain::step::{
    Checkpoint, Failure, LONGEST_DELAY, Restart, SHORTEST_DELAY, Step, StepCall, StepContext,
};
use crate::domain::time::Timestamp;
use crate::plugins::{
    BoxFuture, LogLevel, Plugin, Plugins, SaveError, StepError, StepServices, TokenRefusal,
};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A task that has not ended after so many steps does not end.
const MOST_STEPS: u32 = 1_000;

/// Where the host dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Nowhere,
    /// After each step, once it is recorded.
    BetweenSteps,
    /// In this step, before its result is recorded.
    InStep(u32),
    /// In this step, just before its save of this number, counted from 0.
    BeforeSave(u32, usize),
}

impl Crash {
    /// The step that it takes.
    fn step(self) -> Option<u32> {
        match self {
            Self::InStep(number) | Self::BeforeSave(number, _) => Some(number),
            Self::Nowhere | Self::BetweenSteps => None,
        }
    }
}

/// What was played.
pub(super) struct Played {
    pub(super) steps: Vec<PlayedStep>,
    pub(super) end: End,
    pub(super) waited: Duration,
    pub(super) faults: Vec<String>,
    pub(super) unused: Vec<String>,
}

pub(super) struct PlayedStep {
    pub(super) number: u32,
    pub(super) is_resumed: bool,
    /// This attempt was taken by the crash.
    pub(super) is_lost: bool,
    pub(super) is_in_doubt: bool,
    pub(super) usage: Usage,
    pub(super) memory_bytes: u64,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) lines: Vec<String>,
    pub(super) waits: Option<(Duration, Option<String>)>,
    /// How often the step saved its state.
    pub(super) saves: usize,
}

/// How the task ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    /// `success`, `warning` or `error`.
    pub(super) outcome: &'static str,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) response: Value,
}

/// The stage: a scenario's task on plugins that can be thrown away and opened again.
pub(super) struct Stage<'a> {
    pub(super) component: &'a [u8],
    pub(super) cache: &'a CacheArgs,
    pub(super) scenario: &'a Scenario,
    pub(super) start: Timestamp,
    pub(super) runtime: &'a Runtime,
}

impl Stage<'_> {
    pub(super) fn play(&self, crash: Crash) -> anyhow::Result<Played> {
        let script = Arc::new(Script::new(&self.scenario.answers, Repeats::Keyed));
        let clock = Clock::manual(self.start);
        let (mut plugins, mut plugin) = self.open(&clock, &script)?;
        let mut steps = Vec::new();
        let mut next = NextStep::default();
        let end = loop {
            if next.number >= MOST_STEPS {
                let message = format!("it has not ended after {MOST_STEPS} steps");
                break failed("ENDLESS", message);
            }
            let deadline = self.deadline(clock.now());
            let context = self.context(&plugin, &next, deadline);
            let notes = match self.credentials(&plugin) {
                Ok(credentials) => Arc::new(Notes::with(credentials, script.clone())),
                Err(failure) => break failed(&failure.code, failure.message),
            };
            if deadline.is_some_and(|left| left.is_zero()) {
                if let Some(state) = next.state.clone() {
                    // Best effort, in a server too.
                    let _ = self
                        .runtime
                        .block_on(plugins.cancel(&plugin, context, state, notes));
                }
                break failed("TIMEOUT", "the task's timeoutMinutes are over".to_owned());
            }
            let stepping = plugins.run_step(&plugin, context, next.call(), notes.clone());
            let result = self.runtime.block_on(stepping);
            let mut noted = notes.take();
            let mut step = PlayedStep {
                number: next.number,
                is_resumed: next.state.is_some(),
                is_lost: false,
                is_in_doubt: next.is_in_doubt,
                usage: noted.usage,
                memory_bytes: noted.memory_bytes,
                exchanges: script.take_exchanges(),
                lines: noted.lines,
                waits: None,
                saves: noted.saves.len(),
            };
            let hit = (next.attempt == 1).then_some(next.number);
            if hit.is_some() && hit == crash.step() {
                step.is_lost = true;
                if let Crash::BeforeSave(_, at) = crash
                    && let Some(save) = noted.saves.get(at)
                {
                    script.forget(step.exchanges.split_off(save.requests_before));
                    noted.is_sent = save.is_sent_before;
                    noted.saves.truncate(at);
                }
                script.crash(step.exchanges.clone());
                steps.push(step);
                (plugins, plugin) = self.open(&clock, &script)?;
                let saved = noted.saves.pop().map(|save| save.state);
                next.repeat(saved, noted.is_sent);
                if next.is_in_doubt && plugin.restart() == Restart::Never {
                    break failed("IN_DOUBT", "what the step did is unknown".to_owned());
                }
                continue;
            }
            script.record();
            match result {
                Ok(Step::Wait(wait)) => {
                    let after = wait.after.clamp(SHORTEST_DELAY, LONGEST_DELAY);
                    clock.advance(deadline.map_or(after, |left| after.min(left)));
                    step.waits = Some((after, wait.progress));
                    steps.push(step);
                    next.go_on(wait.state);
                    if crash == Crash::BetweenSteps {
                        (plugins, plugin) = self.open(&clock, &script)?;
                    }
                }
                Ok(Step::Done(outcome)) => {
                    steps.push(step);
                    let response = outcome.response.as_deref().map(serde_json::from_str);
                    break End {
                        outcome: outcome.status.as_str(),
                        code: None,
                        message: outcome.summary,
                        response: response.transpose()?.unwrap_or_default(),
                    };
                }
                Err(StepError::Failed(failure)) => {
                    steps.push(step);
                    break failed(&failure.code, failure.message);
                }
                Err(StepError::Abandoned(why)) => {
                    steps.push(step);
                    break failed("ABANDONED", why);
                }
            }
        };
        Ok(Played {
            steps,
            end,
            waited: clock.now().since(self.start),
            faults: script.take_faults(),
            unused: script.unused(),
        })
    }

    fn open(&self, clock: &Clock, script: &Arc<Script>) -> anyhow::Result<(Plugins, Plugin)> {
        let plugins = self.cache.rehearse(clock.clone(), script.clone())?;
        let plugin = plugins.add_component(self.component)?;
        Ok((plugins, plugin))
    }

    fn credentials(&self, plugin: &Plugin) -> Result<Vec<Credential>, Failure> {
        let named = self.scenario.task.parameters.get(NAMING_KEY);
        let named = named.and_then(Value::as_str);
        credentials::open(&self.scenario.credentials, plugin, named)
    }

    fn deadline(&self, now: Timestamp) -> Option<Duration> {
        let minutes = self.scenario.task.timeout_minutes?;
        let end = self
            .start
            .plus(Duration::from_secs(60 * u64::from(minutes)));
        Some(end.since(now))
    }

    fn context(&self, plugin: &Plugin, next: &NextStep, deadline: Option<Duration>) -> StepContext {
        let task = &self.scenario.task;
        let component = match &task.component_url {
            Some(_) => task.component.clone(),
            None => Some(
                task.component
                    .clone()
                    .unwrap_or_else(|| plugin.id().to_owned()),
            ),
        };
        StepContext {
            project_id: ProjectId(1),
            orchestration_id: OrchestrationId(1),
            job_id: JobId(1),
            task_run_id: TaskRunId(1),
            run_id: "1.1".to_owned(),
            task_id: "1".to_owned(),
            attempt: next.attempt,
            step: next.number,
            idempotency_key: "scenario-1".to_owned(),
            is_in_doubt: next.is_in_doubt,
            component,
            component_url: task.component_url.clone(),
            action: task.action.clone(),
            components_url: "https://components.example".to_owned(),
            public_url: None,
            parameters: Value::Object(task.parameters.clone()).to_string(),
            config: Value::Object(task.config.clone()).to_string(),
            deadline,
        }
    }
}

/// What the row of a task run would hold.
struct NextStep {
    number: u32,
    attempt: u32,
    state: Option<Checkpoint>,
    is_recovery: bool,
    is_in_doubt: bool,
}

impl Default for NextStep {
    fn default() -> Self {
        Self {
            number: 0,
            attempt: 1,
            state: None,
            is_recovery: false,
            is_in_doubt: false,
        }
    }
}

impl NextStep {
    fn call(&self) -> StepCall {
        match self.state.clone() {
            None => StepCall::Start,
            Some(state) => StepCall::Resume {
                state,
                is_recovery: self.is_recovery,
            },
        }
    }

    fn go_on(&mut self, state: Checkpoint) {
        *self = Self {
            number: self.number + 1,
            state: Some(state),
            ..Self::default()
        };
    }

    fn repeat(&mut self, saved: Option<Checkpoint>, is_sent: bool) {
        self.attempt += 1;
        self.is_in_doubt = is_sent;
        if saved.is_some() {
            self.state = saved;
            self.is_recovery = true;
            self.is_in_doubt = false;
        }
    }
}

fn failed(code: &str, message: String) -> End {
    End {
        outcome: "error",
        code: Some(code.to_owned()),
        message,
        response: Value::Null,
    }
}

/// The runner's side of one attempt.
struct Notes {
    noted: Mutex<Noted>,
    credentials: Vec<Credential>,
    script: Arc<Script>,
}

#[derive(Default)]
struct Noted {
    saves: Vec<Save>,
    /// Since the last save.
    is_sent: bool,
    usage: Usage,
    memory_bytes: u64,
    lines: Vec<String>,
}

/// A save of the state within a step.
struct Save {
    state: Checkpoint,
    /// Requests that the attempt had made.
    requests_before: usize,
    /// As `Noted` had it.
    is_sent_before: bool,
}

impl Notes {
    fn with(credentials: Vec<Credential>, script: Arc<Script>) -> Self {
        Self {
            noted: Mutex::default(),
            credentials,
            script,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Noted {
        std::mem::take(&mut *self.lock())
    }
}

impl StepServices for Notes {
    fn save_checkpoint(&self, state: Checkpoint) -> BoxFuture<'_, Result<(), SaveError>> {
        let mut noted = self.lock();
        let is_sent_before = std::mem::take(&mut noted.is_sent);
        noted.saves.push(Save {
            state,
            requests_before: self.script.exchanges_so_far(),
            is_sent_before,
        });
        Box::pin(std::future::ready(Ok(())))
    }

    fn mark_sent(&self) -> BoxFuture<'_, Result<(), String>> {
        self.lock().is_sent = true;
        Box::pin(std::future::ready(Ok(())))
    }

    fn token(&self) -> BoxFuture<'_, Result<String, TokenRefusal>> {
        let token = "token-of-the-scenario".to_owned();
        Box::pin(std::future::ready(Ok(token)))
    }

    fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    fn log(&self, level: LogLevel, line: &str) {
        let level = level.as_str();
        self.lock().lines.push(format!("{level}: {line}"));
    }

    fn used(&self, usage: Usage) {
        self.lock().usage = usage;
    }

    fn held_memory(&self, bytes: u64) {
        self.lock().memory_bytes = bytes;
    }
}
