//! What a crontab expression says, in English: for whoever wants to read it back before it is kept.
//!
//! It is made from the sets of values and not from the text, so that whatever fires alike reads alike.

use super::field::{Field, ValueSet};
use super::parse::Fields;

/// More times of a day than these are told as hours and minutes.
const MOST_TIMES: usize = 6;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) fn describe(fields: &Fields) -> String {
    let mut words = times(fields.minutes, fields.hours);
    let days = days(fields);
    if !days.is_empty() {
        words.push_str(", ");
        words.push_str(&days);
    } else if !words.starts_with("Every") {
        words.push_str(" every day");
    }
    if fields.months != Field::Month.all() {
        words.push_str(", in ");
        words.push_str(&list(fields.months, |month| {
            name(&MONTHS, month.saturating_sub(1))
        }));
    }
    words
}

fn times(minutes: ValueSet, hours: ValueSet) -> String {
    let all_hours = hours == Field::Hour.all();
    let plain = |number: u32| number.to_string();
    let every_minutes = step(minutes, 60);
    if all_hours && every_minutes == Some(1) {
        return "Every minute".to_owned();
    }
    if let (true, Some(step)) = (all_hours, every_minutes) {
        return format!("Every {step} minutes");
    }
    let count = minutes.iter().count() * hours.iter().count();
    if count <= MOST_TIMES {
        let all = hours.iter().flat_map(|hour| {
            let of_hour = minutes.iter();
            of_hour.map(move |minute| format!("{hour:02}:{minute:02}"))
        });
        return format!("At {}", join(&all.collect::<Vec<_>>()));
    }
    let at = if minutes.iter().eq([0]) {
        "on the hour".to_owned()
    } else {
        let unit = if minutes.iter().count() == 1 {
            "minute"
        } else {
            "minutes"
        };
        format!("at {unit} {}", list(minutes, plain))
    };
    let of_step = step(hours, 24).filter(|_| every_minutes.is_none());
    match (of_step, every_minutes) {
        (Some(1), _) => format!("Every hour {at}"),
        (Some(step), _) => format!("Every {step} hours {at}"),
        (None, Some(1)) => format!("Every minute of the hours {}", list(hours, plain)),
        (None, Some(step)) => format!("Every {step} minutes of the hours {}", list(hours, plain)),
        (None, None) => format!("Every hour of {} {at}", list(hours, plain)),
    }
}

fn days(fields: &Fields) -> String {
    let is_any = |set, field: Field| set == field.all();
    let of_month = (!is_any(fields.days_of_month, Field::DayOfMonth)).then(|| {
        let days = list(fields.days_of_month, |day| day.to_string());
        format!("on day {days} of the month")
    });
    let of_week = (!is_any(fields.days_of_week, Field::DayOfWeek))
        .then(|| format!("on {}", list(fields.days_of_week, |day| name(&DAYS, day))));
    match (of_month, of_week) {
        (Some(month), Some(week)) if fields.either_day => format!("{month} or {week}"),
        (Some(month), Some(week)) => format!("{month} if it is {}", week.trim_start_matches("on ")),
        (month, week) => month.or(week).unwrap_or_default(),
    }
}

/// The step that takes the set from 0 round to `length`, where there is one.
fn step(set: ValueSet, length: u32) -> Option<u32> {
    let count = u32::try_from(set.iter().count()).ok()?;
    let step = length.checked_div(count).filter(|_| count >= 3)?;
    let expected = (0..length).step_by(usize::try_from(step).ok()?);
    set.iter()
        .eq(expected)
        .then_some(step)
        .filter(|step| length.is_multiple_of(*step))
}

/// Three and more in a row are told by the first and the last of them.
fn list(set: ValueSet, name: impl Fn(u32) -> String) -> String {
    let mut parts = Vec::new();
    let mut values = set.iter().peekable();
    while let Some(first) = values.next() {
        let mut last = first;
        while let Some(next) = values.next_if_eq(&(last + 1)) {
            last = next;
        }
        if last > first + 1 {
            parts.push(format!("{} to {}", name(first), name(last)));
        } else {
            parts.extend((first..=last).map(&name));
        }
    }
    join(&parts)
}

fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

fn name(names: &[&str], at: u32) -> String {
    let at = usize::try_from(at).unwrap_or_default();
    names.get(at).copied().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use crate::domain::crontab::Crontab;

    #[test]
    fn expressions_read_as_sentences() {
        for (text, words) in [
            ("* * * * *", "Every minute"),
            ("*/5 * * * *", "Every 5 minutes"),
            (
                "*/7 0 * * *",
                "Every hour of 0 at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56",
            ),
            ("0 * * * *", "Every hour on the hour"),
            ("30 * * * *", "Every hour at minute 30"),
            ("15 */2 * * *", "Every 2 hours at minute 15"),
            (
                "*/15 9-17 * * 1-5",
                "Every 15 minutes of the hours 9 to 17, on Monday to Friday",
            ),
            ("@daily", "At 00:00 every day"),
            ("0 6,18 * * *", "At 06:00 and 18:00 every day"),
            ("0 6 1 * *", "At 06:00, on day 1 of the month"),
            (
                "0 6 1 * mon",
                "At 06:00, on day 1 of the month or on Monday",
            ),
            (
                "0 6 */2 * mon",
                "At 06:00, on day 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29 and 31 of the month if it is Monday",
            ),
            ("@yearly", "At 00:00, on day 1 of the month, in January"),
            (
                "0 6 * 1-3,12 *",
                "At 06:00 every day, in January to March and December",
            ),
        ] {
            let crontab = Crontab::parse(text).expect(text);
            assert_eq!(crontab.describe(), words, "{text}");
        }
    }
}
