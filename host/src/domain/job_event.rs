//! What happens to a job, as it happens: a record that is kept for a while, and that others may follow.
//!
//! Not to be confused with the events of notifications (`event.rs`), which are promises to deliver something. Events of a
//! project have one order, which a [`Cursor`] names a place in: nothing is ever added before a place that was read.

use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::Status;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long events are kept.
pub const EVENT_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Lines, progress included, that are kept of one job; its tasks share them out evenly.
pub const MOST_LINES_OF_JOB: u64 = 10_000;
/// The same in bytes.
pub const MOST_LINE_BYTES_OF_JOB: u64 = 2 << 20;

/// A place in the order of events: after the one that it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The transaction that wrote the event, as the database counts them.
    pub transaction: i64,
    pub id: i64,
}

impl Cursor {
    /// Before all events.
    pub const START: Self = Self {
        transaction: 0,
        id: 0,
    };
}

/// `<transaction>-<id>`, to be taken as it is.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.transaction, self.id)
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| {
            let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| is_decimal)
        };
        text.split_once('-')
            .and_then(|(transaction, id)| {
                Some(Self {
                    transaction: number(transaction)?,
                    id: number(id)?,
                })
            })
            .ok_or("must be the id of an event")
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The job has another status.
    Job,
    /// A task began, got on or ended.
    Task,
    /// A task's plugin wrote a line.
    Log,
    /// What a task's plugin writes is no longer kept.
    Limit,
}

impl EventKind {
    pub const ALL: [Self; 4] = [Self::Job, Self::Task, Self::Log, Self::Limit];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Task => "task",
            Self::Log => "log",
            Self::Limit => "limit",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How urgent a line of a plugin's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
    /// Written to standard error, which knows no levels.
    Stderr,
}

impl LogLevel {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Stderr => "stderr",
        }
    }
}

/// A text as it may stand in a line of the server's log: what would begin another line, or move the cursor of whoever
/// reads it, is escaped.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    Cow::Owned(line)
}

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: LogLevel,
    pub text: String,
}

/// One event, as it is read.
#[derive(Clone, Debug)]
pub struct JobEvent {
    pub cursor: Cursor,
    pub job_id: JobId,
    pub orchestration_id: OrchestrationId,
    pub at: Timestamp,
    pub kind: EventKind,
    /// The task that it is about, as configured; `None` for the job's own.
    pub task: Option<Task>,
    /// The status of a job or task, or the level of a line; empty for a limit.
    pub label: String,
    /// Stable name of what went wrong.
    pub code: Option<String>,
    /// A line, or one sentence: how far a task is, or why it failed.
    pub message: Option<String>,
}

impl JobEvent {
    /// Whether it is the last one of its job.
    #[must_use]
    pub fn ends_job(&self) -> bool {
        let status = Status::from_text(&self.label);
        self.kind == EventKind::Job && status.is_some_and(Status::is_finished)
    }
}

/// What one task may say, and what of it has been said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    lines: u64,
    bytes: u64,
    most_lines: u64,
    most_bytes: u64,
}

/// What becomes of one more line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Kept,
    /// The first one that is not: to be said once.
    Cut,
    Dropped,
}

impl Share {
    /// Of one of so many tasks that has said so much, kept or not.
    #[must_use]
    pub fn of(tasks: usize, lines: u64, bytes: u64) -> Self {
        let tasks = u64::try_from(tasks.max(1)).unwrap_or(u64::MAX);
        Self {
            lines,
            bytes,
            most_lines: (MOST_LINES_OF_JOB / tasks).max(1),
            most_bytes: (MOST_LINE_BYTES_OF_JOB / tasks).max(1),
        }
    }

    /// Takes a line.
    pub fn hear(&mut self, bytes: usize) -> Heard {
        let was_full = self.is_over();
        self.lines = self.lines.saturating_add(1);
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        match (was_full, self.is_over()) {
            (_, false) => Heard::Kept,
            (false, true) => Heard::Cut,
            (true, true) => Heard::Dropped,
        }
    }

    /// What is told to whoever reads on after the cut.
    #[must_use]
    pub fn explain(&self) -> String {
        format!(
            "no more of what this task says is kept: its share is {} lines and {} bytes",
            self.most_lines, self.most_bytes
        )
    }

    fn is_over(&self) -> bool {
        self.lines > self.most_lines || self.bytes > self.most_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_log_stays_one_line() {
        assert_eq!(one_line("Grüße\u{1F600}"), "Grüße\u{1F600}");
        assert_eq!(
            one_line("one\n2026-01-01 ERROR forged\u{1b}[2J\r"),
            r"one\n2026-01-01 ERROR forged\u{1b}[2J\r"
        );
    }

    #[test]
    fn a_cursor_is_read_as_it_is_printed() {
        let cursor = Cursor {
            transaction: 812,
            id: 7,
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in [
            "",
            "7",
            "-7",
            "1-",
            "1--2",
            "+1-2",
            "1-2-3",
            "a-b",
            "99999999999999999999-1",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_tasks_of_a_job_share_its_lines_and_the_cut_is_told_once() {
        let mut share = Share::of(5_000, 0, 0);
        let heard: Vec<_> = (0..5).map(|_| share.hear(1)).collect();
        let expected = [
            Heard::Kept,
            Heard::Kept,
            Heard::Cut,
            Heard::Dropped,
            Heard::Dropped,
        ];
        assert_eq!(heard, expected);
    }

    #[test]
    fn a_short_line_after_the_cut_is_not_kept_either() {
        let mut share = Share::of(1, 0, MOST_LINE_BYTES_OF_JOB - 10);
        assert_eq!(share.hear(100), Heard::Cut);
        assert_eq!(share.hear(1), Heard::Dropped);
    }
}
