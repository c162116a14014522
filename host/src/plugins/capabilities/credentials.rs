//! `orchestrator:host/credentials`: signatures with keys that the plugin never sees. Always there; which keys a call has is
//! decided before it begins.

use crate::plugins::contract::v0_1::credentials::{Host, SignError};
use crate::plugins::credentials::NoSignature;
use crate::plugins::state::CallState;

/// Largest message that is signed: larger than any webhook's receiver takes.
const MOST_MESSAGE_BYTES: usize = 1 << 20;

impl Host for CallState {
    fn sign(
        &mut self,
        credential: String,
        message: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, SignError>> {
        if message.len() > MOST_MESSAGE_BYTES {
            let limit = u32::try_from(MOST_MESSAGE_BYTES).unwrap_or(u32::MAX);
            return Ok(Err(SignError::TooLarge(limit)));
        }
        let signed = self.credentials.sign(&credential, &message);
        Ok(signed.map_err(|refusal| match refusal {
            NoSignature::Unknown => SignError::Unknown(credential),
            NoSignature::NotAKey => SignError::NotAKey(credential),
        }))
    }
}
