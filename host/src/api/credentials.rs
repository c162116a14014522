//! `/credentials`: a project's secrets for other people's services. Written and never shown again.
//!
//! They are like tokens: not every token that runs orchestrations, and that components get to see, may change them.

use super::auth::Caller;
use super::body::JsonObject;
use super::paths::IdText;
use super::read::{check, read_credential};
use super::shapes::{print_credential, print_credentials};
use super::{ApiError, ApiState};
use crate::domain::credential::is_credential_name;
use crate::store::PutCredential;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn list_credentials(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let kept = state.store.list_credentials(caller.project).await?;
    Ok(print_credentials(&kept))
}

pub(super) async fn read_one_credential(
    State(state): State<ApiState>,
    caller: Caller,
    name: IdText,
) -> Result<Response, ApiError> {
    let name = name.read(credential_name)?;
    let kept = state.store.read_credential(caller.project, &name).await?;
    Ok(print_credential(&kept.ok_or(ApiError::NotFound)?))
}

pub(super) async fn put_credential(
    State(state): State<ApiState>,
    caller: Caller,
    name: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    caller.check_manages("manage credentials")?;
    let name = name.read(credential_name)?;
    let credential = check(|faults| read_credential(&body, name, faults))?;
    let credential = credential.ok_or_else(|| ApiError::fault("", "must be a credential"))?;
    let sealed = state.tokens.seal_credential(caller.project, &credential)?;
    let now = state.clock.now();
    match caller
        .store(&state)
        .put_credential(caller.project, sealed, now)
        .await?
    {
        PutCredential::Created(kept) => {
            Ok((StatusCode::CREATED, print_credential(&kept)).into_response())
        }
        PutCredential::Replaced(kept) => Ok(print_credential(&kept)),
        PutCredential::TooMany => Err(ApiError::TooManyCredentials),
    }
}

pub(super) async fn delete_credential(
    State(state): State<ApiState>,
    caller: Caller,
    name: IdText,
) -> Result<StatusCode, ApiError> {
    caller.check_manages("manage credentials")?;
    let name = name.read(credential_name)?;
    let deleted = caller
        .store(&state)
        .delete_credential(caller.project, name, state.clock.now())
        .await?;
    if deleted {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound)
    }
}

fn credential_name(text: &str) -> Option<String> {
    is_credential_name(text).then(|| text.to_owned())
}
