//! The five fields: their ranges and names, and the set of values that one of them takes.
//!
//! Owns no syntax ([`super::parse`]) and no calendar ([`super::schedule`]). Weekdays are counted as
//! `cron` counts them, from 0 = Sunday; 7 is Sunday too and becomes 0 on its way into a set.

const MONTH_NAMES: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAY_NAMES: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Which of the five fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

impl Field {
    /// The field's name as users read it in reasons.
    pub(super) fn label(self) -> &'static str {
        match self {
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day of month",
            Field::Month => "month",
            Field::DayOfWeek => "day of week",
        }
    }

    pub(super) fn min(self) -> u32 {
        match self {
            Field::Minute | Field::Hour | Field::DayOfWeek => 0,
            Field::DayOfMonth | Field::Month => 1,
        }
    }

    /// The greatest value that may be written: 7 for the day of the week.
    pub(super) fn max(self) -> u32 {
        match self {
            Field::Minute => 59,
            Field::Hour => 23,
            Field::DayOfMonth => 31,
            Field::Month => 12,
            Field::DayOfWeek => 7,
        }
    }

    /// Names of values, in order from [`Field::min`]; empty for fields that take numbers only.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Field::Minute | Field::Hour | Field::DayOfMonth => &[],
            Field::Month => MONTH_NAMES,
            Field::DayOfWeek => DAY_NAMES,
        }
    }

    /// The value of a name in any case. `sun` is 0 and never 7, so that `mon-sun` runs backwards,
    /// as in `cron`.
    pub(super) fn value_of_name(self, name: &str) -> Option<u32> {
        (self.min()..)
            .zip(self.names())
            .find_map(|(value, known)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Every `step`th value from `first` to `last`, which the caller has checked to lie within
    /// the field's range and in this order.
    pub(super) fn values(self, first: u32, last: u32, step: u32) -> ValueSet {
        let mut set = ValueSet::default();
        let mut value = first;
        while value <= last {
            set.insert(match self {
                Field::DayOfWeek => value % 7,
                _ => value,
            });
            // A step of 0 is refused by the parser; here it must at least not loop for ever.
            value = value.saturating_add(step.max(1));
        }
        set
    }

    /// All values of the field.
    pub(super) fn all(self) -> ValueSet {
        self.values(self.min(), self.max(), 1)
    }
}

/// Values below 64, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ValueSet(u64);

impl ValueSet {
    fn insert(&mut self, value: u32) {
        self.0 |= 1_u64.checked_shl(value).unwrap_or(0);
    }

    pub(super) fn contains(self, value: u32) -> bool {
        self.0.checked_shr(value).unwrap_or(0) & 1 == 1
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The values from the least to the greatest.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |value| self.contains(*value))
    }
}
