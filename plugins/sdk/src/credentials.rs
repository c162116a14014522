//! Signatures with the project's credentials. The plugin names one and never sees its secret.
//!
//! A call has the credentials that the manifest asks for under `credentials`: by name, or with `"named"` the one that
//! the task's parameters or the notification's `config` name under the key `credential`. Those of other types than
//! `hmac` need no call: the host adds them to requests to the credential's hosts.

pub use crate::bindings::task::orchestrator::host::credentials::SignError;

/// HMAC-SHA256 of `message` under the credential's key: 32 bytes.
///
/// # Errors
/// The call has no such credential, or it is none that signs.
pub fn sign(credential: &str, message: &[u8]) -> Result<Vec<u8>, SignError> {
    crate::bindings::task::orchestrator::host::credentials::sign(credential, message)
}
