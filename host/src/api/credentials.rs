//! `/credentials`: a project's secrets for other people's services. Written and never shown again.

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
    check_may_manage(&caller)?;
    let name = name.read(credential_name)?;
    let credential = check(|faults| read_credential(&body, name, faults))?;
    let credential = credential.ok_or_else(|| ApiError::fault("", "must be a credential"))?;
    let sealed = state.tokens.seal_credential(caller.project, &credential)?;
    let now = state.clock.now();
    match state
        .store
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
    check_may_manage(&caller)?;
    let name = name.read(credential_name)?;
    if state.store.delete_credential(caller.project, name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound)
    }
}

fn credential_name(text: &str) -> Option<String> {
    is_credential_name(text).then(|| text.to_owned())
}

/// Credentials are like tokens: not every token that runs orchestrations, and that components get to see, may change them.
fn check_may_manage(caller: &Caller) -> Result<(), ApiError> {
    if caller.token.rights.manages_tokens() {
        Ok(())
    } else {
        Err(ApiError::Forbidden("manage credentials"))
    }
}
