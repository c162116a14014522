//! Delivers nothing, and answers as the subscription's parameter `answer` says: `ok`, `transient`, `rate-limit` or `internal`.

use orchestrator_sdk::delivery::{Delivery, Event, Failure, FailureKind};
use orchestrator_sdk::serde_json::{Value, from_str};

struct Delivers;

impl Delivery for Delivers {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        let parameters: Value = from_str(&event.parameters).unwrap_or_default();
        let failure = |kind| {
            Err(Failure::new(
                kind,
                "ON_PURPOSE",
                format!("attempt {} failed on purpose", event.attempt),
            ))
        };
        match parameters["answer"].as_str() {
            Some("transient") => failure(FailureKind::Transient),
            Some("rate-limit") => {
                failure(FailureKind::RateLimit).map_err(|failure| failure.retry_after_ms(60_000))
            }
            Some("internal") => failure(FailureKind::Internal),
            _ => Ok(Some(format!(
                "{} in attempt {}",
                event.delivery_id, event.attempt
            ))),
        }
    }
}

orchestrator_sdk::export_delivery!(Delivers);
