//! A delivery: one notification on its way to one address, and when to try again.

use super::step::{Failure, FailureKind};
use std::time::Duration;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Waits for its next attempt, or is being attempted.
    Pending,
    /// Accepted by the other side; recorded once.
    Delivered,
    /// Refused for good, or its days are over.
    Failed,
    /// Not attempted: its receiver had said before that it is gone for good.
    Disabled,
}

impl DeliveryStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Disabled];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How long a delivery is tried before it is given up.
pub const LONGEST_TRIED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Delay before the attempt that follows attempt number `attempt` (1 is the first): 5 s, doubling, at most 2 hours.
fn retry_delay(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(12);
    Duration::from_secs((5 << doublings).min(7_200))
}

/// Delay before the attempt that follows attempt number `attempt` and this failure of it; `None` where another one cannot help.
#[must_use]
pub fn delay_after(failure: &Failure, attempt: u32) -> Option<Duration> {
    let can_help = matches!(
        failure.kind,
        FailureKind::Transient | FailureKind::RateLimit
    );
    can_help.then(|| retry_delay(attempt).max(failure.retry_after.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_two_hours() {
        let seconds: Vec<u64> = (1..=13)
            .map(|attempt| retry_delay(attempt).as_secs())
            .collect();
        assert_eq!(
            seconds,
            [
                5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 7200, 7200
            ]
        );
    }
}
