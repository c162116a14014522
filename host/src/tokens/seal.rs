//! Sealing: encryption at rest with XChaCha20-Poly1305.
//!
//! A sealed value is one byte that names the key, 24 bytes of nonce and the ciphertext with its tag. The purpose and the
//! owner are authenticated with it, so that a sealed value which is moved to another row does not open there.

use super::keys::{Derived, Keys};
use crate::clock::{Random, RandomUnavailable};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

const NONCE_BYTES: usize = 24;

/// Why a value was not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    #[error("the value is too long to be sealed")]
    TooLong,
    /// The database was not asked yet, or this host lacks the key that is in use.
    #[error("this host has no master key to seal with")]
    NoKey,
    /// Damaged, moved from elsewhere, or sealed under another master key.
    #[error("a sealed value does not open under this master key")]
    Unreadable,
}

/// What a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<'a> {
    pub(super) purpose: &'static str,
    pub(super) owner: &'a [u8],
}

impl Label<'_> {
    fn bytes(self) -> Vec<u8> {
        // The purpose holds no zero byte, so the two cannot run into each other.
        [self.purpose.as_bytes(), &[0], self.owner].concat()
    }
}

pub(super) fn seal(
    keys: &Keys,
    random: &Random,
    label: Label<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let current = keys.current().ok_or(SealError::NoKey)?;
    seal_under(&current, random, label, plain)
}

pub(super) fn seal_under(
    key: &Derived,
    random: &Random,
    label: Label<'_>,
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce)?;
    let payload = Payload {
        msg: plain,
        aad: &label.bytes(),
    };
    let cipher = XChaCha20Poly1305::new(&key.sealing.into());
    let encrypted = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| SealError::TooLong)?;
    Ok([&[key.id][..], &nonce, &encrypted].concat())
}

pub(super) fn open(keys: &Keys, label: Label<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let id = sealed.first().ok_or(SealError::Unreadable)?;
    let all = keys.all();
    let key = all.iter().find(|key| key.id == *id);
    open_under(key.ok_or(SealError::Unreadable)?, label, sealed)
}

/// The first byte is not looked at.
pub(super) fn open_under(
    key: &Derived,
    label: Label<'_>,
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (_, rest) = sealed.split_first().ok_or(SealError::Unreadable)?;
    let (nonce, encrypted) = rest
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or(SealError::Unreadable)?;
    let payload = Payload {
        msg: encrypted,
        aad: &label.bytes(),
    };
    let cipher = XChaCha20Poly1305::new(&key.sealing.into());
    cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| SealError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::alone(&text.repeat(32), 1)
    }

    #[test]
    fn a_value_opens_only_where_it_belongs_and_unchanged() {
        let (keys, random) = (keys("ab"), Random::seeded(1));
        let label = |owner: &'static [u8]| Label {
            purpose: "state",
            owner,
        };
        let sealed = seal(&keys, &random, label(b"1"), b"secret").unwrap();
        let again = seal(&keys, &random, label(b"1"), b"secret").unwrap();

        assert_ne!(sealed, again);
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(open(&keys, label(b"1"), &sealed).unwrap(), b"secret");
        assert!(open(&keys, label(b"2"), &sealed).is_err());
        assert!(open(&self::keys("cd"), label(b"1"), &sealed).is_err());
        for position in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert!(open(&keys, label(b"1"), &damaged).is_err(), "{position}");
        }
        assert!(open(&keys, label(b"1"), &sealed[..20]).is_err());
    }
}
