//! Quotas: how much of each thing a project may have or use.
//!
//! The operator's settings give the limits of all projects, and each project may have limits of its own instead. A
//! quota without a limit is not watched. Days are UTC days.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quota {
    /// Orchestrations that exist.
    Orchestrations,
    /// Jobs that are created in a day, by hand or by schedules.
    JobsPerDay,
    /// Jobs that run a step at the same time, over all hosts; others wait in their order.
    ConcurrentJobs,
    /// Computing time of the project's steps in a day.
    CpuSecondsPerDay,
    /// Plugins that exist, of the project's own.
    Plugins,
    /// Bytes of configurations, of plugins and of components' answers that are kept.
    StorageBytes,
}

impl Quota {
    pub const ALL: [Self; 6] = [
        Self::Orchestrations,
        Self::JobsPerDay,
        Self::ConcurrentJobs,
        Self::CpuSecondsPerDay,
        Self::Plugins,
        Self::StorageBytes,
    ];

    /// As in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orchestrations => "orchestrations",
            Self::JobsPerDay => "jobsPerDay",
            Self::ConcurrentJobs => "concurrentJobs",
            Self::CpuSecondsPerDay => "cpuSecondsPerDay",
            Self::Plugins => "plugins",
            Self::StorageBytes => "storageBytes",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Whether it begins anew each day, so that coming again helps.
    #[must_use]
    pub fn is_rate(self) -> bool {
        matches!(self, Self::JobsPerDay | Self::CpuSecondsPerDay)
    }
}

/// A limit of one project in place of the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnLimit {
    AtMost(u64),
    Unlimited,
}

/// A project's own limits; a quota that is not in it has the operator's.
pub type OwnLimits = BTreeMap<Quota, OwnLimit>;

/// Limits; a quota that is not in it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<Quota, u64>);

impl Limits {
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = (Quota, u64)>) -> Self {
        Self(limits.into_iter().collect())
    }

    #[must_use]
    pub fn of(&self, quota: Quota) -> Option<u64> {
        self.0.get(&quota).copied()
    }

    /// These, with a project's own in place of them.
    #[must_use]
    pub fn with(&self, own: &OwnLimits) -> Self {
        let mut limits = self.0.clone();
        for (quota, limit) in own {
            match limit {
                OwnLimit::AtMost(most) => limits.insert(*quota, *most),
                OwnLimit::Unlimited => limits.remove(quota),
            };
        }
        Self(limits)
    }

    /// Whether having `used` of it already leaves room for one more.
    ///
    /// # Errors
    /// [`OverQuota`] where it does not.
    pub fn check(&self, quota: Quota, used: u64) -> Result<(), OverQuota> {
        match self.of(quota) {
            Some(limit) if used >= limit => Err(OverQuota { quota, limit }),
            _ => Ok(()),
        }
    }
}

/// A quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The project's quota {} of {limit} is used up", .quota.as_str())]
pub struct OverQuota {
    pub quota: Quota,
    pub limit: u64,
}

/// The day of an instant, counted from 1970.
#[must_use]
pub fn day_of(now: Timestamp) -> i64 {
    now.0.div_euclid(DAY_MICROS)
}

/// When the next day begins.
#[must_use]
pub fn next_day(now: Timestamp) -> Timestamp {
    Timestamp((day_of(now) + 1).saturating_mul(DAY_MICROS))
}

/// How much of its quotas a project uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    pub orchestrations: u64,
    /// Counted only while the quota has a limit.
    pub jobs_today: u64,
    /// Jobs with a step in hand.
    pub running_jobs: u64,
    pub cpu_today: Duration,
    pub plugins: u64,
    pub storage_bytes: u64,
}

impl Use {
    /// In the quota's unit; a begun second of computing is not counted.
    #[must_use]
    pub fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Orchestrations => self.orchestrations,
            Quota::JobsPerDay => self.jobs_today,
            Quota::ConcurrentJobs => self.running_jobs,
            Quota::CpuSecondsPerDay => self.cpu_today.as_secs(),
            Quota::Plugins => self.plugins,
            Quota::StorageBytes => self.storage_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_own_limit_stands_in_place_of_the_operators() {
        let all = Limits::new([(Quota::Orchestrations, 5), (Quota::JobsPerDay, 10)]);
        let own = OwnLimits::from([
            (Quota::Orchestrations, OwnLimit::Unlimited),
            (Quota::ConcurrentJobs, OwnLimit::AtMost(2)),
        ]);

        let limits = all.with(&own);

        assert_eq!(limits.of(Quota::Orchestrations), None);
        assert_eq!(limits.of(Quota::JobsPerDay), Some(10));
        assert_eq!(limits.of(Quota::ConcurrentJobs), Some(2));
        assert_eq!(limits.check(Quota::ConcurrentJobs, 1), Ok(()));
        let over = limits.check(Quota::ConcurrentJobs, 2).unwrap_err();
        assert_eq!(
            over.to_string(),
            "The project's quota concurrentJobs of 2 is used up"
        );
    }

    #[test]
    fn days_are_utc_days() {
        let noon = Timestamp(1_767_614_400_000_000);
        assert_eq!(next_day(noon).to_iso(), "2026-01-06T00:00:00+00:00");
        assert_eq!(day_of(next_day(noon)), day_of(noon) + 1);
        assert_eq!(
            next_day(next_day(noon)).to_iso(),
            "2026-01-07T00:00:00+00:00"
        );
    }

    #[test]
    fn own_limits_are_kept_as_json() {
        let own = OwnLimits::from([
            (Quota::JobsPerDay, OwnLimit::AtMost(7)),
            (Quota::StorageBytes, OwnLimit::Unlimited),
        ]);
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(
            text,
            r#"{"jobsPerDay":{"atMost":7},"storageBytes":"unlimited"}"#
        );
        assert_eq!(serde_json::from_str::<OwnLimits>(&text).unwrap(), own);
    }
}
