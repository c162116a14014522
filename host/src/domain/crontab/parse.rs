//! From text to five sets of values: the dialect, to the letter.
//!
//! Fields stand between any white space. A field is a list of `*`, a value, a range `a-b`, or `*`
//! or a range with a step; names are the three letters, in any case. Everything else is refused at
//! the first fault, counted from the left; only the number of fields is looked at before, because
//! with a field too many (seconds, as a rule) each of the others would be blamed wrongly.
//!
//! Positions count characters, not bytes. Nothing here is ever built by cutting the text at a
//! computed place: the cursor only moves on, so that no input can make it panic.

use super::field::{Field, ValueSet};
use super::{CrontabError, MAX_CHARACTERS};

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minutes: ValueSet,
    pub(super) hours: ValueSet,
    pub(super) days_of_month: ValueSet,
    pub(super) months: ValueSet,
    pub(super) days_of_week: ValueSet,
    /// Whether a day fires when *either* day field has it, because both are restrictions. If not,
    /// both must have it.
    pub(super) either_day: bool,
    /// Where the day-of-month field stands, for a fault that shows only once a calendar is asked.
    pub(super) days_of_month_position: usize,
}

/// A run of characters between white space.
#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    position: usize,
}

impl Word<'_> {
    fn end(&self) -> usize {
        self.position + self.text.chars().count()
    }

    /// A field that starts with `*` restricts nothing, whatever follows: `cron` looks no further.
    fn starts_with_star(&self) -> bool {
        self.text.starts_with('*')
    }
}

/// Understands a whole text.
pub(super) fn fields(text: &str) -> Result<Fields, CrontabError> {
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        return Err(CrontabError::new(
            MAX_CHARACTERS + 1,
            format!("the expression is longer than {MAX_CHARACTERS} characters"),
        ));
    }
    let words = words(text);
    match words.as_slice() {
        [] => Err(CrontabError::new(
            1,
            "the expression is empty: five fields or a name such as @daily are expected",
        )),
        [name, rest @ ..] if name.text.starts_with('@') => named(*name, rest),
        [minute, hour, day_of_month, month, day_of_week] => {
            five([*minute, *hour, *day_of_month, *month, *day_of_week])
        }
        [_, _, _, _, _, sixth, ..] => Err(CrontabError::new(
            sixth.position,
            format!(
                "{} fields are too many: minute, hour, day of month, month and day of week are \
                 expected; seconds and years are not supported",
                words.len()
            ),
        )),
        [.., last] => Err(CrontabError::new(
            last.end(),
            format!(
                "only {} of five fields: minute, hour, day of month, month and day of week are \
                 expected",
                words.len()
            ),
        )),
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut position = 1;
    for piece in text.split(char::is_whitespace) {
        let word = Word {
            text: piece,
            position,
        };
        position = word.end() + 1;
        if !piece.is_empty() {
            words.push(word);
        }
    }
    words
}

fn named(name: Word<'_>, rest: &[Word<'_>]) -> Result<Fields, CrontabError> {
    let meaning = match name.text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        "@reboot" => {
            return Err(CrontabError::new(
                name.position,
                "@reboot is not supported: it names no time",
            ));
        }
        _ => {
            return Err(CrontabError::new(
                name.position,
                format!(
                    "{} is not a known name: @yearly, @annually, @monthly, @weekly, @daily, \
                     @midnight and @hourly are",
                    shown(name.text)
                ),
            ));
        }
    };
    match rest {
        [] => fields(meaning),
        [next, ..] => Err(CrontabError::new(
            next.position,
            format!("nothing may follow {}", shown(name.text)),
        )),
    }
}

fn five(words: [Word<'_>; 5]) -> Result<Fields, CrontabError> {
    let [minute, hour, day_of_month, month, day_of_week] = words;
    Ok(Fields {
        minutes: values(minute, Field::Minute)?,
        hours: values(hour, Field::Hour)?,
        days_of_month: values(day_of_month, Field::DayOfMonth)?,
        months: values(month, Field::Month)?,
        days_of_week: values(day_of_week, Field::DayOfWeek)?,
        either_day: !day_of_month.starts_with_star() && !day_of_week.starts_with_star(),
        days_of_month_position: day_of_month.position,
    })
}

fn values(word: Word<'_>, field: Field) -> Result<ValueSet, CrontabError> {
    let mut cursor = Cursor {
        rest: word.text,
        position: word.position,
        field,
    };
    let mut set = cursor.list_item()?;
    while cursor.eat(',') {
        set = set.union(cursor.list_item()?);
    }
    match cursor.peek() {
        None => Ok(set),
        Some(character) => Err(cursor.unexpected(character)),
    }
}

/// Reads one field from left to right.
struct Cursor<'t> {
    rest: &'t str,
    position: usize,
    field: Field,
}

