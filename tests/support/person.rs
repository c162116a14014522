//! A person at a terminal: calls `orchestrator …` with an environment and a folder of settings of their own.

use super::author::{Said, said};
use super::process::MASTER;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub struct Person {
    pub home: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Person {
    /// Who has signed in to nothing.
    pub fn unknown() -> Self {
        Self {
            home: tempfile::tempdir().expect("a folder"),
            environment: Vec::new(),
        }
    }

    /// Whose environment names the server and the master token of its project.
    pub fn of(base: &str) -> Self {
        let mut person = Self::unknown();
        person.set("ORCHESTRATOR_URL", base);
        person.set("ORCHESTRATOR_TOKEN", MASTER);
        person
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.to_owned()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file with this text; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    }

    /// Calls the command and waits for its end.
    pub async fn call(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server-under-test"));
        command
            .args(arguments)
            .env_clear()
            .env("XDG_CONFIG_HOME", self.home.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path());
        tokio::task::spawn_blocking(move || said(command))
            .await
            .expect("called")
    }

    /// What it printed with `--json`, which had to succeed.
    pub async fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let out = self.call(&[arguments, &["--json"]].concat()).await.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}
