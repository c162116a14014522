//! The delivery `slack`: posts the event to a chat, by an incoming webhook in the shape of Slack's.
//!
//! The message has both `text`, which is what notifications on a phone and other chats show, and `blocks`. Texts that
//! others chose are escaped, so that nobody's task can mention a whole channel.

mod message;

use std::time::Duration;

use orchestrator_sdk::delivery::{Delivery, Event, Failure, FailureKind, receipt};
use orchestrator_sdk::http::{Error, Request, Response};
use serde::Deserialize;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_ANSWER_BYTES: usize = 64 << 10;

struct Slack;

impl Delivery for Slack {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        judge(request(&event)?.send())
    }
}

orchestrator_sdk::export_delivery!(Slack);

#[derive(Deserialize)]
struct Config {
    url: String,
}

fn request(event: &Event) -> Result<Request, Failure> {
    let config: Config = event.config_as()?;
    Ok(Request::new("POST", config.url)
        .header("Content-Type", "application/json")
        .answer_timeout(ANSWER_TIMEOUT)
        .body_limit_bytes(MAX_ANSWER_BYTES)
        .with_body(message::of(event)))
}

/// A chat says with 400, 403 and 404 that the message or the address is wrong, and why: that does not get better.
fn judge(answer: Result<Response, Error>) -> Result<Option<String>, Failure> {
    match answer {
        Ok(response) if matches!(response.status(), 400 | 403 | 404) => {
            let why = String::from_utf8_lossy(response.body());
            let why: String = why.chars().take(200).collect();
            let message = format!("the chat answered {}: {why}", response.status());
            Err(Failure::new(FailureKind::Remote, "CHAT_REFUSED", message))
        }
        answer => receipt(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_chat_refuses_is_not_sent_again() {
        for (status, kind) in [
            (404, FailureKind::Remote),
            (400, FailureKind::Remote),
            (410, FailureKind::NotFound),
            (429, FailureKind::RateLimit),
            (500, FailureKind::Transient),
            (302, FailureKind::Transient),
        ] {
            let answer = Response::new(status, Vec::new(), b"no_service".to_vec());
            let failure = judge(Ok(answer)).unwrap_err();
            assert_eq!(failure.kind, kind, "{status}");
        }
        let answer = Response::new(200, Vec::new(), b"ok".to_vec());
        assert_eq!(judge(Ok(answer)), Ok(Some("200".to_owned())));
    }
}
