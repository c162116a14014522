//! `/v2/storage/tokens`: what a token is, told to its bearer, and the tokens of a project, managed by those that may.
//!
//! A secret is printed to whoever presented it or made it just now, and never again.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonOrForm;
use super::paths::IdText;
use super::read::{check, read_token_change};
use super::shapes::{print_token, print_token_with_secret, print_tokens};
use super::{ApiError, ApiState};
use crate::domain::ids::TokenId;
use crate::store::{ChangedToken, DeletedToken, NewToken, Project, Token};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn verify_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
) -> Result<Response, ApiError> {
    let owner = owner_of(&state, &caller).await?;
    let now = state.clock.now();
    if caller.has_session() {
        // A page is not to have it.
        return Ok(print_token(&caller.token, &owner, now, &base));
    }
    let secret = caller.secret();
    if state.tokens.are_elsewhere() {
        let answer = state.tokens.verify_elsewhere(secret).await?;
        return Ok(Json(answer.ok_or(ApiError::Unauthorized)?).into_response());
    }
    Ok(print_token_with_secret(
        &caller.token,
        secret,
        &owner,
        now,
        &base,
    ))
}

pub(super) async fn list_tokens(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    caller.check_manages("manage tokens")?;
    let owner = owner_of(&state, &caller).await?;
    let tokens = state.store.list_tokens(caller.project).await?;
    Ok(print_tokens(&tokens, &owner, state.clock.now(), &base))
}

pub(super) async fn create_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    JsonOrForm(body): JsonOrForm,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    caller.check_manages("manage tokens")?;
    let wish = check(|faults| read_token_change(&body, faults))?;
    let now = state.clock.now();
    let own = &caller.token.rights;
    let rights = own.of_new_token().changed(&wish.rights, now);
    if let Some(refused) = own.forbid_giving(&rights, None) {
        return Err(ApiError::Forbidden(refused));
    }
    let owner = owner_of(&state, &caller).await?;
    let (kept, secret) = state.tokens.new_secret()?;
    let new = NewToken {
        description: wish.description.unwrap_or_default(),
        secret: kept,
        rights,
        creator: Some(caller.as_creator()),
    };
    let store = caller.store(&state);
    let token = store.create_token(caller.project, new, now).await?;
    let printed = print_token_with_secret(&token, &secret, &owner, now, &base);
    Ok((StatusCode::CREATED, printed).into_response())
}

pub(super) async fn read_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let id = id.read(TokenId::from_text)?;
    check_may_see(&caller, id)?;
    let token = state.store.read_token(caller.project, id).await?;
    let token = token.ok_or(ApiError::NotFound)?;
    let owner = owner_of(&state, &caller).await?;
    Ok(print_token(&token, &owner, state.clock.now(), &base))
}

pub(super) async fn update_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    JsonOrForm(body): JsonOrForm,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let id = id.read(TokenId::from_text)?;
    caller.check_manages("manage tokens")?;
    let change = check(|faults| read_token_change(&body, faults))?;
    let owner = owner_of(&state, &caller).await?;
    let now = state.clock.now();
    let store = caller.store(&state);
    let by = caller.token.rights;
    let changed = store.update_token(caller.project, id, change, by, now);
    let token = changed_token(changed.await?)?;
    Ok(print_token(&token, &owner, now, &base))
}

pub(super) async fn delete_token(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<StatusCode, ApiError> {
    state.tokens.check_are_here()?;
    let id = id.read(TokenId::from_text)?;
    caller.check_manages("manage tokens")?;
    let store = caller.store(&state);
    let now = state.clock.now();
    match store.delete_token(caller.project, id, now).await? {
        DeletedToken::Done => Ok(StatusCode::NO_CONTENT),
        DeletedToken::NotFound => Err(ApiError::NotFound),
        DeletedToken::IsMaster => Err(ApiError::MasterToken),
        DeletedToken::InUse(users) => Err(ApiError::TokenInUse(users)),
    }
}

pub(super) async fn refresh_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    _body: JsonOrForm,
) -> Result<Response, ApiError> {
    state.tokens.check_are_here()?;
    let id = id.read(TokenId::from_text)?;
    check_may_see(&caller, id)?;
    let owner = owner_of(&state, &caller).await?;
    let now = state.clock.now();
    let (kept, secret) = state.tokens.new_secret()?;
    let store = caller.store(&state);
    let by = caller.token.rights;
    let refreshed = store.refresh_token(caller.project, id, kept, by, now);
    let token = changed_token(refreshed.await?)?;
    Ok(print_token_with_secret(&token, &secret, &owner, now, &base))
}

/// A token may read and refresh itself; others only where it manages tokens.
fn check_may_see(caller: &Caller, id: TokenId) -> Result<(), ApiError> {
    if id == caller.token.id {
        Ok(())
    } else {
        caller.check_manages("manage tokens")
    }
}

pub(super) async fn owner_of(state: &ApiState, caller: &Caller) -> Result<Project, ApiError> {
    let owner = state.store.read_project(caller.project).await?;
    owner.ok_or(ApiError::Unauthorized)
}

pub(super) fn changed_token(changed: ChangedToken) -> Result<Box<Token>, ApiError> {
    match changed {
        ChangedToken::Done(token) => Ok(token),
        ChangedToken::NotFound => Err(ApiError::NotFound),
        ChangedToken::Forbidden(refused) => Err(ApiError::Forbidden(refused)),
        ChangedToken::IsMaster => Err(ApiError::MasterToken),
    }
}
