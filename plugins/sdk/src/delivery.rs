//! Delivery plugins: how a notification reaches people.

pub use crate::bindings::delivery::orchestrator::delivery::types::{
    Event, FailedTask, Job, Kind, Orchestration,
};
pub use crate::bindings::task::orchestrator::types::types::{Failure, FailureKind};

use crate::bindings::delivery::exports::orchestrator::delivery::delivery::Guest;

/// What a delivery plugin does. Export it with [`export_delivery!`](crate::export_delivery).
pub trait Delivery {
    /// Delivers the event once, and answers with a receipt where the other side gave one.
    ///
    /// # Errors
    /// A failure of kind [`Transient`](FailureKind::Transient) or [`RateLimit`](FailureKind::RateLimit) is tried again by
    /// the host for days; any other kind ends the delivery.
    fn deliver(event: Event) -> Result<Option<String>, Failure>;
}

impl<T: Delivery> Guest for T {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        <T as Delivery>::deliver(event)
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
