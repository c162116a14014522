//! The delivery `webhook`: posts the event as JSON, with the headers of Standard Webhooks.
//!
//! The key stays in the host: the plugin hands it the bytes to sign. The id is the same for every attempt, so that a
//! receiver knows a repetition; the time is that of the attempt, so that it can refuse old ones.

mod payload;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orchestrator_sdk::credentials::{self, SignError};
use orchestrator_sdk::delivery::{Delivery, Event, Failure, FailureKind, receipt};
use orchestrator_sdk::http::Request;
use serde::Deserialize;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Nobody reads the answer.
const MAX_ANSWER_BYTES: usize = 64 << 10;

struct Webhook;

impl Delivery for Webhook {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        receipt(request(&event, now(), credentials::sign)?.send())
    }
}

orchestrator_sdk::export_delivery!(Webhook);

#[derive(Deserialize)]
struct Config {
    url: String,
    credential: Option<String>,
}

fn request(
    event: &Event,
    now_seconds: u64,
    sign: impl FnOnce(&str, &[u8]) -> Result<Vec<u8>, SignError>,
) -> Result<Request, Failure> {
    let config: Config = event.config_as()?;
    let body = payload::of(event);
    let mut request = Request::new("POST", config.url)
        .header("Content-Type", "application/json")
        .header("webhook-id", &event.delivery_id)
        .header("webhook-timestamp", now_seconds.to_string())
        .answer_timeout(ANSWER_TIMEOUT)
        .body_limit_bytes(MAX_ANSWER_BYTES);
    if let Some(credential) = &config.credential {
        let signed = format!("{}.{now_seconds}.{body}", event.delivery_id);
        match sign(credential, signed.as_bytes()) {
            Ok(signature) => {
                let signature = format!("v1,{}", STANDARD.encode(signature));
                request = request.header("webhook-signature", signature);
            }
            // Of another type: the host adds it to the request.
            Err(SignError::NotAKey(_)) => {}
            Err(SignError::Unknown(name)) => {
                return Err(wrong(format!("the project has no credential {name:?}")));
            }
            Err(SignError::TooLarge(limit)) => {
                return Err(wrong(format!("the event has more than {limit} bytes")));
            }
        }
    }
    Ok(request.with_body(body))
}

fn wrong(why: String) -> Failure {
    Failure::new(FailureKind::Config, "BAD_CONFIGURATION", why)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::tests::event;

    fn headers(request: &Request) -> Vec<(&str, &str)> {
        let headers = request.headers().iter();
        headers
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn what_is_signed_is_id_time_and_body() {
        let mut signed = Vec::new();
        let request = request(&event(), 1_700_000_000, |credential, bytes| {
            signed = bytes.to_vec();
            assert_eq!(credential, "hook");
            Ok(vec![0xff, 0, 1])
        })
        .unwrap();

        assert_eq!(
            (request.method(), request.url()),
            ("POST", "https://hooks.example/a")
        );
        assert_eq!(
            headers(&request),
            [
                ("Content-Type", "application/json"),
                ("webhook-id", "delivery_7_abc"),
                ("webhook-timestamp", "1700000000"),
                ("webhook-signature", "v1,/wAB"),
            ]
        );
        let expected = [b"delivery_7_abc.1700000000.", request.body()].concat();
        assert_eq!(signed, expected);
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        let unsigned = |event: &Event| {
            let not_a_key = |name: &str, _: &[u8]| Err(SignError::NotAKey(name.to_owned()));
            let request = request(event, 1, not_a_key).unwrap();
            assert_eq!(headers(&request).len(), 3);
        };
        unsigned(&event());
        let mut without = event();
        without.config = r#"{"url": "https://hooks.example/a"}"#.into();
        unsigned(&without);
    }

    #[test]
    fn a_missing_credential_or_address_ends_the_delivery() {
        let unknown = |name: &str, _: &[u8]| Err(SignError::Unknown(name.to_owned()));
        let failure = request(&event(), 1, unknown).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Config);
        assert!(failure.message.contains("hook"), "{}", failure.message);

        let mut nowhere = event();
        nowhere.config = "{}".into();
        let failure = request(&nowhere, 1, unknown).unwrap_err();
        assert!(failure.message.contains("url"), "{}", failure.message);
    }
}
