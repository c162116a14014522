//! `/openapi.json`: the whole API as an OpenAPI 3.1 document.
//!
//! Answers are described by the very types that print them (`shapes`), bodies beside the readers that read them (`read`),
//! operations in `routes`, beside the URL table. Tests hold the document to the server: the routes of both are the same,
//! every answer of every test of the API fits, and so does every body that was accepted.

mod document;
mod failures;
mod operation;
mod routes;

#[cfg(test)]
pub(super) use failures::ALL as ALL_FAILURES;

use super::addresses::Base;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;

/// In place of the server's address, which every request may name differently.
const PLACE_OF_BASE: &str = "https://orchestrator.invalid";
static DOCUMENT: LazyLock<String> = LazyLock::new(|| document::describe(PLACE_OF_BASE).to_string());

/// The document of the server with this address, which has no slash at its end.
#[must_use]
pub fn describe(base: &str) -> serde_json::Value {
    document::describe(base)
}

pub(super) async fn show_document(base: Base) -> Response {
    let text = DOCUMENT.replace(PLACE_OF_BASE, &escaped(base.root()));
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (content_type, text).into_response()
}

/// As it stands in a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.trim_matches('"').to_owned()
}
