//! Instants as the database keeps them (UTC microseconds) and as the API prints them.

use chrono::{DateTime, SecondsFormat, Utc};
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

    /// The first whole minute after this instant.
    #[must_use]
    pub fn minus(self, delay: Duration) -> Self {
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

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
        serializer.serialize_str(&self.to_iso())
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
    fn time_since_a_later_instant_is_zero() {
        assert_eq!(Timestamp(1).since(Timestamp(5)), Duration::ZERO);
    }
}
