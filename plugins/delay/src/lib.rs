//! The task type `delay`: waits for some `seconds`, or `until` a time.
//!
//! It never sleeps: each step answers *wait*, so that the task is a row meanwhile. The host may wake it up to a tenth
//! late, so that tasks which began together do not all come back together; what is asked for is therefore a little less
//! than what is left, until that is little.

mod time;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orchestrator_sdk::task::{Checkpoint, Context, Failure, FailureKind, Step, Task, Wait, Wake};
use serde::{Deserialize, Serialize};

/// Raise it when an older version of the plugin could no longer read the state.
const STATE_FORMAT: u32 = 1;
const MAX_SECONDS: f64 = 366.0 * 86_400.0;
/// Less than this is asked for whole.
const LITTLE_MS: u64 = 5_000;

struct Delay;

impl Task for Delay {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let now_ms = now_ms();
        let state = State {
            began_ms: now_ms,
            until_ms: parameters.until_ms(now_ms)?,
        };
        Ok(state.step(now_ms))
    }

    fn resume(_: Context, state: Checkpoint, _: Wake) -> Result<Step, Failure> {
        let state: State = state.decode(STATE_FORMAT)?;
        Ok(state.step(now_ms()))
    }
}

orchestrator_sdk::export_task!(Delay);

/// Exactly one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    seconds: Option<f64>,
    until: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct State {
    began_ms: u64,
    until_ms: u64,
}

impl Parameters {
    fn until_ms(&self, now_ms: u64) -> Result<u64, Failure> {
        match (self.seconds, &self.until) {
            (Some(seconds), None) => {
                if !(0.0..=MAX_SECONDS).contains(&seconds) {
                    return Err(wrong("seconds must be from 0 to 31622400, a year"));
                }
                let delay = Duration::from_secs_f64(seconds);
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                Ok(now_ms.saturating_add(delay_ms))
            }
            (None, Some(text)) => time::read_ms(text).ok_or_else(|| {
                wrong("until must be a time with its offset, such as 2026-04-02T03:00:00Z or 2026-04-02T05:00:00+02:00")
            }),
            _ => Err(wrong("either seconds or until is needed")),
        }
    }
}

fn wrong(why: &str) -> Failure {
    let message = format!("the task's parameters are not as expected: {why}");
    Failure::new(FailureKind::Config, "BAD_PARAMETERS", message)
}

impl State {
    /// The end, or the next wait.
    fn step(&self, now_ms: u64) -> Step {
        let left_ms = self.until_ms.saturating_sub(now_ms);
        if left_ms == 0 {
            let waited_ms = now_ms.saturating_sub(self.began_ms);
            return Step::success(format!(r#"{{"waitedSeconds":{}}}"#, waited_ms / 1000));
        }
        let asked_ms = if left_ms < LITTLE_MS {
            left_ms
        } else {
            left_ms / 11 * 10
        };
        let progress = format!("{} s are left", left_ms.div_ceil(1000));
        let state = Checkpoint::encode(STATE_FORMAT, self);
        Wait::new(state, Duration::from_millis(asked_ms))
            .progress(progress)
            .into()
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(json: &str) -> Result<u64, Failure> {
        let parameters: Parameters = serde_json::from_str(json).unwrap();
        parameters.until_ms(1_000)
    }

    #[test]
    fn a_delay_is_a_number_of_seconds_or_a_time() {
        assert_eq!(until(r#"{"seconds": 2.5}"#), Ok(3_500));
        assert_eq!(until(r#"{"until": "1970-01-01T00:01:00Z"}"#), Ok(60_000));
        for json in [
            "{}",
            r#"{"seconds": -1}"#,
            r#"{"seconds": 1e9}"#,
            r#"{"seconds": 1, "until": "1970-01-01T00:01:00Z"}"#,
            r#"{"until": "tomorrow"}"#,
        ] {
            assert_eq!(until(json).unwrap_err().code, "BAD_PARAMETERS", "{json}");
        }
    }

    /// However late within its tenth the host wakes it, a task is never more than half a second late.
    #[test]
    fn a_late_host_makes_it_hardly_late() {
        for seconds in [1, 60, 3_600, 604_800] {
            let state = State {
                began_ms: 0,
                until_ms: seconds * 1_000,
            };
            let (mut now_ms, mut steps) = (0, 0);
            while let Step::Wait(wait) = state.step(now_ms) {
                now_ms += wait.after_ms.min(3_600_000) * 11 / 10;
                steps += 1;
            }
            assert!(now_ms < state.until_ms + 500, "{seconds}: {now_ms}");
            assert!(steps < 10 + seconds / 3_600, "{seconds}: {steps}");
        }
    }

    #[test]
    fn a_time_that_is_past_ends_it_at_once() {
        let state = State {
            began_ms: 5_000,
            until_ms: 4_000,
        };
        let expected = Step::success(r#"{"waitedSeconds":0}"#);
        assert_eq!(state.step(5_000), expected);
    }
}
