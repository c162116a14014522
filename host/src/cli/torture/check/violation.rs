//! What may be found broken.

use std::fmt;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::torture) enum Broken {
    JobLost,
    JobDoubled,
    TickLost,
    TickDoubled,
    RemoteJobDoubled,
    TaskNotRun,
    LateResult,
    LeftOver,
    RanSideBySide,
    NotificationLost,
    NotificationDoubled,
    WriteLost,
    WrongAnswer,
    HostFell,
}

impl Broken {
    pub(in crate::cli::torture) fn as_str(self) -> &'static str {
        match self {
            Self::JobLost => "job lost",
            Self::JobDoubled => "job doubled",
            Self::TickLost => "tick lost",
            Self::TickDoubled => "tick doubled",
            Self::RemoteJobDoubled => "remote job doubled",
            Self::TaskNotRun => "task not run",
            Self::LateResult => "late result",
            Self::LeftOver => "left over",
            Self::RanSideBySide => "ran side by side",
            Self::NotificationLost => "notification lost",
            Self::NotificationDoubled => "notification doubled",
            Self::WriteLost => "write lost",
            Self::WrongAnswer => "wrong answer",
            Self::HostFell => "host fell",
        }
    }
}

/// One broken promise, with the ids that it takes to look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::torture) struct Violation {
    pub(in crate::cli::torture) broken: Broken,
    pub(in crate::cli::torture) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.broken.as_str(), self.what)
    }
}

/// Collects violations.
#[derive(Debug, Default)]
pub(in crate::cli::torture) struct Findings(pub(in crate::cli::torture) Vec<Violation>);

impl Findings {
    pub(in crate::cli::torture) fn add(&mut self, broken: Broken, what: impl Into<String>) {
        self.0.push(Violation {
            broken,
            what: what.into(),
        });
    }
}
