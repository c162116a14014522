//! How a token looks to its bearer, in the shape of the Storage API.

use crate::api::addresses::Base;
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use crate::domain::token::BucketPermissions;
use crate::store::{Project, Token};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

/// A token of a project. Its value is shown when it is made or presented, and never again.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub(in crate::api) struct WholeTokenShape<'a> {
    /// Text here, other than in the orchestrator's own answers.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    id: String,
    /// The secret, where it was presented or made just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    description: &'a str,
    created: Timestamp,
    refreshed: Timestamp,
    expires: Option<Timestamp>,
    is_expired: bool,
    is_disabled: bool,
    is_master_token: bool,
    can_manage_buckets: bool,
    can_manage_tokens: bool,
    can_read_all_file_uploads: bool,
    can_purge_trash: bool,
    bucket_permissions: &'a BucketPermissions,
    component_access: &'a [String],
    #[schemars(extend("format" = "uri"))]
    uri: String,
    creator_token: Option<CreatorShape<'a>>,
    owner: OwnerShape<'a>,
}

/// The token that made it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TokenCreator")]
pub(in crate::api) struct CreatorShape<'a> {
    id: String,
    description: &'a str,
}

/// Its project.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TokenOwner")]
pub(in crate::api) struct OwnerShape<'a> {
    id: ProjectId,
    name: &'a str,
}

pub(in crate::api) fn print_token(
    token: &Token,
    owner: &Project,
    now: Timestamp,
    base: &Base,
) -> Response {
    Json(shape(token, None, owner, now, base)).into_response()
}

pub(in crate::api) fn print_token_with_secret(
    token: &Token,
    secret: &str,
    owner: &Project,
    now: Timestamp,
    base: &Base,
) -> Response {
    Json(shape(token, Some(secret), owner, now, base)).into_response()
}

pub(in crate::api) fn print_tokens(
    tokens: &[Token],
    owner: &Project,
    now: Timestamp,
    base: &Base,
) -> Response {
    let shapes = tokens
        .iter()
        .map(|token| shape(token, None, owner, now, base));
    Json(shapes.collect::<Vec<_>>()).into_response()
}

fn shape<'a>(
    token: &'a Token,
    secret: Option<&'a str>,
    owner: &'a Project,
    now: Timestamp,
    base: &Base,
) -> WholeTokenShape<'a> {
    let rights = &token.rights;
    WholeTokenShape {
        id: token.id.to_string(),
        token: secret,
        description: &token.description,
        created: token.created_at,
        refreshed: token.refreshed_at,
        expires: rights.expires_at,
        is_expired: rights.is_expired(now),
        is_disabled: token.is_disabled,
        is_master_token: rights.is_master,
        can_manage_buckets: rights.can_manage_buckets,
        can_manage_tokens: rights.can_manage_tokens,
        can_read_all_file_uploads: rights.can_read_all_file_uploads,
        can_purge_trash: rights.can_purge_trash,
        bucket_permissions: &rights.bucket_permissions,
        component_access: &rights.component_access,
        uri: base.token(token.id),
        creator_token: token.creator.as_ref().map(|creator| CreatorShape {
            id: creator.id.to_string(),
            description: &creator.description,
        }),
        owner: OwnerShape {
            id: owner.id,
            name: &owner.name,
        },
    }
}
