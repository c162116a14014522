//! Instants as the database keeps them (UTC microseconds) and as the API prints them.

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};
use std::time::Duration;

/// A UTC instant in microseconds since 1970. Printed in the API as ISO 8601 with whole seconds and a numeric offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    #[must_use]
    pub fn from_datetime(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }

    /// Instants beyond chrono's range, which no clock shows, read as 1970.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }

    #[must_use]
    pub fn plus(self, delay: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    #[must_use]
    pub fn minus(self, delay: Duration) -> Self {
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// The first whole minute after this instant.
    #[must_use]
    pub fn next_minute(self) -> Self {
        const MINUTE: i64 = 60_000_000;
        Self((self.0.div_euclid(MINUTE) + 1).saturating_mul(MINUTE))
    }

    /// Time from `earlier` to this instant; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2013-03-02T11:11:24+00:00`
    #[must_use]
    pub fn to_iso(self) -> String {
        self.to_datetime()
            .to_rfc3339_opts(SecondsFormat::Secs, false)
    }

    /// The same in place, for answers with hundreds of them; `None` outside of the years that have four digits.
    fn iso_in_place(self) -> Option<[u8; 25]> {
        let time = self.to_datetime();
        let year = u32::try_from(time.year()).ok()?;
        let mut text = *b"0000-00-00T00:00:00+00:00";
        for (place, mut number) in [
            (0..4, year),
            (5..7, time.month()),
            (8..10, time.day()),
            (11..13, time.hour()),
            (14..16, time.minute()),
            (17..19, time.second()),
        ] {
            for digit in text.get_mut(place)?.iter_mut().rev() {
                *digit += u8::try_from(number % 10).ok()?;
                number /= 10;
            }
            if number > 0 {
                return None;
            }
        }
        Some(text)
    }

    /// `2013-03-02T11:11:24.123+00:00`
    #[must_use]
    pub fn to_iso_milliseconds(self) -> String {
        self.to_datetime()
            .to_rfc3339_opts(SecondsFormat::Millis, false)
    }
}

impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.iso_in_place();
        match text.as_ref().map(|text| str::from_utf8(text)) {
            Some(Ok(text)) => serializer.serialize_str(text),
            _ => serializer.serialize_str(&self.to_iso()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_whole_seconds_with_a_numeric_offset() {
        assert_eq!(
            Timestamp(1_362_222_684_999_999).to_iso(),
            "2013-03-02T11:11:24+00:00"
        );
    }

    #[test]
    fn is_printed_in_place_as_it_is_elsewhere() {
        const YEAR: i64 = 31_556_952_000_000;
        for micros in [
            0,
            -1,
            1_362_222_684_999_999,
            951_782_399_000_000,
            951_782_400_000_000,
            1_767_225_599_999_999,
            253_402_300_799_999_999,
            253_402_300_800_000_000,
            -1_970 * YEAR,
            -1_971 * YEAR,
            i64::MAX,
        ] {
            let time = Timestamp(micros);
            let printed = serde_json::to_string(&time).expect("printed");
            assert_eq!(printed, format!("{:?}", time.to_iso()), "{micros}");
        }
        assert_eq!(Timestamp(253_402_300_800_000_000).iso_in_place(), None);
        assert!(Timestamp(1_362_222_684_999_999).iso_in_place().is_some());
    }

    #[test]
    fn time_since_a_later_instant_is_zero() {
        assert_eq!(Timestamp(1).since(Timestamp(5)), Duration::ZERO);
    }
}
