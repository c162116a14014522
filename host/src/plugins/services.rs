//! What a call of a plugin needs from whoever makes it, and how it ends.

use crate::domain::credential::Credential;
pub use crate::domain::job_event::LogLevel;
use crate::domain::plugin::Usage;
use crate::domain::step::{Checkpoint, Failure};
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use std::pin::Pin;

/// A boxed future, so that the traits below can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the runner does for a step while it runs. The futures are polled on the runtime that called
/// [`Plugins::run_step`](super::Plugins::run_step), not on the one on which plugins run.
pub trait StepServices: Send + Sync {
    /// Makes `state` durable before it answers.
    fn save_checkpoint(&self, state: Checkpoint) -> BoxFuture<'_, Result<(), SaveError>>;

    /// Awaited once per step, before its first request that is neither GET nor HEAD leaves; durable when it answers.
    /// With an error the request does not leave and the step is abandoned.
    fn mark_sent(&self) -> BoxFuture<'_, Result<(), String>>;

    /// The run's `X-StorageApi-Token`; asked for each request to an origin that gets it.
    fn token(&self) -> BoxFuture<'_, Result<String, TokenRefusal>>;

    /// The credentials of this step, opened: those that [`Plugin::credentials_wanted`](super::Plugin::credentials_wanted)
    /// names and the project has.
    fn credentials(&self) -> &[Credential] {
        &[]
    }

    /// One line of the plugin's log, or of its standard error.
    fn log(&self, level: LogLevel, line: &str);

    /// A request is about to leave: what it is to carry as its `traceparent`. `None`: nothing.
    fn begin_call(&self) -> Option<BegunCall> {
        None
    }

    /// It was answered with a status, or failed, told in words of the host's.
    fn end_call(&self, call: BegunCall, method: &str, origin: &str, answer: Result<u16, String>) {
        let _ = (call, method, origin, answer);
    }

    /// What the step has used, told once when it is over.
    fn used(&self, usage: Usage);

    /// The most memory that the step has had, told beside it.
    fn held_memory(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// A request that is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BegunCall {
    pub context: TraceContext,
    pub at: Timestamp,
}

/// Why a request goes without its token, and so not at all. One sentence, no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Ends the task with the code `TOKEN_UNUSABLE`.
    #[error("{0}")]
    Unusable(String),
    /// Another attempt could help: the step is abandoned.
    #[error("{0}")]
    Unavailable(String),
}

/// Why a checkpoint was not saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// Another host has taken the task over. The step is abandoned.
    #[error("this host no longer holds the task")]
    LeaseLost,
    /// Another attempt could help.
    #[error("the state could not be made durable: {0}")]
    Unavailable(String),
}

/// Why a call of a plugin brought no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The plugin's own failure, or what the host stopped it for: a trap, a limit, an answer that breaks the contract.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The host could not go on (lease lost, database away, stopping): the step is to be repeated, not ended.
    #[error("{0}")]
    Abandoned(String),
}

/// What makes the mails of one delivery one mail, and those of one incident one thread. The ids are the part before the
/// `@`, or whole ids; angle brackets are added where they are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailThread {
    /// The same for every attempt of one delivery.
    pub message_id: String,
    /// Of the thread's first mail; equal to `message_id` in that one.
    pub thread_id: String,
    /// An `https` address that ends the subscription with one POST, where there is one.
    pub unsubscribe: Option<String>,
}
