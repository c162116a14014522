//! The operator's token: what opens the calls that manage projects.

use sha2::{Digest, Sha256};
use std::fmt;

/// Kept as a hash: what is compared says nothing of the token, and takes the same time whatever it is compared with.
#[derive(Clone)]
pub struct OperatorToken([u8; 32]);

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken")
    }
}

impl OperatorToken {
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether this is it.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        let presented = Sha256::digest(presented.as_bytes());
        let differences = self.0.iter().zip(&presented);
        differences.fold(0, |all, (mine, other)| all | (mine ^ other)) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_is_the_token() {
        let token = OperatorToken::new("operator-token-1");
        assert!(token.is("operator-token-1"));
        for other in ["", "operator-token-2", "operator-token-1 "] {
            assert!(!token.is(other), "{other:?}");
        }
    }
}
