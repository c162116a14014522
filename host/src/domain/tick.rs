//! What becomes of the times at which an orchestration is due.
//!
//! The latest due time is run once, also where no host ran when it came; those before it are recorded as missed, as one
//! gap. A pause makes no backlog.

use crate::domain::crontab::Crontab;
use crate::domain::time::Timestamp;
use std::time::Duration;

/// Outcome of one expected tick, or of all ticks of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// Became a job in time.
    Fired,
    /// Became a job late.
    CaughtUp,
    /// Did not become a job: no host ran, or the schedule was changed before one could act.
    Missed,
    /// The orchestration was not active.
    Paused,
}

impl TickOutcome {
    const ALL: [Self; 4] = [Self::Fired, Self::CaughtUp, Self::Missed, Self::Paused];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::CaughtUp => "caught-up",
            Self::Missed => "missed",
            Self::Paused => "paused",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// A tick that fires later than this counts as caught up.
pub const LATE_AFTER: Duration = Duration::from_secs(60);

/// Ticks in a row with the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
    pub ticks: u64,
}

impl Gap {
    /// The ticks of the closed interval; `None` where it holds none.
    #[must_use]
    pub fn between(crontab: &Crontab, from: Timestamp, to: Timestamp) -> Option<Self> {
        let (latest, ticks) = crontab.latest_and_count(from.to_datetime(), to.to_datetime())?;
        let before = Timestamp(from.0.saturating_sub(1));
        let first = crontab.next_after(before.to_datetime())?;
        Some(Self {
            from: Timestamp::from_datetime(first),
            to: Timestamp::from_datetime(latest),
            ticks,
        })
    }
}

/// What a due orchestration's schedule asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The tick that becomes a job; `None` where the crontab no longer has any.
    pub tick: Option<Timestamp>,
    /// Of that tick.
    pub outcome: TickOutcome,
    /// Ticks before it, to be recorded as missed.
    pub missed: Option<Gap>,
    /// When it is due again.
    pub next: Option<Timestamp>,
}

impl Firing {
    /// What is to be done at `now` about a schedule that was due at `due_at`. Its ticks up to `last_tick` have fired: a
    /// clock that was set back shows their times once more.
    #[must_use]
    pub fn decide(
        crontab: Option<&Crontab>,
        due_at: Timestamp,
        last_tick: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let due_at = last_tick.map_or(due_at, |last| due_at.max(Timestamp(last.0 + 1)));
        let nothing = Self {
            tick: None,
            outcome: TickOutcome::Fired,
            missed: None,
            next: None,
        };
        let Some(crontab) = crontab else {
            return nothing;
        };
        let next = crontab
            .next_after(now.to_datetime())
            .map(Timestamp::from_datetime);
        let latest = crontab.latest_and_count(due_at.to_datetime(), now.to_datetime());
        let Some((latest, _)) = latest else {
            return Self { next, ..nothing };
        };
        let tick = Timestamp::from_datetime(latest);
        let missed = if tick > due_at {
            Gap::between(crontab, due_at, Timestamp(tick.0.saturating_sub(1)))
        } else {
            None
        };
        let outcome = if missed.is_some() || now.since(tick) > LATE_AFTER {
            TickOutcome::CaughtUp
        } else {
            TickOutcome::Fired
        };
        Self {
            tick: Some(tick),
            outcome,
            missed,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn minute(number: i64) -> Timestamp {
        Timestamp(number * MINUTE)
    }

    #[test]
    fn a_tick_in_time_fires_and_misses_nothing() {
        let crontab = Crontab::parse("*/5 * * * *").unwrap();
        let firing = Firing::decide(
            Some(&crontab),
            minute(10),
            Some(minute(5)),
            Timestamp(10 * MINUTE + 300_000),
        );
        assert_eq!(
            firing,
            Firing {
                tick: Some(minute(10)),
                outcome: TickOutcome::Fired,
                missed: None,
                next: Some(minute(15)),
            }
        );
    }

    #[test]
    fn after_a_stop_the_latest_tick_is_caught_up_and_the_others_are_one_gap() {
        let crontab = Crontab::parse("*/5 * * * *").unwrap();
        let firing = Firing::decide(Some(&crontab), minute(10), None, minute(27));
        assert_eq!(
            firing,
            Firing {
                tick: Some(minute(25)),
                outcome: TickOutcome::CaughtUp,
                missed: Some(Gap {
                    from: minute(10),
                    to: minute(20),
                    ticks: 3
                }),
                next: Some(minute(30)),
            }
        );
    }

    #[test]
    fn a_single_late_tick_is_caught_up() {
        let crontab = Crontab::parse("0 * * * *").unwrap();
        let firing = Firing::decide(Some(&crontab), minute(60), None, minute(75));
        assert_eq!(firing.outcome, TickOutcome::CaughtUp);
        assert_eq!(firing.missed, None);
    }

    #[test]
    fn a_tick_that_fired_does_not_fire_again_when_the_clock_was_set_back() {
        let crontab = Crontab::parse("*/5 * * * *").unwrap();
        let last = Some(minute(20));
        let firing = Firing::decide(Some(&crontab), minute(15), last, minute(16));
        assert_eq!((firing.tick, firing.missed), (None, None));
        assert_eq!(firing.next, Some(minute(20)));

        let firing = Firing::decide(Some(&crontab), minute(20), last, minute(26));
        assert_eq!(
            (firing.tick, firing.missed, firing.next),
            (Some(minute(25)), None, Some(minute(30)))
        );
    }
}
