//! What is remembered between two steps: all there is of a task that waits.

use orchestrator_sdk::retry::Retry;
use orchestrator_sdk::task::{Checkpoint, Failure};
use serde::{Deserialize, Serialize};

/// Raise it when an older version of the plugin could no longer read the state.
const FORMAT: u32 = 1;

/// A longer response is left out: the state has room for 64 KiB.
const MAX_RESPONSE_BYTES: usize = 16 << 10;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The component is not started yet; the next step tries again.
    Retry(Retry),
    /// The component's job is running; the next step polls it.
    Poll(Poll),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    pub url: String,
    pub polls: u32,
    /// Polls in a row that brought no news: no answer, a fault of the server, no JSON.
    pub failures: u32,
    /// Polls that were refused (4xx) since the last news.
    pub refusals: u32,
    /// The last JSON that the component answered.
    pub response: Option<String>,
}

impl Poll {
    /// Remembers the last JSON, where there is room for it.
    pub fn keep_response(&mut self, json: Option<&String>) {
        self.response = json
            .filter(|json| json.len() <= MAX_RESPONSE_BYTES)
            .cloned();
    }
}

impl State {
    pub fn encode(&self) -> Checkpoint {
        Checkpoint::encode(FORMAT, self)
    }

    pub fn decode(checkpoint: &Checkpoint) -> Result<Self, Failure> {
        checkpoint.decode(FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_and_fits() {
        let mut poll = Poll {
            url: format!("https://x/{}", "y".repeat(8 << 10)),
            polls: 9,
            ..Poll::default()
        };
        poll.keep_response(Some(&"\"".repeat(MAX_RESPONSE_BYTES)));
        let state = State::Poll(poll);

        let checkpoint = state.encode();

        assert!(
            checkpoint.data.len() <= 64 << 10,
            "{}",
            checkpoint.data.len()
        );
        assert_eq!(State::decode(&checkpoint), Ok(state));
    }

    #[test]
    fn the_layout_of_format_1_stays() {
        let written = br#"{"retry":{"tries":2,"waited_ms":3000}}"#.to_vec();
        let state = State::decode(&Checkpoint {
            format: 1,
            data: written,
        });
        assert_eq!(
            state,
            Ok(State::Retry(Retry {
                tries: 2,
                waited_ms: 3000
            }))
        );

        let written =
            br#"{"poll":{"url":"https://x/","polls":1,"failures":0,"refusals":0,"response":"{}"}}"#
                .to_vec();
        let state = State::decode(&Checkpoint {
            format: 1,
            data: written,
        });
        let poll = Poll {
            url: "https://x/".into(),
            polls: 1,
            response: Some("{}".into()),
            ..Poll::default()
        };
        assert_eq!(state, Ok(State::Poll(poll)));
    }
}
