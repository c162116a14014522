//! Electronic mail through the host's mail server, for delivery plugins whose manifest asks for the capability `mail`.

pub use crate::bindings::delivery::orchestrator::host::mail::{Message, SendError};

/// Hands one message to the host's mail server and returns what that answered.
///
/// # Errors
/// [`SendError::Transient`] where another attempt could help; the other cases are final.
pub fn send(message: &Message) -> Result<String, SendError> {
    crate::bindings::delivery::orchestrator::host::mail::send(message)
}
