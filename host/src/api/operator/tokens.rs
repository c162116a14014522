//! `/operator/projects/{id}/tokens`: for when a project has lost its master token, or somebody else has it.

use super::Operator;
use crate::api::addresses::Base;
use crate::api::body::JsonOrForm;
use crate::api::paths::{IdText, TwoIds};
use crate::api::read::{check, read_token_change};
use crate::api::shapes::{print_token_with_secret, print_tokens};
use crate::api::tokens::changed_token;
use crate::api::{ApiError, ApiState};
use crate::domain::ids::{ProjectId, TokenId};
use crate::domain::token::{Rights, RightsChange};
use crate::store::{DeletedToken, NewToken, Project, TokenChange};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(in crate::api) async fn list_tokens(
    State(state): State<ApiState>,
    _operator: Operator,
    base: Base,
    id: IdText,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let owner = owner(&state, id.read(ProjectId::from_text)?).await?;
    let tokens = state.store.list_tokens(owner.id).await?;
    Ok(print_tokens(&tokens, &owner, state.clock.now(), &base))
}

/// Of any rights but a master's.
pub(in crate::api) async fn create_token(
    State(state): State<ApiState>,
    operator: Operator,
    base: Base,
    id: IdText,
    JsonOrForm(body): JsonOrForm,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let owner = owner(&state, id.read(ProjectId::from_text)?).await?;
    let wish = check(|faults| read_token_change(&body, faults))?;
    let now = state.clock.now();
    let (kept, secret) = state.tokens.new_secret()?;
    let new = NewToken {
        description: wish.description.unwrap_or_default(),
        secret: kept,
        rights: Rights::default().changed(&wish.rights, now),
        creator: None,
    };
    let token = operator
        .store(&state)
        .create_token(owner.id, new, now)
        .await?;
    tracing::info!(project = %owner.id, token = %token.id, "operator: token created");
    let printed = print_token_with_secret(&token, &secret, &owner, now, &base);
    Ok((StatusCode::CREATED, printed).into_response())
}

/// Deletes it, or where something uses it, disables it: either way it is refused from now on. A master token is rotated
/// instead.
pub(in crate::api) async fn revoke_token(
    State(state): State<ApiState>,
    operator: Operator,
    ids: TwoIds,
) -> Result<StatusCode, ApiError> {
    state.tokens.check_are_here()?;
    let (project, id) = ids.read(ProjectId::from_text, TokenId::from_text)?;
    let project = owner(&state, project).await?.id;
    match operator
        .store(&state)
        .delete_token(project, id, state.clock.now())
        .await?
    {
        DeletedToken::Done => {}
        DeletedToken::NotFound => return Err(ApiError::NotFound),
        DeletedToken::IsMaster => return Err(ApiError::MasterToken),
        DeletedToken::InUse(_) => {
            let change = TokenChange {
                is_disabled: Some(true),
                rights: RightsChange::default(),
                description: None,
            };
            let by = Rights::of_master();
            let now = state.clock.now();
            let disabled = operator
                .store(&state)
                .update_token(project, id, change, by, now)
                .await?;
            changed_token(disabled)?;
        }
    }
    tracing::info!(%project, token = %id, "operator: token revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Gives it a new value; the old one is invalid at once.
pub(in crate::api) async fn rotate_token(
    State(state): State<ApiState>,
    operator: Operator,
    base: Base,
    ids: TwoIds,
    _body: JsonOrForm,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let (project, id) = ids.read(ProjectId::from_text, TokenId::from_text)?;
    let owner = owner(&state, project).await?;
    let (kept, secret) = state.tokens.new_secret()?;
    let now = state.clock.now();
    let by = Rights::of_master();
    let rotated = operator
        .store(&state)
        .refresh_token(owner.id, id, kept, by, now)
        .await?;
    let token = changed_token(rotated)?;
    tracing::info!(project = %owner.id, token = %id, "operator: token rotated");
    Ok(print_token_with_secret(&token, &secret, &owner, now, &base))
}

async fn owner(state: &ApiState, id: ProjectId) -> Result<Project, ApiError> {
    let found = state.store.read_tenant(id, state.clock.now()).await?;
    let found = found.ok_or(ApiError::NotFound)?;
    Ok(Project {
        id: found.id,
        name: found.name,
    })
}
