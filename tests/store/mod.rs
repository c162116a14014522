//! The store's promises, on real databases.

#[path = "each.rs"]
mod postgres;
mod schema;
#[path = "each.rs"]
mod sqlite;
