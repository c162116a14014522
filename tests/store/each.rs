//! Once per database: `mod.rs` has this file as `sqlite` and as `postgres`.

mod audit;
mod backlog;
mod deaths;
mod found_jobs;
mod hosts;
mod idempotency;
mod job_events;
mod jobs;
mod leases;
mod master_keys;
mod notifications;
mod orchestrations;
mod plugins;
mod rush;
mod schedule;
mod tenants;
mod together;
mod tokens;

use crate::support::database::Database;

/// The one that this copy of the tests runs on.
fn database() -> Database {
    Database::of_module(module_path!())
}
