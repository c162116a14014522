//! The limits that a plugin sets itself.

use serde::Deserialize;
use std::time::Duration;

/// Limits that a plugin sets itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AskedLimits {
    cpu_seconds: Option<u32>,
    wall_seconds: Option<u32>,
    memory_mebibytes: Option<u32>,
}

impl AskedLimits {
    pub(in crate::plugins) fn cpu(&self) -> Option<Duration> {
        self.cpu_seconds
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    pub(in crate::plugins) fn wall(&self) -> Option<Duration> {
        self.wall_seconds
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    pub(in crate::plugins) fn memory_bytes(&self) -> Option<usize> {
        usize::try_from(self.memory_mebibytes?)
            .ok()?
            .checked_mul(1 << 20)
    }
}
