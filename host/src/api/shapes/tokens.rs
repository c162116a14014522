//! How a token looks to its bearer, in the shape of the Storage API.

use crate::api::addresses::Base;
use crate::domain::ids::ProjectId;
use crate::domain::time::Timestamp;
use crate::store::{Project, Token};
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifiedTokenShape<'a> {
    /// Text here, other than in the orchestrator's own answers.
    id: String,
    /// The secret that was presented: its bearer knows it.
    token: &'a str,
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
    bucket_permissions: Map<String, Value>,
    component_access: [&'a str; 0],
    uri: String,
    creator_token: Option<CreatorShape<'a>>,
    owner: OwnerShape<'a>,
}

#[derive(Serialize)]
struct CreatorShape<'a> {
    id: String,
    description: &'a str,
}

#[derive(Serialize)]
struct OwnerShape<'a> {
    id: ProjectId,
    name: &'a str,
}

pub(in crate::api) fn print_token(
    token: &Token,
    secret: &str,
    owner: &Project,
    now: Timestamp,
    base: &Base,
) -> Response {
    Json(VerifiedTokenShape {
        id: token.id.to_string(),
        token: secret,
        description: &token.description,
        created: token.created_at,
        refreshed: token.refreshed_at,
        expires: token.expires_at,
        is_expired: token.expires_at.is_some_and(|expires| expires <= now),
        is_disabled: token.is_disabled,
        is_master_token: token.is_master,
        can_manage_buckets: token.can_manage_buckets,
        can_manage_tokens: token.can_manage_tokens,
        can_read_all_file_uploads: token.can_read_all_file_uploads,
        can_purge_trash: token.can_purge_trash,
        bucket_permissions: Map::new(),
        component_access: [],
        uri: base.token(token.id),
        creator_token: token.creator.as_ref().map(|creator| CreatorShape {
            id: creator.id.to_string(),
            description: &creator.description,
        }),
        owner: OwnerShape {
            id: owner.id,
            name: &owner.name,
        },
    })
    .into_response()
}
