//! When a job has waited or run too long, by the subscriptions it was created with.
//!
//! Addresses that were given for one run stand in place of all subscriptions, and get the mail of its failure only.

use crate::domain::notification::{Channel, Notification};
use crate::domain::time::Timestamp;
use std::time::Duration;

/// What an alarm depends on.
#[derive(Clone, Copy, Debug)]
pub struct JobTimes {
    pub created_at: Timestamp,
    /// `None` while the job waits.
    pub start_at: Option<Timestamp>,
    /// Mean run time of its predecessors, where there are enough of them.
    pub average: Option<Duration>,
}

/// The subscriptions that can raise an alarm.
#[derive(Clone, Copy, Debug)]
pub struct Alarms<'a>(&'a [Notification]);

/// An alarm that is due.
#[derive(Clone, Copy, Debug)]
pub struct Alarm<'a> {
    pub subscription: &'a Notification,
    /// What was allowed: the timeout, or the average run time.
    pub expected: Duration,
}

impl<'a> Alarms<'a> {
    #[must_use]
    pub fn of(notifications: &'a [Notification], emails_of_the_run: &[String]) -> Self {
        Self(if emails_of_the_run.is_empty() {
            notifications
        } else {
            &[]
        })
    }

    /// Whether an average of earlier run times is needed.
    #[must_use]
    pub fn needs_average(self) -> bool {
        self.0.iter().any(|one| one.channel == Channel::Processing)
    }

    /// The earliest alarm strictly after `after`.
    #[must_use]
    pub fn next_after(self, times: &JobTimes, after: Option<Timestamp>) -> Option<Timestamp> {
        self.0
            .iter()
            .filter_map(|one| due(one, times).map(|(time, _)| time))
            .filter(|time| after.is_none_or(|after| *time > after))
            .min()
    }

    /// The alarms whose time has come.
    #[must_use]
    pub fn due_at(self, times: &JobTimes, now: Timestamp) -> Vec<Alarm<'a>> {
        self.0
            .iter()
            .filter_map(|subscription| {
                let (time, expected) = due(subscription, times)?;
                (time <= now).then_some(Alarm {
                    subscription,
                    expected,
                })
            })
            .collect()
    }
}

fn due(subscription: &Notification, times: &JobTimes) -> Option<(Timestamp, Duration)> {
    match (subscription.channel, times.start_at, times.average) {
        (Channel::Waiting, None, _) => {
            let timeout = subscription.waiting_timeout();
            Some((times.created_at.plus(timeout), timeout))
        }
        (Channel::Processing, Some(start_at), Some(average)) => Some((
            start_at.plus(subscription.processing_limit(average)),
            average,
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriptions() -> Vec<Notification> {
        serde_json::from_str(
            r#"[{"email":"a@b.cz","channel":"waiting","parameters":{"timeout":10}},
                {"email":"a@b.cz","channel":"processing","parameters":{"tolerance":50}},
                {"email":"a@b.cz","channel":"error","parameters":{}}]"#,
        )
        .unwrap()
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_waiting_job_raises_its_alarm_after_the_timeout() {
        let subscriptions = subscriptions();
        let alarms = Alarms::of(&subscriptions, &[]);
        let times = JobTimes {
            created_at: Timestamp(0),
            start_at: None,
            average: None,
        };
        let due = Timestamp(600 * SECOND);
        assert_eq!(alarms.next_after(&times, None), Some(due));
        assert_eq!(alarms.next_after(&times, Some(due)), None);
        assert!(alarms.due_at(&times, Timestamp(due.0 - 1)).is_empty());
        assert_eq!(alarms.due_at(&times, due).len(), 1);
    }

    #[test]
    fn a_running_job_raises_its_alarm_beyond_the_tolerated_average() {
        let subscriptions = subscriptions();
        let alarms = Alarms::of(&subscriptions, &[]);
        let mut times = JobTimes {
            created_at: Timestamp(0),
            start_at: Some(Timestamp(SECOND)),
            average: Some(Duration::from_secs(100)),
        };
        assert_eq!(
            alarms.next_after(&times, None),
            Some(Timestamp(151 * SECOND))
        );
        times.average = None;
        assert_eq!(alarms.next_after(&times, None), None);
    }

    #[test]
    fn addresses_of_one_run_get_no_alarms() {
        let subscriptions = subscriptions();
        assert!(!Alarms::of(&subscriptions, &["c@d.cz".into()]).needs_average());
    }
}
