//! Which database a test runs on. Tests of the store and of the API run on each (`tests/store/each.rs`).

use super::postgres::Cluster;
use orchestrator::store::Store;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// The one that a module is named after, or lies in one that is.
    pub fn of_module(path: &str) -> Self {
        if path.split("::").any(|part| part == "postgres") {
            Self::Postgres
        } else {
            Self::Sqlite
        }
    }

    /// The address of a fresh database; `None` where this one is not installed.
    pub fn fresh_url(self, dir: &Path) -> Option<String> {
        match self {
            Self::Sqlite => Some(Store::embedded_url(dir)),
            Self::Postgres => Cluster::shared().map(Cluster::fresh_url),
        }
    }
}
