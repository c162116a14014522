//! How an entry of the audit log looks.

use super::TokenShape;
use crate::domain::audit::AuditEntry;
use crate::domain::time::Timestamp;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// One change, and who made it.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AuditEntry")]
pub(in crate::api) struct EntryShape<'a> {
    id: i64,
    created_time: Timestamp,
    action: &'a str,
    /// The id or name of what the action's noun names.
    subject: &'a str,
    /// `null`: the operator.
    token: Option<TokenShape<'a>>,
    address: &'a str,
    #[schemars(with = "Option<Map<String, Value>>")]
    before: Option<&'a Value>,
    #[schemars(with = "Option<Map<String, Value>>")]
    after: Option<&'a Value>,
}

pub(in crate::api) fn print_audit(entries: &[AuditEntry]) -> Response {
    let shapes: Vec<_> = entries
        .iter()
        .map(|entry| EntryShape {
            id: entry.id,
            created_time: entry.created_at,
            action: &entry.action,
            subject: &entry.subject,
            token: entry.actor.token.as_ref().map(TokenShape::of),
            address: &entry.actor.address,
            before: entry.before.as_ref(),
            after: entry.after.as_ref(),
        })
        .collect();
    Json(shapes).into_response()
}
