//! What `orchestrator login` keeps: servers with a token each, in one file of the user's own.

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The name of the one that nobody named.
pub(super) const FIRST: &str = "default";

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Profiles {
    /// The one that counts where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Profile {
    /// Without a slash at its end.
    pub(super) url: String,
    pub(super) token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ca: Option<PathBuf>,
    #[serde(default)]
    pub(super) plain_http: bool,
}

impl Profiles {
    /// The file, below the user's folder for settings.
    pub(super) fn place(config_home: &Path) -> PathBuf {
        config_home.join("orchestrator").join("profiles.toml")
    }

    /// None where there is no file yet.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{shown} cannot be read")),
        };
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            bail!("{shown} holds tokens, and others may read it: chmod 600 {shown}");
        }
        // The parser's own text quotes the line, which may hold a token.
        toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{shown} cannot be read: {}", error.message()))
    }

    /// Replaces the file as a whole.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        let folder = path.parent().context("no folder")?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        // A temporary file is its owner's alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)
            .with_context(|| format!("{shown} cannot be written"))?;
        file.write_all(toml::to_string(self)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)
            .with_context(|| format!("{shown} cannot be written"))?;
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> anyhow::Result<&Profile> {
        self.profiles.get(name).with_context(|| {
            format!("there is no profile {name:?}: `orchestrator login --profile {name}` makes it")
        })
    }

    pub(super) fn current(&self) -> Option<&Profile> {
        self.profiles.get(self.current.as_ref()?)
    }

    pub(super) fn current_name(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Keeps one, which counts from now on.
    pub(super) fn keep(&mut self, name: &str, profile: Profile) {
        self.profiles.insert(name.to_owned(), profile);
        self.current = Some(name.to_owned());
    }

    /// `false`: there was none. Another one counts then, if there is just one.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        let was_there = self.profiles.remove(name).is_some();
        if self.current.as_deref() == Some(name) {
            let only = self
                .profiles
                .keys()
                .next()
                .filter(|_| self.profiles.len() == 1);
            self.current = only.cloned();
        }
        was_there
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
    }
}

/// Without the token.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Profile({})", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(url: &str) -> Profile {
        Profile {
            url: url.into(),
            token: "secret".into(),
            ca: None,
            plain_http: false,
        }
    }

    #[test]
    fn profiles_are_kept_in_a_file_for_their_owner_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Profiles::place(dir.path());
        let mut profiles = Profiles::read(&path).expect("none yet");
        profiles.keep("one", profile("https://one.example"));
        profiles.keep("two", profile("https://two.example"));
        profiles.write(&path).expect("written");

        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
        let mut read = Profiles::read(&path).expect("read");
        assert_eq!(read.current().expect("one").url, "https://two.example");
        assert!(read.forget("two") && !read.forget("two"));
        assert_eq!(
            read.current().expect("the other").url,
            "https://one.example"
        );
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("profiles.toml");
        fs::write(&path, "").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let refused = Profiles::read(&path).err().expect("refused").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
