//! Crontab expressions: when an orchestration is due.
//!
//! The dialect is that of `cron`, five fields or an `@` name, always in UTC. `parse` takes it to
//! the letter and refuses the rest with a position and a reason; `schedule` gets next times from
//! the crate `cron`, which is handed numbers only, as its own dialect is a different one.
//!
//! Invariants: a [`Crontab`] that exists fires at least once between 1970 and 2100; its times are
//! whole minutes; its text is the one that was given, to the character. Reads no clock and keeps
//! no state: the scheduler hands in the time it works from.
//!
//! Callers: the API and the pages (checking what a user writes), the scheduler (next and missed
//! times), the subcommand `cron`.

mod field;
mod parse;
mod schedule;
mod words;

use chrono::{DateTime, Utc};

use self::schedule::Schedule;

/// The longest expression that is looked at, in characters. A list of all sixty minutes needs 169.
pub const MAX_CHARACTERS: usize = 255;

/// A crontab expression that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crontab {
    text: String,
    schedule: Schedule,
}

/// Why a text is not a crontab expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("position {position}: {reason}")]
pub struct CrontabError {
    /// The character at fault in the text as given, counted from 1. What is missing at the end
    /// has the position after the last character of the last field.
    pub position: usize,
    /// One sentence without a full stop, in words a user can act on.
    pub reason: String,
}

impl CrontabError {
    fn new(position: usize, reason: impl Into<String>) -> Self {
        Self {
            position,
            reason: reason.into(),
        }
    }
}

impl Crontab {
    /// Understands a text, or says where and why not. Quick for any input, however long.
    pub fn parse(text: &str) -> Result<Self, CrontabError> {
        let fields = parse::fields(text)?;
        Ok(Self {
            text: text.to_owned(),
            schedule: Schedule::new(fields)?,
        })
    }

    /// The text as it was given, white space included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it says, as an English sentence without its full stop.
    pub fn describe(&self) -> String {
        words::describe(self.schedule.fields())
    }

    /// The first time strictly after `after`; `None` once the year 2100 is over.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedule.next_after(after)
    }

    /// All times strictly after `after`, in order, up to the end of the year 2100.
    pub fn upcoming(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(after), |time| self.next_after(*time))
    }

    /// The last time of the closed interval and how many it holds; `None` when it holds none.
    ///
    /// The cost grows with the days of the interval, not with its times, so that a host which was
    /// down for a year can settle a minutely schedule at once.
    pub fn latest_and_count(
        &self,
        from_inclusive: DateTime<Utc>,
        to_inclusive: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, u64)> {
        self.schedule.latest_and_count(from_inclusive, to_inclusive)
    }
}
