//! From sets of values to times.
//!
//! Next times come from the crate `cron`. It counts weekdays from 1 = Sunday and requires both day
//! fields to agree, so each set is handed over as a list of its numbers, and a schedule whose day
//! fields match as *either* becomes two, the earlier of which counts. Counting needs no engine: it
//! walks days, as the times of every day that fires are the same.
//!
//! Invariant: [`Schedule::new`] refuses what can never fire, so that `None` from
//! [`Schedule::next_after`] only ever means the end of the calendar. Years are 1970 to 2100, the
//! ones the engine knows; the two ways of reading the calendar are compared in the tests.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Utc};

use super::CrontabError;
use super::field::{Field, ValueSet};
use super::parse::Fields;

const MINUTES_PER_DAY: i64 = 24 * 60;
/// The last minute of the year 2100, in minutes since 1970.
const LAST_MINUTE: i64 = 68_899_680 - 1;
/// The last second before 1970.
const BEFORE_FIRST_SECOND: i64 = -1;

/// Days that fire, and the times of such a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    fields: Fields,
    engine: cron::Schedule,
    /// The weekday's half of a schedule whose day fields match as *either*.
    engine_of_weekdays: Option<cron::Schedule>,
}

impl Schedule {
    /// Refuses a day that no chosen month has.
    pub(super) fn new(fields: Fields) -> Result<Self, CrontabError> {
        refuse_impossible_days(&fields)?;
        let (days_of_month, days_of_week) = (fields.days_of_month, fields.days_of_week);
        let (engine, engine_of_weekdays) = if fields.either_day {
            (
                engine(&fields, days_of_month, Field::DayOfWeek.all())?,
                Some(engine(&fields, Field::DayOfMonth.all(), days_of_week)?),
            )
        } else {
            (engine(&fields, days_of_month, days_of_week)?, None)
        };
        Ok(Self {
            fields,
            engine,
            engine_of_weekdays,
        })
    }

    pub(super) fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The engine adds a second to what it gets, which must not overflow, and reads years as
        // unsigned: it gets whole seconds of the years it knows.
        let second = after.timestamp().max(BEFORE_FIRST_SECOND);
        if second.div_euclid(60) >= LAST_MINUTE {
            return None;
        }
        let after = DateTime::from_timestamp(second, 0)?;
        let next = |engine: &cron::Schedule| engine.after(&after).next();
        let by_weekday = self.engine_of_weekdays.as_ref().and_then(next);
        // `None` is less than any time, so the lesser of the two options would be no time at all.
        next(&self.engine).into_iter().chain(by_weekday).min()
    }

    pub(super) fn latest_and_count(
        &self,
        from_inclusive: DateTime<Utc>,
        to_inclusive: DateTime<Utc>,
    ) -> Option<(DateTime<Utc>, u64)> {
        let from = minute_at_or_after(from_inclusive).max(0);
        let to = to_inclusive.timestamp().div_euclid(60).min(LAST_MINUTE);
        let times_of_day = self.times_of_day();
        let mut latest = None;
        let mut count = 0_u64;
        for day in from.div_euclid(MINUTES_PER_DAY)..=to.div_euclid(MINUTES_PER_DAY) {
            if !self.fires_on(day) {
                continue;
            }
            let midnight = day * MINUTES_PER_DAY;
            let first = times_of_day.partition_point(|time| midnight + time < from);
            let end = times_of_day.partition_point(|time| midnight + time <= to);
            if let Some(time) = times_of_day.get(first..end).and_then(<[i64]>::last) {
                latest = Some(midnight + time);
                count = count.saturating_add(end.saturating_sub(first) as u64);
            }
        }
        DateTime::from_timestamp(latest? * 60, 0).map(|latest| (latest, count))
    }

    /// The minutes of a day that fires, counted from midnight, in order.
    fn times_of_day(&self) -> Vec<i64> {
        let Fields { hours, minutes, .. } = self.fields;
        hours
            .iter()
            .flat_map(|hour| minutes.iter().map(move |minute| hour * 60 + minute))
            .map(i64::from)
            .collect()
    }

    /// Whether a day, counted from 1970, has times at all.
    fn fires_on(&self, day: i64) -> bool {
        let Some(date) = DateTime::from_timestamp(day * MINUTES_PER_DAY * 60, 0) else {
            return false;
        };
        let by_month = self.fields.days_of_month.contains(date.day());
        let weekday = date.weekday().num_days_from_sunday();
        let by_week = self.fields.days_of_week.contains(weekday);
        let by_day = if self.fields.either_day {
            by_month || by_week
        } else {
            by_month && by_week
        };
        by_day && self.fields.months.contains(date.month())
    }
}

/// The first minute that starts at or after a time, in minutes since 1970.
fn minute_at_or_after(time: DateTime<Utc>) -> i64 {
    let second = time.timestamp() + i64::from(time.timestamp_subsec_nanos() > 0);
    second.div_euclid(60) + i64::from(second.rem_euclid(60) > 0)
}

/// Where both day fields must agree, some chosen month has to have one of the chosen days. The
/// weekday is no further hurdle: within the calendar each date, 29 February too, falls on all seven.
fn refuse_impossible_days(fields: &Fields) -> Result<(), CrontabError> {
    let longest = fields.months.iter().map(longest_month).max().unwrap_or(0);
    let earliest = fields.days_of_month.iter().next().unwrap_or(0);
    if fields.either_day || earliest <= longest {
        return Ok(());
    }
    Err(CrontabError::new(
        fields.days_of_month_position,
        format!("no month of this schedule has a day {earliest}, so it would never fire"),
    ))
}

fn longest_month(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn engine(
    fields: &Fields,
    days_of_month: ValueSet,
    days_of_week: ValueSet,
) -> Result<cron::Schedule, CrontabError> {
    let expression = format!(
        "0 {} {} {} {} {}",
        numbers(fields.minutes, Field::Minute),
        numbers(fields.hours, Field::Hour),
        numbers(days_of_month, Field::DayOfMonth),
        numbers(fields.months, Field::Month),
        numbers(days_of_week, Field::DayOfWeek),
    );
    // Lists of valid numbers are always taken; should that change, the text is refused whole.
    cron::Schedule::from_str(&expression)
        .map_err(|error| CrontabError::new(1, format!("the schedule engine refuses it: {error}")))
}

/// A set in the engine's numbers; the whole field is `*`, which it need not look up day by day.
fn numbers(set: ValueSet, field: Field) -> String {
    if set == field.all() {
        return "*".to_owned();
    }
    let offset = match field {
        Field::DayOfWeek => 1,
        _ => 0,
    };
    let numbers: Vec<String> = set
        .iter()
        .map(|value| (value + offset).to_string())
        .collect();
    numbers.join(",")
}
