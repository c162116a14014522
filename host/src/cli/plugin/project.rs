//! A plugin's folder: its manifest, its language, and where its component is.

use anyhow::{Context as _, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// In which language a plugin is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    Js,
    Python,
}

impl Language {
    /// The file by which a plugin's language is known.
    fn mark(self) -> &'static str {
        match self {
            Self::Rust => "Cargo.toml",
            Self::Js => "package.json",
            Self::Python => "requirements.txt",
        }
    }
}

/// A folder with a `plugin.toml`.
pub(super) struct Project {
    pub(super) dir: PathBuf,
    pub(super) id: String,
}

impl Project {
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        if !dir.is_dir() {
            bail!("there is no folder {}", dir.display());
        }
        let manifest = dir.join("plugin.toml");
        if !manifest.exists() {
            bail!(
                "{} holds no plugin: it has no plugin.toml (`orchestrator plugin new` makes one)",
                dir.display()
            );
        }
        let id = guest_build::manifest_id(&manifest)?;
        Ok(Self {
            dir: dir.to_owned(),
            id,
        })
    }

    pub(super) fn language(&self) -> anyhow::Result<Language> {
        let known = [Language::Rust, Language::Js, Language::Python];
        let found = known
            .into_iter()
            .find(|language| self.dir.join(language.mark()).exists());
        found.with_context(|| {
            format!(
                "{} is in no language that can be built here: it has neither a Cargo.toml (Rust), nor a package.json (JavaScript), nor a requirements.txt (Python)",
                self.dir.display()
            )
        })
    }

    pub(super) fn manifest_path(&self) -> PathBuf {
        self.dir.join("plugin.toml")
    }

    /// Where `build` writes the component.
    pub(super) fn component_path(&self) -> PathBuf {
        self.dir.join("build").join(format!("{}.wasm", self.id))
    }
}

/// A component as the commands are given it: a file, or the folder of a plugin that was built.
pub(super) struct Component {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Component {
    pub(super) fn find(given: &Path) -> anyhow::Result<Self> {
        let path = if given.is_file() {
            given.to_owned()
        } else if given
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            bail!("there is no component {}", given.display());
        } else {
            let project = Project::open(given)?;
            let path = project.component_path();
            if !path.exists() {
                bail!(
                    "{} is not built yet: run `orchestrator plugin build {}`",
                    project.id,
                    given.display()
                );
            }
            path
        };
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path, bytes })
    }
}
