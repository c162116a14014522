//! The master key, and the keys that are derived from it.
//!
//! Thirty-two bytes, the same for all hosts of one database: from a setting, else from a 0600 file that the first start
//! makes. Several, newest first, while they take turns: each has the number that the database knows it by, and values
//! are opened under whichever sealed them. Nothing is encrypted with a master key directly; each purpose has a key of its
//! own (HKDF-SHA256, RFC 5869), so that no two purposes can be played against each other.

use crate::clock::{Random, RandomUnavailable};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

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
    #[error(
        "{} holds an older master key still: wait until `orchestrator key status` says that it is retired, then run \
         `orchestrator key drop`", path.display()
    )]
    UnderWay { path: PathBuf },
    #[error("the keys could not be derived from the master key")]
    Derivation,
}

/// Most master keys at once.
const MOST_KEYS: usize = 8;

/// Where master keys are read from.
#[derive(Clone)]
pub enum KeySource {
    /// A setting: fixed for the life of the process.
    Given(String),
    /// Made where it is missing, and read again while the server runs.
    File(PathBuf),
}

/// The derived keys. Cloning is cheap, and all clones see a change; nothing of them prints.
#[derive(Clone)]
pub struct Keys {
    source: KeySource,
    ring: Arc<RwLock<Ring>>,
    /// Authenticates compiled plugins on disk.
    pub plugin_cache: [u8; 32],
}

/// The keys of this host that the database knows.
#[derive(Clone, Default)]
struct Ring {
    /// As the source had them.
    text: String,
    keys: Vec<Arc<Derived>>,
    /// The one that seals.
    current: Option<Arc<Derived>>,
}

/// What comes of one master key.
#[derive(Clone)]
pub(super) struct Derived {
    /// What it seals begins with this; 0 for a key that the database does not know yet.
    pub(super) id: u8,
    /// Ready for a secret.
    pub(super) lookup: Hmac<Sha256>,
    pub(super) sealing: [u8; 32],
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource")
    }
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
        Self::from_source(
            match setting {
                Some(text) => KeySource::Given(text.to_owned()),
                None => KeySource::File(data_dir.join(KEY_FILE)),
            },
            random,
        )
    }

    /// From where they are.
    ///
    /// # Errors
    /// See [`Keys::load`].
    pub fn from_source(source: KeySource, random: &Random) -> Result<Self, KeyError> {
        let text = match &source {
            KeySource::Given(text) => text.clone(),
            KeySource::File(path) => read_or_make(path, random)?,
        };
        let masters = decode_all(&text).ok_or_else(|| source.malformed())?;
        let newest = masters.first().ok_or_else(|| source.malformed())?;
        let derivation = Hkdf::<Sha256>::new(None, newest);
        let ring = Ring {
            text,
            keys: derive_all(&masters)?,
            current: None,
        };
        Ok(Self {
            source,
            ring: Arc::new(RwLock::new(ring)),
            plugin_cache: expand(&derivation, b"orchestrator plugin cache 1")?,
        })
    }

    /// How many keys there are, without making any.
    ///
    /// # Errors
    /// See [`Keys::load`].
    pub fn look_at(source: &KeySource) -> Result<usize, KeyError> {
        let text = match source {
            KeySource::Given(text) => Some(text.clone()),
            KeySource::File(path) => read_private(path)?,
        };
        let keys = text.as_deref().and_then(decode_all);
        keys.map(|keys| keys.len())
            .ok_or_else(|| source.malformed())
    }

    /// A ring of one key that seals, for tests of sealing alone.
    #[cfg(test)]
    pub(super) fn alone(text: &str, id: u8) -> Self {
        let keys = Self::load(Some(text), Path::new("/nowhere"), &Random::seeded(1)).unwrap();
        let key = keys.all().remove(0).numbered(id);
        keys.use_ring(vec![Arc::new(key)], id);
        keys
    }

    /// Reads a key file that has changed; `true` where it has. What was read has no numbers yet.
    ///
    /// # Errors
    /// A file that cannot be used: the keys stay as they were.
    pub(super) fn read_again(&self) -> Result<bool, KeyError> {
        let source @ KeySource::File(path) = &self.source else {
            return Ok(false);
        };
        let text = read_private(path)?.ok_or_else(|| source.malformed())?;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if text == ring.text {
            return Ok(false);
        }
        let masters = decode_all(&text).ok_or_else(|| source.malformed())?;
        let known = std::mem::take(&mut ring.keys);
        ring.keys = derive_all(&masters)?
            .into_iter()
            .map(|key| {
                let same = known.iter().find(|known| known.sealing == key.sealing);
                same.cloned().unwrap_or(key)
            })
            .collect();
        ring.text = text;
        Ok(true)
    }

    /// Newest first.
    pub(super) fn all(&self) -> Vec<Arc<Derived>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.keys.clone()
    }

    /// The one that seals, once the database was asked.
    pub(super) fn current(&self) -> Option<Arc<Derived>> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.current.clone()
    }

    /// From now on these keys open, and the one of that number seals.
    pub(super) fn use_ring(&self, keys: Vec<Arc<Derived>>, current: u8) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.current = keys.iter().find(|key| key.id == current).cloned();
        ring.keys = keys;
    }
}

