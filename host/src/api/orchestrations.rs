//! `/orchestrations`, one of them, and its token.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::paths::IdText;
use super::read::{self, check};
use super::shapes::{print_orchestration, print_orchestrations};
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
    let token = match body.token_id {
        Some(id) => {
            caller.check_may_assign(id)?;
            TokenChoice::Existing(id)
        }
        None => TokenChoice::Make(make_token(&state, &caller, &body.name)?),
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
        .await?;
    let created = created.ok_or_else(|| no_such_token(body.token_id))?;
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
    if let Some(token) = change.token_id {
        caller.check_may_assign(token)?;
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
    if !caller
        .store(&state)
        .delete_orchestration(caller.project, id, state.clock.now())
        .await?
    {
        return Err(ApiError::NotFound);
    }
    state.scheduler.poke();
    state.runner.poke();
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
    let name = orchestration.ok_or(ApiError::NotFound)?.name;
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

/// A token for an orchestration, confined to the components that its maker is confined to.
fn make_token(state: &ApiState, caller: &Caller, name: &str) -> Result<NewToken, ApiError> {
    let description = format!("Orchestrator {name}");
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
