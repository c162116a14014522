//! The store's promises, on a real database.

mod idempotency;
mod jobs;
mod leases;
mod notifications;
mod orchestrations;
mod schedule;
mod tokens;
