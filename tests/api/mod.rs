//! The REST API over a real connection, on each database.

mod blocked;
mod document;
#[path = "each.rs"]
mod postgres;
#[path = "each.rs"]
mod sqlite;

use crate::support::client::Client;
use serde_json::{Value, json};

/// Creates an orchestration of these tasks and returns it.
async fn create(client: &Client, tasks: Value) -> Value {
    client
        .post("/orchestrations", json!({"name": "Main", "tasks": tasks}))
        .await
        .expect(201)
}

/// The path of a fresh orchestration of these tasks.
async fn create_path(client: &Client, tasks: Value) -> String {
    format!("/orchestrations/{}", create(client, tasks).await["id"])
}
