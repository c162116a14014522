//! The job and its state machine: which status may follow which, and what a job's tasks make of it.

use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId, TokenId};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::plugin::Usage;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

/// Status of a job, or of one task's run (which knows only `processing`, `success`, `warning` and `error`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Waiting,
    Processing,
    Success,
    Warning,
    Error,
    Cancelled,
    Terminated,
}

impl Status {
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Processing,
        Self::Success,
        Self::Warning,
        Self::Error,
        Self::Cancelled,
        Self::Terminated,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    #[must_use]
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Waiting | Self::Processing)
    }
}

/// How a job came to be. The API calls it `initializedBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Initiator {
    Manually,
    Scheduler,
    Trigger,
}

impl Initiator {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manually => "manually",
            Self::Scheduler => "scheduler",
            Self::Trigger => "trigger",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Manually, Self::Scheduler, Self::Trigger]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// One execution of an orchestration.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub project_id: ProjectId,
    pub orchestration_id: OrchestrationId,
    /// Tasks and notifications as they stood when the job was created.
    pub revision: Arc<Revision>,
    pub status: Status,
    pub initialized_by: Initiator,
    pub created_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    pub token: TokenReference,
    /// Who asked for it; `None` for the scheduler's.
    pub initiator: Option<InitiatorToken>,
    /// Addresses given for this run, in place of the orchestration's subscriptions; empty where none were.
    pub notifications_emails: Vec<String>,
    /// One flag per task of the revision, where they were given for this run.
    pub active_tasks: Option<Vec<bool>>,
    /// `X-KBC-RunId` of the call that made the job.
    pub parent_run_id: Option<String>,
    /// The trace of that call, where traces are kept.
    pub trace: Option<TraceContext>,
    /// In the order of their positions; empty until the job has started.
    pub task_runs: Vec<TaskRun>,
}

impl Job {
    /// The job's tasks: those of its revision with the `active` flags of this run.
    #[must_use]
    pub fn tasks(&self) -> Cow<'_, [Task]> {
        match &self.active_tasks {
            None => Cow::Borrowed(&self.revision.tasks),
            Some(flags) => Cow::Owned(with_flags(&self.revision.tasks, flags)),
        }
    }
}

/// `tasks` with the given `active` flags, one per task, in place of their own.
fn with_flags(tasks: &[Task], flags: &[bool]) -> Vec<Task> {
    let mut tasks = tasks.to_vec();
    for (task, active) in tasks.iter_mut().zip(flags) {
        task.active = *active;
    }
    tasks
}

/// The token of the call that made a job, and the caller's `User-Agent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiatorToken {
    pub id: TokenId,
    pub description: String,
    pub user_agent: Option<String>,
}

/// One execution of one task within a job.
#[derive(Clone, Debug)]
pub struct TaskRun {
    pub id: TaskRunId,
    /// Which task of the job's revision.
    pub position: usize,
    /// `processing`, `success`, `warning` or `error`.
    pub status: Status,
    pub start_at: Timestamp,
    pub end_at: Option<Timestamp>,
    /// The last JSON that the component answered.
    pub response: Option<Box<RawValue>>,
    /// Stable name of what went wrong, such as `IN_DOUBT` or `TIME_LIMIT`.
    pub error_code: Option<String>,
    /// One sentence for people: why it failed, or what it waits for.
    pub message: Option<String>,
    /// Of all its steps together.
    pub usage: Usage,
}

/// How one task of a job ended, as far as the job cares.
#[derive(Clone, Copy, Debug)]
pub struct TaskEnd {
    pub status: Status,
    pub continue_on_failure: bool,
}

/// Whether a phase's end is the job's end: a failed task that does not let the job go on ends it with `error`.
#[must_use]
pub fn stops_job(ends: &[TaskEnd]) -> bool {
    ends.iter()
        .any(|end| end.status != Status::Success && !end.continue_on_failure)
}

/// A finished job's status. `warning` of a task counts as failed; a job without active tasks is a success.
#[must_use]
pub fn outcome(ends: &[TaskEnd]) -> Status {
    if stops_job(ends) {
        Status::Error
    } else if ends.iter().any(|end| end.status != Status::Success) {
        Status::Warning
    } else {
        Status::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(status: Status, continue_on_failure: bool) -> TaskEnd {
        TaskEnd {
            status,
            continue_on_failure,
        }
    }

    #[test]
    fn outcome_follows_the_rules_of_the_api() {
        use Status::{Error, Success, Warning};
        assert_eq!(outcome(&[]), Success);
        assert_eq!(outcome(&[end(Success, false), end(Success, true)]), Success);
        assert_eq!(outcome(&[end(Warning, false)]), Error);
        assert_eq!(outcome(&[end(Warning, true)]), Warning);
        assert_eq!(outcome(&[end(Error, true), end(Success, false)]), Warning);
        assert_eq!(outcome(&[end(Error, true), end(Error, false)]), Error);
    }
}