impl KeySource {
    fn malformed(&self) -> KeyError {
        match self {
            Self::Given(_) => KeyError::MalformedSetting,
            Self::File(path) => KeyError::MalformedFile { path: path.clone() },
        }
    }
}

impl Derived {
    /// The same key under the number that the database knows it by.
    pub(super) fn numbered(&self, id: u8) -> Self {
        Self { id, ..self.clone() }
    }
}

fn derive_all(masters: &[[u8; 32]]) -> Result<Vec<Arc<Derived>>, KeyError> {
    let derive = |master: &[u8; 32]| {
        let derivation = Hkdf::<Sha256>::new(None, master);
        // One block of SHA-256, the size that HMAC takes as it is.
        let lookup: [u8; 64] = expand(&derivation, b"orchestrator token lookup 1")?;
        Ok(Arc::new(Derived {
            id: 0,
            lookup: Hmac::new(&lookup.into()),
            sealing: expand(&derivation, b"orchestrator sealing 1")?,
        }))
    };
    masters.iter().map(derive).collect()
}

/// Puts a fresh master key before those of a key file, for the hosts to take up.
///
/// # Errors
/// A file that cannot be read or written, or that holds as many keys as there may be.
pub fn add_key_to_file(path: &Path, random: &Random) -> Result<(), KeyError> {
    let malformed = || KeyError::MalformedFile {
        path: path.to_owned(),
    };
    let text = read_private(path)?.ok_or_else(malformed)?;
    let masters = decode_all(&text).ok_or_else(malformed)?;
    if masters.len() > 1 {
        return Err(KeyError::UnderWay {
            path: path.to_owned(),
        });
    }
    let mut key = [0; 32];
    random.fill(&mut key)?;
    let fresh = BASE64_STANDARD.encode(key);
    write_private(path, &format!("{fresh}\n{}\n", text.trim()))
}

/// Takes all but the newest master key out of a key file.
///
/// # Errors
/// A file that cannot be read or written.
pub fn drop_old_keys_of_file(path: &Path) -> Result<(), KeyError> {
    let text = read_private(path)?.unwrap_or_default();
    let newest = text.split_whitespace().next();
    let newest = newest.ok_or_else(|| KeyError::MalformedFile {
        path: path.to_owned(),
    })?;
    write_private(path, &format!("{newest}\n"))
}

/// Whether a text is master keys at all, as the setting may give them.
#[must_use]
pub fn is_master_key(text: &str) -> bool {
    decode_all(text).is_some()
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

fn read_or_make(path: &Path, random: &Random) -> Result<String, KeyError> {
    if let Some(text) = read_private(path)? {
        return Ok(text);
    }
    let mut key = [0; 32];
    random.fill(&mut key)?;
    let text = format!("{}\n", BASE64_STANDARD.encode(key));
    write_private(path, &text)?;
    Ok(text)
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

/// Keys between white space; `None` where one is none, or there are none or too many.
fn decode_all(text: &str) -> Option<Vec<[u8; 32]>> {
    let keys: Vec<[u8; 32]> = text.split_whitespace().map(decode).collect::<Option<_>>()?;
    (1..=MOST_KEYS).contains(&keys.len()).then_some(keys)
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

        assert_eq!(first.all()[0].sealing, second.all()[0].sealing);
        assert_ne!(first.all()[0].sealing, first.plugin_cache);
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

        assert_eq!(hex.all()[0].sealing, base64.all()[0].sealing);
        let both = load(&format!("{} {}", "cd".repeat(32), "ab".repeat(32))).unwrap();
        assert_eq!(both.all()[1].sealing, hex.all()[0].sealing);
        assert!(load("abab").is_err());
        assert!(!dir.path().join(KEY_FILE).exists());
    }
}