impl<'t> Cursor<'t> {
    fn list_item(&mut self) -> Result<ValueSet, CrontabError> {
        let (start, text) = (self.position, self.rest);
        let (first, last) = if self.eat('*') {
            (self.field.min(), self.field.max())
        } else {
            self.refuse_step_without_range()?;
            let first = self.value("a list item is empty")?;
            self.refuse_step_without_range()?;
            if !self.eat('-') {
                return Ok(self.field.values(first, first, 1));
            }
            let last = self.value("the range has no end")?;
            if last < first {
                let range = shown(text.strip_suffix(self.rest).unwrap_or(text));
                let hint = match (self.field, last) {
                    (Field::DayOfWeek, 0) => ": as the end of a range Sunday is 7",
                    _ => "",
                };
                return Err(CrontabError::new(
                    start,
                    format!("the range {range} runs backwards{hint}"),
                ));
            }
            (first, last)
        };
        let step = if self.eat('/') { self.step()? } else { 1 };
        Ok(self.field.values(first, last, step))
    }

    /// Other dialects read `5/2` as from 5 to the end of the field; `cron` does not.
    fn refuse_step_without_range(&self) -> Result<(), CrontabError> {
        match self.peek() {
            Some('/') => Err(self.fault("a step needs * or a range before it")),
            _ => Ok(()),
        }
    }

    /// A number or a name; `missing` is the reason when there is neither.
    fn value(&mut self, missing: &str) -> Result<u32, CrontabError> {
        let start = self.position;
        let label = self.field.label();
        match self.peek() {
            None | Some(',' | '/') => Err(self.fault(missing)),
            Some('-') => Err(self.fault("a value is missing before -, and none is negative")),
            Some(character) if character.is_ascii_digit() => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                let value = saturating_number(digits);
                let (min, max) = (self.field.min(), self.field.max());
                let fault = if value < min {
                    format!("{label} {} is below {min}", shown(digits))
                } else if value > max {
                    format!("{label} {} is beyond {max}", shown(digits))
                } else {
                    return Ok(value);
                };
                Err(CrontabError::new(start, fault))
            }
            Some(character) if character.is_ascii_alphabetic() => {
                let name = self.take_while(|c| c.is_ascii_alphabetic());
                self.field
                    .value_of_name(name)
                    .ok_or_else(|| self.unknown_name(name, start))
            }
            Some(character) => Err(self.unexpected(character)),
        }
    }

    /// A step may lie far beyond the field's range: the first value is then the only one.
    fn step(&mut self) -> Result<u32, CrontabError> {
        let start = self.position;
        match self.peek() {
            None | Some(',') => Err(self.fault("the step after / is missing")),
            Some('-') => Err(self.fault("a step is never negative")),
            Some(character) if character.is_ascii_digit() => {
                match saturating_number(self.take_while(|c| c.is_ascii_digit())) {
                    0 => Err(CrontabError::new(start, "a step of 0 leads nowhere")),
                    step => Ok(step),
                }
            }
            Some(character) => Err(self.unexpected(character)),
        }
    }

    fn unknown_name(&self, name: &str, start: usize) -> CrontabError {
        // `L`, `W`, `LW`, `MONL`: signs of other dialects, not misspelt names.
        let mut stem = name.chars();
        if let Some(sign @ ('L' | 'l' | 'W' | 'w')) = stem.next_back() {
            let stem = stem.as_str();
            let known = self.field.value_of_name(stem).is_some();
            if known || stem.is_empty() || stem.eq_ignore_ascii_case("l") {
                return CrontabError::new(start + stem.len(), foreign_sign(sign));
            }
        }
        let label = self.field.label();
        let name = shown(name);
        let reason = match (self.field.names().first(), self.field.names().last()) {
            (Some(first), Some(last)) => {
                format!("{name} is not a {label}: the names are {first} to {last}, three letters")
            }
            _ => format!("{name} is not a {label}: this field takes numbers only"),
        };
        CrontabError::new(start, reason)
    }

    fn unexpected(&self, character: char) -> CrontabError {
        let label = self.field.label();
        match character {
            '?' | '#' | 'L' | 'l' | 'W' | 'w' => self.fault(foreign_sign(character)),
            digit if digit.is_numeric() && !digit.is_ascii() => self.fault(format!(
                "'{}' is not read as a digit: only 0 to 9 are",
                digit.escape_debug()
            )),
            other => self.fault(format!(
                "'{}' is not expected here in the {label} field",
                other.escape_debug()
            )),
        }
    }

    /// A fault at the character that would be read next.
    fn fault(&self, reason: impl Into<String>) -> CrontabError {
        CrontabError::new(self.position, reason)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn eat(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                self.position += 1;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let before = self.rest;
        let after = before.trim_start_matches(belongs);
        let taken = before.strip_suffix(after).unwrap_or(before);
        self.rest = after;
        self.position += taken.chars().count();
        taken
    }
}

fn foreign_sign(sign: char) -> &'static str {
    match sign {
        '?' => "? is not supported: write * for any day",
        '#' => "# (the nth weekday of a month) is not supported",
        'L' | 'l' => "L (the last day) is not supported",
        _ => "W (the nearest weekday) is not supported",
    }
}

/// The value of ASCII digits; a number too great for the type is as wrong as the greatest one.
fn saturating_number(digits: &str) -> u32 {
    digits.parse().unwrap_or(u32::MAX)
}

/// A part of the text for use in a reason: short, and without characters that act on a terminal.
fn shown(text: &str) -> String {
    const LONGEST: usize = 20;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}
