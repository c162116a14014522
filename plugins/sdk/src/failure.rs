//! How a call says that it did not end well: the same record for every kind of plugin.

use crate::bindings::task::orchestrator::types::types::{Failure, FailureKind};

impl Failure {
    /// A failure with a stable `code` in capitals and a `message` of one sentence. Put no secret into either.
    pub fn new(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            retry_after_ms: None,
            extra: Vec::new(),
        }
    }

    /// The same failure, with the time for which the other side asked to be left alone.
    #[must_use]
    pub fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }
}
