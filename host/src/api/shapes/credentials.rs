//! How a credential looks: without its secret.

use crate::domain::time::Timestamp;
use crate::store::KeptCredential;
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// A secret for another service: all of it but the secret.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Credential")]
pub(in crate::api) struct CredentialShape<'a> {
    name: &'a str,
    #[schemars(extend("enum" = ["bearer", "basic", "header", "hmac"]))]
    r#type: &'a str,
    /// To which it may be sent; none of one that signs.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    hosts: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    created: Timestamp,
    updated: Timestamp,
}

pub(in crate::api) fn print_credential(kept: &KeptCredential) -> Response {
    Json(shape(kept)).into_response()
}

pub(in crate::api) fn print_credentials(kept: &[KeptCredential]) -> Response {
    Json(kept.iter().map(shape).collect::<Vec<_>>()).into_response()
}

fn shape(kept: &KeptCredential) -> CredentialShape<'_> {
    let detail_of = |kind| (kept.kind == kind).then_some(kept.detail.as_str());
    CredentialShape {
        name: &kept.name,
        r#type: &kept.kind,
        hosts: &kept.hosts,
        username: detail_of("basic"),
        header: detail_of("header"),
        created: kept.created_at,
        updated: kept.updated_at,
    }
}
