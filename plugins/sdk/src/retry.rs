//! Trying again: for tasks whose request certainly did nothing, was turned away for now, or may be made twice.
//!
//! A task does not sleep between two tries, it waits: [`Retry`] is what it remembers meanwhile, and goes into its state.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::task::{Checkpoint, Context, Wait};

/// A task without a time limit of its own gives up after these many milliseconds of waiting.
pub const MAX_WAITED_MS: u64 = 60_000;
const SHORTEST_ASKED: Duration = Duration::from_secs(1);
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// What is remembered of the tries so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it was tried.
    pub tries: u32,
    /// How long the task has waited between the tries.
    pub waited_ms: u64,
}

/// The next try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextTry {
    /// What the state has to hold when it begins.
    pub retry: Retry,
    delay: Duration,
    why: String,
}

impl Retry {
    /// The try after one that did nothing, for the reason `why`: in 1, 2, 4, 8, 16, 30, 30, … seconds, or after the time that
    /// the other side asked for.
    ///
    /// # Errors
    /// The task has no time limit of its own and has waited for [`MAX_WAITED_MS`]. The text is the end of a sentence: `in 7
    /// tries over 61 seconds; at last, …`
    pub fn again(
        &self,
        context: &Context,
        asked: Option<Duration>,
        why: &str,
    ) -> Result<NextTry, String> {
        let tries = self.tries.saturating_add(1);
        if context.remaining_ms.is_none() && self.waited_ms >= MAX_WAITED_MS {
            let seconds = self.waited_ms / 1000;
            return Err(format!(
                "in {tries} tries over {seconds} seconds; at last, {why}"
            ));
        }
        let delay = delay(tries, asked);
        Ok(NextTry {
            retry: Self {
                tries,
                waited_ms: self.waited_ms.saturating_add(milliseconds(delay)),
            },
            delay,
            why: why.to_owned(),
        })
    }
}

impl NextTry {
    /// Asks to be called again with `state` when it is time; the sentence that is shown meanwhile says why.
    pub fn wait(&self, state: Checkpoint) -> Wait {
        let number = self.retry.tries.saturating_add(1);
        let seconds = milliseconds(self.delay).div_ceil(1000);
        Wait::new(state, self.delay)
            .progress(format!("try {number} follows in {seconds} s: {}", self.why))
    }
}

/// The time for which the other side asked to be left alone, as far as a task obeys it: a second to an hour.
pub fn obeyed(asked: Duration) -> Duration {
    asked.clamp(SHORTEST_ASKED, LONGEST_ASKED)
}

fn delay(tries: u32, asked: Option<Duration>) -> Duration {
    let doubled = 1_u64
        .checked_shl(tries.saturating_sub(1))
        .unwrap_or(u64::MAX);
    asked.map_or(Duration::from_secs(doubled.min(30)), obeyed)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_half_a_minute() {
        let seconds: Vec<u64> = (1..=8).map(|tries| delay(tries, None).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay(u32::MAX, None).as_secs(), 30);
    }

    #[test]
    fn what_is_asked_for_is_obeyed_within_bounds() {
        for (asked, expected) in [(0, 1), (7, 7), (3600, 3600), (86_400, 3600)] {
            let asked = Some(Duration::from_secs(asked));
            assert_eq!(delay(1, asked).as_secs(), expected);
        }
    }

    #[test]
    fn the_layout_stays_since_states_hold_it() {
        let read: Retry = serde_json::from_str(r#"{"tries":2,"waited_ms":3000}"#).unwrap();
        assert_eq!((read.tries, read.waited_ms), (2, 3000));
    }
}
