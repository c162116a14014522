//! The job and its state machine: which status may follow which, and what a job's tasks make of it.

use serde::{Deserialize, Serialize};

/// Status of a job, or of one task's run (which knows only `processing`, `success`, `warning` and `error`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    const ALL: [Self; 7] = [
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
