//! The store's promises, on real databases.

mod growth;
#[path = "each.rs"]
mod postgres;
mod schema;
#[path = "each.rs"]
mod sqlite;
