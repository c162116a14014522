//! How long to wait before the next poll.

use std::time::Duration;

use orchestrator_sdk::retry::obeyed;

/// Before the next poll, after `polls` of them: 0.5, 1, 1.5, 2.25, … up to 20 seconds, or what was asked for.
pub fn before_poll(polls: u32, asked: Option<Duration>) -> Duration {
    if let Some(asked) = asked {
        return obeyed(asked);
    }
    if polls == 0 {
        return Duration::from_millis(500);
    }
    // Twenty polls are far beyond the twenty seconds already.
    let milliseconds = (1..polls.min(20)).fold(1000, |delay: u64, _| delay * 3 / 2);
    Duration::from_millis(milliseconds.min(20_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_slow_down_to_twenty_seconds() {
        let milliseconds: Vec<u128> = (0..=10)
            .map(|polls| before_poll(polls, None).as_millis())
            .collect();
        assert_eq!(
            milliseconds,
            [
                500, 1000, 1500, 2250, 3375, 5062, 7593, 11389, 17083, 20_000, 20_000
            ]
        );
        assert_eq!(before_poll(u32::MAX, None).as_secs(), 20);
    }

    #[test]
    fn what_is_asked_for_is_obeyed_within_bounds() {
        for (asked, expected) in [(0, 1), (7, 7), (3600, 3600), (86_400, 3600)] {
            let asked = Some(Duration::from_secs(asked));
            assert_eq!(before_poll(0, asked).as_secs(), expected);
        }
    }
}
