//! Where a job, or a task of it, stands.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Status of a job or of a task's run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    Waiting,
    Processing,
    Success,
    Warning,
    Error,
    Cancelled,
    Terminated,
    /// One that this client does not know.
    Other(String),
}

impl Status {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Terminated => "terminated",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        match text.as_str() {
            "waiting" => Self::Waiting,
            "processing" => Self::Processing,
            "success" => Self::Success,
            "warning" => Self::Warning,
            "error" => Self::Error,
            "cancelled" => Self::Cancelled,
            "terminated" => Self::Terminated,
            _ => Self::Other(text),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
