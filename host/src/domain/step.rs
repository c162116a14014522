//! What one step of a task is given and may answer, in the product's own words.
//!
//! The plugins room turns every line of the contract into these types at once; the runner knows no other.

use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId};
use crate::domain::job::Status;
use std::time::Duration;

/// Everything that a step may know. Equal for every step of one run but for `attempt`, `step`, `is_in_doubt`, `config` and
/// `deadline`.
#[derive(Clone, Debug)]
pub struct StepContext {
    pub project_id: ProjectId,
    pub orchestration_id: OrchestrationId,
    pub job_id: JobId,
    pub task_run_id: TaskRunId,
    /// The task's own run id, `<job run id>.<number>`.
    pub run_id: String,
    pub task_id: String,
    /// 1 for the first try of this step, one more for each repetition after a crash.
    pub attempt: u32,
    /// 0 for the first step.
    pub step: u32,
    /// The same text for every step and attempt of this run.
    pub idempotency_key: String,
    /// A request that may have changed something left in an earlier attempt at this step.
    pub is_in_doubt: bool,
    pub component: Option<String>,
    pub component_url: Option<String>,
    pub action: Option<String>,
    /// Where components without an address of their own live; no trailing slash.
    pub components_url: String,
    /// The server's own public address, where one is configured: it is a component too, and gets the token.
    pub public_url: Option<String>,
    /// JSON object.
    pub parameters: String,
    /// JSON object: the plugin's configuration in the project.
    pub config: String,
    /// What remains of the task's time, where that is limited.
    pub deadline: Option<Duration>,
}

/// State between two steps, opaque to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub format: u32,
    pub data: Vec<u8>,
}

/// Largest state of a task, in bytes.
pub const MOST_STATE_BYTES: usize = 64 << 10;

/// Bounds of the delay that a task may ask for.
pub const SHORTEST_DELAY: Duration = Duration::from_millis(50);
pub const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Which export of the task is called.
#[derive(Clone, Debug)]
pub enum StepCall {
    Start,
    Resume {
        state: Checkpoint,
        /// The host stopped after this state was saved in mid-step, rather than that a delay is over.
        is_recovery: bool,
    },
}

/// What a step answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Done(Outcome),
    Wait(Wait),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `success`, `warning` or `error`.
    pub status: Status,
    /// JSON text, checked to parse; `None` where there is none or it is `null`.
    pub response: Option<String>,
    /// One sentence for people; empty where the status is `success`.
    pub summary: String,
}

/// A task that wants to be called again.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    pub state: Checkpoint,
    /// As wished; the runner bounds and spreads it.
    pub after: Duration,
    /// What is being waited for, for people.
    pub progress: Option<String>,
    /// JSON text, checked to parse: the last answer of the component, where there is one.
    pub response: Option<String>,
}

/// What kind of trouble ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    Config,
    Auth,
    NotFound,
    RateLimit,
    Transient,
    Remote,
    Internal,
}

impl FailureKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::NotFound => "not-found",
            Self::RateLimit => "rate-limit",
            Self::Transient => "transient",
            Self::Remote => "remote",
            Self::Internal => "internal",
        }
    }
}

/// Why a plugin's call did not end well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// A stable name in capitals.
    pub code: String,
    /// One sentence for people; never a secret.
    pub message: String,
    pub retry_after: Option<Duration>,
}

impl Failure {
    #[must_use]
    pub fn new(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            retry_after: None,
        }
    }
}

/// What a task's crash in mid-step means, as its plugin's manifest declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// The step is repeated.
    Idempotent,
    /// The step is repeated and told that it is in doubt.
    Lookup,
    /// The task ends in error.
    Never,
}
