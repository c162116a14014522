//! `/orchestrations`, one of them, and its token.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::notifications::check_configurations;
use super::paths::IdText;
use super::read::{self, check};
use super::shapes::{print_orchestration, print_orchestrations};
use super::tasks::check_parameters;
use super::{ApiError, ApiState};
use crate::domain::ids::{OrchestrationId, TokenId};
use crate::domain::orchestration::Orchestration;
use crate::store::{NewOrchestration, NewToken, OrchestrationChange, TokenChoice, Updated};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn list_orchestrations(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
) -> Result<Response, ApiError> {
    let orchestrations = state.store.list_orchestrations(caller.project).await?;
    Ok(print_orchestrations(&orchestrations, &base))
}

pub(super) async fn read_orchestration(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let orchestration = state.store.read_orchestration(caller.project, id).await?;
    Ok(print_orchestration(
        &orchestration.ok_or(ApiError::NotFound)?,
        &base,
    ))
}

pub(super) async fn create_orchestration(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let body = check(|faults| read::read_create(&body, faults))?;
    check_parameters(&state, &caller, &body.tasks, "tasks").await?;
    check_configurations(&state, &caller, &body.notifications, "notifications").await?;
    let token = choose_token(&state, &caller, body.token_id, &body.name).await?;
    let made_elsewhere = match &token {
        TokenChoice::Made(id) => Some(*id),
        TokenChoice::Make(_) | TokenChoice::Existing(_) => None,
    };
    let new = NewOrchestration {
        project_id: caller.project,
        name: body.name,
        crontab_record: body.crontab_record,
        active: body.active,
        token,
        tasks: body.tasks,
        notifications: body.notifications,
    };
    let created = caller
        .store(&state)
        .create_orchestration(new, state.clock.now())
        .await;
    if let (Err(_) | Ok(None), Some(token)) = (&created, made_elsewhere) {
        state
            .store
            .delete_token(caller.project, token, state.clock.now())
            .await?;
        let secret = caller.secret();
        state.tokens.delete_elsewhere(secret, token).await;
    }
    let created = created?.ok_or_else(|| no_such_token(body.token_id))?;
    state.scheduler.poke();
    Ok((StatusCode::CREATED, print_orchestration(&created, &base)).into_response())
}

pub(super) async fn update_orchestration(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let change = check(|faults| read::read_update(&body, faults))?;
    let tasks = change.tasks.as_deref().unwrap_or_default();
    check_parameters(&state, &caller, tasks, "tasks").await?;
    let notifications = change.notifications.as_deref().unwrap_or_default();
    check_configurations(&state, &caller, notifications, "notifications").await?;
    if let Some(token) = change.token_id {
        caller.check_may_assign(token)?;
        keep_own(&state, &caller, token).await?;
    }
    let updated = save(&state, &caller, id, change).await?;
    Ok(print_orchestration(&updated, &base))
}

/// Changes an orchestration. The scheduler is told where that may be about its schedule.
pub(super) async fn save(
    state: &ApiState,
    caller: &Caller,
    id: OrchestrationId,
    change: OrchestrationChange,
) -> Result<Orchestration, ApiError> {
    let token_id = change.token_id;
    let names_schedule = change.crontab_record.is_some() || change.active.is_some();
    let updated = caller
        .store(state)
        .update_orchestration(caller.project, id, change, state.clock.now())
        .await?;
    match updated {
        Updated::Done(orchestration) => {
            if names_schedule {
                state.scheduler.poke();
            }
            Ok(*orchestration)
        }
        Updated::NotFound => Err(ApiError::NotFound),
        Updated::NoSuchToken => Err(no_such_token(token_id)),
    }
}

/// Its waiting jobs are cancelled with it.
pub(super) async fn delete_orchestration(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<StatusCode, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let before = if state.tokens.are_elsewhere() {
        state.store.read_orchestration(caller.project, id).await?
    } else {
        None
    };
    if !caller
        .store(&state)
        .delete_orchestration(caller.project, id, state.clock.now())
        .await?
    {
        return Err(ApiError::NotFound);
    }
    if let Some(token) = before.map(|before| before.token.id)
        && state
            .store
            .read_token(caller.project, token)
            .await?
            .is_none()
    {
        // Its row went with the orchestration: it was made for it.
        let secret = caller.secret();
        state.tokens.delete_elsewhere(secret, token).await;
    }
    state.scheduler.poke();
    state.runner.poke();
    state.events.poke();
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn refresh_token(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    _body: JsonObject,
) -> Result<Response, ApiError> {
    let id = id.read(OrchestrationId::from_text)?;
    let orchestration = state.store.read_orchestration(caller.project, id).await?;
    let orchestration = orchestration.ok_or(ApiError::NotFound)?;
    if state.tokens.are_elsewhere() {
        let (token, secret) = (orchestration.token.id, caller.secret());
        let refreshed = state
            .tokens
            .refresh_elsewhere(caller.project, token, secret);
        refreshed.await?;
        return Ok(print_orchestration(&orchestration, &base));
    }
    let name = orchestration.name;
    let token = make_token(&state, &caller, &name)?;
    let refreshed = caller
        .store(&state)
        .refresh_orchestration_token(caller.project, id, token, state.clock.now())
        .await?;
    Ok(print_orchestration(
        &refreshed.ok_or(ApiError::NotFound)?,
        &base,
    ))
}

/// The token that a new orchestration is to have.
async fn choose_token(
    state: &ApiState,
    caller: &Caller,
    wanted: Option<TokenId>,
    name: &str,
) -> Result<TokenChoice, ApiError> {
    match wanted {
        Some(id) => {
            caller.check_may_assign(id)?;
            keep_own(state, caller, id).await?;
            Ok(TokenChoice::Existing(id))
        }
        None if state.tokens.are_elsewhere() => {
            let description = describe(name);
            let secret = caller.secret();
            let made = state
                .tokens
                .make_elsewhere(&caller.token, secret, &description);
            Ok(TokenChoice::Made(made.await?))
        }
        None => make_token(state, caller, name).map(TokenChoice::Make),
    }
}

/// A token that is kept elsewhere can be used by an orchestration once its value is known: that of the caller is.
async fn keep_own(state: &ApiState, caller: &Caller, id: TokenId) -> Result<(), ApiError> {
    if id == caller.token.id && state.tokens.are_elsewhere() {
        let secret = caller.secret();
        state.tokens.keep_elsewhere(&caller.token, secret).await?;
    }
    Ok(())
}

/// Of a token that is made for an orchestration of that name.
fn describe(name: &str) -> String {
    format!("Orchestrator {name}")
}

/// A token for an orchestration, confined to the components that its maker is confined to.
fn make_token(state: &ApiState, caller: &Caller, name: &str) -> Result<NewToken, ApiError> {
    let description = describe(name);
    let creator = Some(caller.as_creator());
    let mut token = state.tokens.new_token(description, creator)?;
    token
        .rights
        .component_access
        .clone_from(&caller.token.rights.component_access);
    Ok(token)
}

fn no_such_token(id: Option<TokenId>) -> ApiError {
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    ApiError::fault(
        "tokenId",
        format!(
            "must be the id of a usable token of this project, and {id} is unknown, disabled or expired"
        ),
    )
}
