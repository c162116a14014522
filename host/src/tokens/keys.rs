//! The master key, and the keys that are derived from it.
//!
//! Thirty-two bytes, the same for all hosts of one database: from `ORCHESTRATOR_MASTER_KEY`, else from a 0600 file in
//! the data directory that the first start makes. Nothing is encrypted with it directly; each purpose has a key of its
//! own (HKDF-SHA256, RFC 5869), so that no two purposes can be played against each other.

use crate::clock::{Random, RandomUnavailable};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The name of the key file in the data directory.
pub const KEY_FILE: &str = "master.key";

/// Why there is no usable master key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("ORCHESTRATOR_MASTER_KEY must be 32 bytes, as base64 or as 64 hexadecimal digits")]
    MalformedSetting,
    #[error(
        "{} must hold 32 bytes, as base64 or as 64 hexadecimal digits: put the right file back, the secrets in the \
         database cannot be read without it", path.display()
    )]
    MalformedFile { path: PathBuf },
    #[error("{} can be read by others (mode {mode:o}): run chmod 600 on it", path.display())]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
    #[error("the keys could not be derived from the master key")]
    Derivation,
}

/// The derived keys. Cloning is cheap; nothing of them prints.
#[derive(Clone)]
pub struct Keys {
    /// One block of SHA-256, the size that HMAC takes as it is.
    pub(super) lookup: [u8; 64],
    pub(super) sealing: [u8; 32],
    /// Authenticates compiled plugins on disk.
    pub plugin_cache: [u8; 32],
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// From the setting where it is given, else from the data directory's file, which is made where it is missing.
    ///
    /// # Errors
    /// A malformed key, or a file that is unreadable or readable by others.
    pub fn load(setting: Option<&str>, data_dir: &Path, random: &Random) -> Result<Self, KeyError> {
        let master = match setting {
            Some(text) => decode(text).ok_or(KeyError::MalformedSetting)?,
            None => read_or_make(&data_dir.join(KEY_FILE), random)?,
        };
        Self::derive(&master)
    }

    fn derive(master: &[u8; 32]) -> Result<Self, KeyError> {
        let derivation = Hkdf::<Sha256>::new(None, master);
        Ok(Self {
            lookup: expand(&derivation, b"orchestrator token lookup 1")?,
            sealing: expand(&derivation, b"orchestrator sealing 1")?,
            plugin_cache: expand(&derivation, b"orchestrator plugin cache 1")?,
        })
    }
}

/// Whether a text is a master key at all, as the setting may give it.
#[must_use]
pub fn is_master_key(text: &str) -> bool {
    decode(text).is_some()
}

fn expand<const BYTES: usize>(
    derivation: &Hkdf<Sha256>,
    purpose: &[u8],
) -> Result<[u8; BYTES], KeyError> {
    let mut key = [0; BYTES];
    // Fails only beyond 255 blocks of output. A key of zeros must not come of it all the same.
    let expanded = derivation.expand(purpose, &mut key);
    expanded.map(|()| key).map_err(|_| KeyError::Derivation)
}

fn read_or_make(path: &Path, random: &Random) -> Result<[u8; 32], KeyError> {
    if let Some(text) = read_private(path)? {
        return decode(&text).ok_or_else(|| KeyError::MalformedFile {
            path: path.to_owned(),
        });
    }
    let mut key = [0; 32];
    random.fill(&mut key)?;
    write_private(path, &format!("{}\n", BASE64_STANDARD.encode(key)))?;
    Ok(key)
}

/// The text of a file that nobody else may read; `None` where there is none.
pub(super) fn read_private(path: &Path) -> Result<Option<String>, KeyError> {
    let at = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(error)),
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::OpenToOthers {
                    path: path.to_owned(),
                    mode,
                });
            }
        }
    }
    fs::read_to_string(path).map(Some).map_err(at)
}

/// A new file of mode 0600, durable when this returns: under another name first, so that no half of one is ever found.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let at = |source| KeyError::File {
        path: path.to_owned(),
        source,
    };
    let unfinished = path.with_extension("unfinished");
    let _ = fs::remove_file(&unfinished);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&unfinished).map_err(at)?;
    file.write_all(text.as_bytes()).map_err(at)?;
    file.sync_all().map_err(at)?;
    fs::rename(&unfinished, path).map_err(at)?;
    if let Some(parent) = path.parent() {
        fs::File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(at)?;
    }
    Ok(())
}

fn decode(text: &str) -> Option<[u8; 32]> {
    let text = text.trim();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut key = [0; 32];
        for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_a_private_key_file_and_later_ones_use_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = Keys::load(None, dir.path(), &Random::seeded(1)).unwrap();
        let second = Keys::load(None, dir.path(), &Random::seeded(2)).unwrap();

        assert_eq!(first.sealing, second.sealing);
        assert_ne!(first.sealing, first.plugin_cache);
        let metadata = fs::metadata(dir.path().join(KEY_FILE)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_file_that_others_can_read_or_that_holds_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(KEY_FILE);
        write_private(&path, "too short").unwrap();
        let malformed = Keys::load(None, dir.path(), &Random::seeded(1)).unwrap_err();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let open = Keys::load(None, dir.path(), &Random::seeded(1)).unwrap_err();

        assert!(
            malformed
                .to_string()
                .contains("master.key must hold 32 bytes")
        );
        assert!(open.to_string().contains("(mode 640): run chmod 600"));
    }

    #[test]
    fn the_setting_may_be_base64_or_hexadecimal() {
        let dir = tempfile::tempdir().unwrap();
        let load = |text: &str| Keys::load(Some(text), dir.path(), &Random::seeded(1));
        let hex = load(&"ab".repeat(32)).unwrap();
        let base64 = load(&BASE64_STANDARD.encode([0xab; 32])).unwrap();

        assert_eq!(hex.sealing, base64.sealing);
        assert!(load("abab").is_err());
        assert!(!dir.path().join(KEY_FILE).exists());
    }
}
