//! What the host does for a step while it runs: keeps its checkpoints, notes that a request left, opens its token.

use super::Runner;
use super::lines::Lines;
use crate::domain::credential::Credential;
use crate::domain::ids::{ProjectId, TaskRunId, TokenId};
use crate::domain::job_event::{LogLine, one_line};
use crate::domain::plugin::Usage;
use crate::domain::step::Checkpoint;
use crate::domain::trace::JobTrace;
use crate::plugins::{BegunCall, BoxFuture, LogLevel, SaveError, StepServices, TokenRefusal};
use crate::store::{Lease, StoreError};
use crate::tokens::TokenError;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// For one step under one lease.
pub(super) struct Services {
    pub(super) runner: Runner,
    pub(super) lease: Lease,
    pub(super) project: ProjectId,
    pub(super) token: TokenId,
    /// Opened for this step.
    pub(super) credentials: Vec<Credential>,
    pub(super) run_id: String,
    pub(super) component_digest: String,
    /// What the step saved last: where a time-out cancels from.
    pub(super) saved: Mutex<Option<Checkpoint>>,
    /// What the step has used, once it is over.
    pub(super) usage: Arc<Mutex<Usage>>,
    /// What its plugin says.
    pub(super) lines: Lines,
    /// What its calls are part of.
    pub(super) trace: Option<JobTrace>,
    /// How many calls it has begun.
    pub(super) calls: AtomicU64,
}

impl Services {
    /// The state that the step saved in its middle, if it did.
    pub(super) fn take_saved(&self) -> Option<Checkpoint> {
        self.saved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl StepServices for Services {
    fn begin_call(&self) -> Option<BegunCall> {
        self.next_call()
    }

    fn end_call(&self, call: BegunCall, method: &str, origin: &str, answer: Result<u16, String>) {
        self.tell_call(call, method, origin, answer);
    }

    fn save_checkpoint(&self, state: Checkpoint) -> BoxFuture<'_, Result<(), SaveError>> {
        Box::pin(async move {
            let sealed = seal(&self.runner, self.lease.run, &state)
                .map_err(|error| SaveError::Unavailable(error.to_string()))?;
            let digest = self.component_digest.clone();
            match self
                .runner
                .store
                .save_checkpoint(self.lease, sealed, digest)
                .await
            {
                Ok(true) => {
                    *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
                    Ok(())
                }
                Ok(false) => Err(SaveError::LeaseLost),
                Err(error) => {
                    tracing::warn!(run = %self.run_id, %error, "a checkpoint was not saved");
                    Err(SaveError::Unavailable(
                        "the database does not answer".into(),
                    ))
                }
            }
        })
    }

    fn mark_sent(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let digest = self.component_digest.clone();
            match self.runner.store.mark_sent(self.lease, digest).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("another host has taken the task over".into()),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn token(&self) -> BoxFuture<'_, Result<String, TokenRefusal>> {
        Box::pin(async move {
            match self.runner.tokens.reveal(self.project, self.token).await {
                Ok(Some(secret)) => Ok(secret),
                Ok(None) => Err(TokenRefusal::Unusable(format!(
                    "the orchestration's token {} is deleted, disabled or expired",
                    self.token
                ))),
                Err(TokenError::Store(
                    error @ (StoreError::Unavailable(_) | StoreError::Closing),
                )) => Err(TokenRefusal::Unavailable(error.to_string())),
                Err(error) => {
                    tracing::error!(token = %self.token, %error, "a token cannot be opened");
                    Err(TokenRefusal::Unusable(format!(
                        "the orchestration's token {} cannot be read",
                        self.token
                    )))
                }
            }
        })
    }

    fn used(&self, usage: Usage) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = usage;
    }

    fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    fn log(&self, level: LogLevel, line: &str) {
        self.lines.add(LogLine {
            at: self.runner.pause.clock.now(),
            level,
            text: line.to_owned(),
        });
        let line = one_line(line);
        match level {
            LogLevel::Debug | LogLevel::Stderr => {
                tracing::debug!(target: "plugin", run = %self.run_id, "{line}");
            }
            LogLevel::Info => tracing::info!(target: "plugin", run = %self.run_id, "{line}"),
            LogLevel::Warning => tracing::warn!(target: "plugin", run = %self.run_id, "{line}"),
            LogLevel::Error => tracing::error!(target: "plugin", run = %self.run_id, "{line}"),
        }
    }
}

/// Seals a task's state: four bytes of format, then the data.
pub(super) fn seal(
    runner: &Runner,
    run: TaskRunId,
    state: &Checkpoint,
) -> Result<Vec<u8>, TokenError> {
    let mut plain = state.format.to_le_bytes().to_vec();
    plain.extend_from_slice(&state.data);
    runner.tokens.seal_state(run, &plain)
}

/// Opens what [`seal`] made; `None` where it is no state.
pub(super) fn open(
    runner: &Runner,
    run: TaskRunId,
    sealed: &[u8],
) -> Result<Option<Checkpoint>, TokenError> {
    let plain = runner.tokens.open_state(run, sealed)?;
    Ok(plain.split_first_chunk().map(|(format, data)| Checkpoint {
        format: u32::from_le_bytes(*format),
        data: data.to_vec(),
    }))
}
