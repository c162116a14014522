//! Once per database: `mod.rs` has this file as `sqlite` and as `postgres`.

mod audit;
mod blueprint;
mod bodies;
mod credentials;
mod crontab;
mod deliveries;
mod edges;
mod envelope;
mod events;
mod found_jobs;
mod fuzz;
mod idempotency;
mod jobs;
mod metrics;
mod notifications;
mod operator;
mod orchestrations;
mod plugins;
mod quotas;
mod reach;
mod roles;
mod runs;
mod sessions;
mod storage_api;
mod tasks;
mod tenancy;
mod tokens;
mod tokens_managed;
mod tokens_rights;
mod ui;
mod upgrade;

use super::{create, create_path};
use crate::support::database::Database;
use crate::support::server::Server;

/// The one that this copy of the tests runs on.
fn database() -> Database {
    Database::of_module(module_path!())
}

/// Answers do not depend on the database: one snapshot for all.
fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings
}

/// A server on it; `None` where it is not installed.
async fn start() -> Option<Server> {
    Server::start(database()).await
}
