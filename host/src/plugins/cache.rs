//! Compiled components on disk, so that a second start maps them instead of compiling.
//!
//! Machine code from a file runs with the server's rights, so a file is used only where it is proved to be this server's
//! own: the folder is 0700, and beside each file lies its HMAC under a key that never leaves the server. A file that does not
//! match is deleted and made anew; none is ever taken from outside. The name holds the component's SHA-256 and what of the
//! engine the code depends on; files of other engines are removed at start.

use super::compiler::CompileError;
use super::engine::too_many_parts;
use super::error::PluginError;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, io};
use wasmtime::Engine;
use wasmtime::component::Component;

const EXTENSION: &str = "cwasm";
const MAC_EXTENSION: &str = "mac";
/// No file is written for longer.
const LONGEST_WRITE: Duration = Duration::from_secs(60 * 60);

/// The folder of compiled components.
pub(super) struct Cache {
    dir: PathBuf,
    /// Filled up with zeros to the block of the hash, which is what HMAC does with a short key.
    key: [u8; 64],
    engine_hash: String,
    compiled: AtomicU64,
    unfinished: AtomicU64,
}

/// SHA-256 of a component, in hexadecimal digits.
pub(super) fn digest(component: &[u8]) -> String {
    hex::encode(Sha256::digest(component))
}

impl Cache {
    pub(super) fn open(
        data_dir: &Path,
        key: [u8; 32],
        engine: &Engine,
    ) -> Result<Self, PluginError> {
        let dir = data_dir.join("cache");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .and_then(|()| fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)))
            .map_err(|source| file_error("prepare", &dir, source))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let mut padded_key = [0; 64];
        for (to, from) in padded_key.iter_mut().zip(key) {
            *to = from;
        }
        let cache = Self {
            dir,
            key: padded_key,
            engine_hash: format!("{:016x}", hasher.finish()),
            compiled: AtomicU64::new(0),
            unfinished: AtomicU64::new(0),
        };
        cache.remove_strangers();
        Ok(cache)
    }

    /// How many components had to be compiled since the start.
    pub(super) fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    /// The compiled component, from its file where there is a good one, else made by `compile`.
    pub(super) fn load(
        &self,
        engine: &Engine,
        digest: &str,
        compile: impl FnOnce() -> Result<Vec<u8>, CompileError>,
    ) -> Result<Component, CompileError> {
        let path = self
            .dir
            .join(format!("{digest}-{}.{EXTENSION}", self.engine_hash));
        match self.map(engine, &path) {
            Ok(loaded) => return Ok(loaded),
            Err(Some(why)) => {
                tracing::warn!(path = %path.display(), why, "a compiled plugin does not load and is made anew");
            }
            Err(None) => {}
        }
        let code = compile()?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        // Through the file, so that the code is mapped and not held, and there is one way to load it.
        self.keep(&path, &code).map_err(|error| {
            CompileError::Failed(format!("{} cannot be written: {error}", path.display()))
        })?;
        drop(code);
        self.map(engine, &path).map_err(|refused| match refused {
            Some(why) => match too_many_parts(&why) {
                Some(parts) => CompileError::Parts(parts),
                None => CompileError::Failed(format!("what was compiled does not load: {why}")),
            },
            None => CompileError::Failed("what was compiled is no longer there".into()),
        })
    }

    /// The components that have lain here, compiled for this engine, for at least `age`; by digest.
    pub(super) fn older_than(&self, age: Duration, now: SystemTime) -> io::Result<Vec<String>> {
        let suffix = format!("-{}.{EXTENSION}", self.engine_hash);
        let mut digests = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.strip_suffix(&suffix)) else {
                continue;
            };
            // What has gone meanwhile, or was made in the future, is not old.
            let made = entry.metadata().and_then(|file| file.modified()).ok();
            let is_old = made.is_some_and(|made| {
                let lain = now.duration_since(made);
                lain.is_ok_and(|lain| lain >= age)
            });
            if is_old {
                digests.push(digest.to_owned());
            }
        }
        Ok(digests)
    }

    /// Removes a compiled component. Where it is mapped it goes on to run; where it is wanted once more it is made anew.
    pub(super) fn forget(&self, digest: &str) {
        let name = format!("{digest}-{}.{EXTENSION}", self.engine_hash);
        self.remove(&self.dir.join(name));
    }

    /// Whether the component is here, compiled for this engine.
    pub(super) fn has(&self, digest: &str) -> bool {
        let name = format!("{digest}-{}.{EXTENSION}", self.engine_hash);
        self.dir.join(name).exists()
    }

    /// `Err(None)`: there is no good file. `Err(Some)`: it is this server's own, and the engine refuses it.
    fn map(&self, engine: &Engine, path: &Path) -> Result<Component, Option<String>> {
        let code = fs::read(path).map_err(|_| None)?;
        let mac = fs::read(path.with_extension(MAC_EXTENSION)).unwrap_or_default();
        let is_own = self.mac(path, &code).verify_slice(&mac).is_ok();
        drop(code);
        if is_own {
            #[expect(
                unsafe_code,
                reason = "the file's MAC proves that this server wrote it, from `Engine::precompile_component`, and only this server's user can write to the folder"
            )]
            // SAFETY: the code is `Engine::precompile_component`'s own output, unchanged.
            let loaded = unsafe { Component::deserialize_file(engine, path) };
            return loaded.map_err(|error| {
                self.remove(path);
                Some(format!("{error:#}"))
            });
        }
        tracing::warn!(path = %path.display(), "a compiled plugin was changed by somebody else and is made anew");
        self.remove(path);
        Err(None)
    }

    fn keep(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let mac = self.mac(path, code).finalize().into_bytes();
        self.write(&path.with_extension(MAC_EXTENSION), &mac)?;
        self.write(path, code)
    }

    /// Through a file of its own and a rename: nobody ever maps half a file, and one that is mapped is never written to.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{}-{number}.unfinished", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Over the name as well: one good file must not pass for another.
    fn mac(&self, path: &Path, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        mac.update(&[0]);
        mac.update(code);
        mac
    }

    fn remove(&self, path: &Path) {
        for path in [path, &path.with_extension(MAC_EXTENSION)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), %error, "a file of the plugin cache could not be removed");
                }
                _ => {}
            }
        }
    }

    /// What another engine compiled is of no use any more, nor what was never finished.
    fn remove_strangers(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let own = format!("-{}", self.engine_hash);
        for path in entries.flatten().map(|entry| entry.path()) {
            let is = |wanted: &str| path.extension().is_some_and(|found| found == wanted);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_of_other_engine = (is(EXTENSION) || is(MAC_EXTENSION)) && !stem.ends_with(&own);
            if is_of_other_engine || (is("unfinished") && has_lain(&path)) {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Whether nobody can be writing it any more: several commands of an author may share the folder.
fn has_lain(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|file| file.modified());
    let lain = modified.ok().and_then(|modified| modified.elapsed().ok());
    lain.is_some_and(|lain| lain >= LONGEST_WRITE)
}

fn file_error(action: &'static str, path: &Path, source: io::Error) -> PluginError {
    PluginError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
