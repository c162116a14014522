//! Delivery plugins: how a notification reaches people.

pub use crate::bindings::delivery::orchestrator::delivery::types::{
    Event, EventKind, FailedTask, Job, Orchestration,
};
pub use crate::bindings::task::orchestrator::types::types::{Failure, FailureKind};

use serde::de::DeserializeOwned;

use crate::bindings::delivery::exports::orchestrator::delivery::delivery::Guest;
use crate::http::{Error, Response};

/// What a delivery plugin does. Export it with [`export_delivery!`](crate::export_delivery).
pub trait Delivery {
    /// Delivers the event once, and answers with a receipt where the other side gave one.
    ///
    /// # Errors
    /// A failure of kind [`Transient`](FailureKind::Transient) or [`RateLimit`](FailureKind::RateLimit) is tried again by
    /// the host for days; any other kind ends the delivery. [`NotFound`](FailureKind::NotFound) says that the receiver is
    /// gone for good: further events are not delivered there.
    fn deliver(event: Event) -> Result<Option<String>, Failure>;
}

impl<T: Delivery> Guest for T {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        <T as Delivery>::deliver(event)
    }
}

impl EventKind {
    /// The event's name in the API.
    pub fn name(&self) -> &str {
        match self {
            Self::Error => "error",
            Self::Waiting => "waiting",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Recovery => "recovery",
            Self::Other(name) => name,
        }
    }
}

impl Event {
    /// The notification's `config` as a type of the plugin's own.
    ///
    /// # Errors
    /// A failure of kind [`Config`](FailureKind::Config) that says which field is wrong.
    pub fn config_as<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.config).map_err(|error| {
            let message = format!("the notification's config is not as expected: {error}");
            Failure::new(FailureKind::Config, "BAD_CONFIGURATION", message)
        })
    }
}

/// The status of a receiver's answer as a receipt, if it took the event: see [`check`].
///
/// # Errors
/// As for [`check`].
pub fn receipt(answer: Result<Response, Error>) -> Result<Option<String>, Failure> {
    check(answer).map(|response| Some(response.status().to_string()))
}

/// What a receiver's answer means: with 2xx it took the event, 410 says that it is gone for good, 429 and 503 ask to come back
/// later, and anything else may get better. A redirect is not followed.
///
/// # Errors
/// Everything but 2xx, with the kind by which the host knows what to do next.
pub fn check(answer: Result<Response, Error>) -> Result<Response, Failure> {
    let failure = |kind, code: &str, message: String| Err(Failure::new(kind, code, message));
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            let mut failure = error.failure("the receiver");
            if error == Error::TooLarge {
                // It has answered, and may do so better.
                failure.kind = FailureKind::Transient;
            }
            return Err(failure);
        }
    };
    let status = response.status();
    let message = format!("the receiver answered {status}");
    match status {
        200..=299 => Ok(response),
        410 => failure(FailureKind::NotFound, "GONE", message),
        429 | 503 => {
            let mut failure = Failure::new(FailureKind::RateLimit, "RECEIVER_BUSY", message);
            failure.retry_after_ms = response
                .retry_after()
                .map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            Err(failure)
        }
        _ => failure(FailureKind::Transient, "RECEIVER_FAILED", message),
    }
}

/// Makes the component a delivery plugin: exports a type that implements [`delivery::Delivery`](crate::delivery::Delivery).
#[macro_export]
macro_rules! export_delivery {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::bindings::delivery::export_delivery_world!($plugin with_types_in $crate::bindings::delivery);
        // Elsewhere nothing is exported, but the plugin counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn exported<T: $crate::delivery::Delivery>() {}
            exported::<$plugin>();
        };
    };
}
