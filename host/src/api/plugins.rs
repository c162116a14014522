//! `/plugins`: the plugins that a project sees, uploads, grants rights to and deletes.
//!
//! Any token of the project may look. Whoever uploads code, or says what it may reach, decides for all of the project's
//! orchestrations: that needs a token that manages tokens.

use super::addresses::Base;
use super::auth::Caller;
use super::body::{JsonObject, read_component};
use super::paths::IdText;
use super::read::{check, read_grant};
use super::shapes::{print_plugin, print_plugins, print_versions};
use super::{ApiError, ApiState};
use crate::domain::faults::Faults;
use crate::registry::{Granted, Origin, PluginView, Uploaded};
use crate::store::DeletedPlugin;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(super) async fn list_plugins(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
) -> Result<Response, ApiError> {
    let plugins = state.registry.list(caller.project).await?;
    Ok(print_plugins(&plugins, &base))
}

pub(super) async fn upload_plugin(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    request: Request,
) -> Result<Response, ApiError> {
    caller.check_manages("upload plugins")?;
    let bytes = read_component(request, state.settings.plugin_limit, &state.limiter).await?;
    let now = state.clock.now();
    let registry = caller.registry(&state);
    let uploaded = registry.upload(caller.project, bytes, now).await?;
    let conflict = |code, message: String| Err(ApiError::PluginConflict { code, message });
    match uploaded {
        Uploaded::Added(plugin) => {
            Ok((StatusCode::CREATED, print_plugin(&plugin, &base)).into_response())
        }
        Uploaded::Exists(plugin) => Ok(print_plugin(&plugin, &base)),
        Uploaded::OtherContent { id, version } => conflict(
            "PLUGIN_VERSION_EXISTS",
            format!(
                "There is a version {version} of {id} with other contents: give this one a new version"
            ),
        ),
        Uploaded::Taken { id } => conflict(
            "PLUGIN_ID_TAKEN",
            format!(
                "The id {id} belongs to a plugin of the server or its operator: give yours another one"
            ),
        ),
        Uploaded::OtherKind { id, kind } => conflict(
            "PLUGIN_KIND",
            format!(
                "The plugin {id} is of the kind {} and stays that",
                kind.as_str()
            ),
        ),
    }
}

pub(super) async fn read_plugin(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
) -> Result<Response, ApiError> {
    let plugin = find(&state, &caller, &id).await?;
    Ok(print_plugin(&plugin, &base))
}

pub(super) async fn list_versions(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<Response, ApiError> {
    let plugin = find(&state, &caller, &id).await?;
    Ok(print_versions(&plugin))
}

pub(super) async fn grant_plugin(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    id: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let id = id.into_text();
    // What does not exist is said before what may not be done.
    if state.registry.show(caller.project, &id).await?.is_none() {
        return Err(ApiError::NotFound);
    }
    caller.check_manages("grant rights to plugins")?;
    let plugins = state.registry.plugins();
    let (grant, version) = check(|faults: &mut Faults| {
        let (grant, version) = read_grant(&body, faults);
        plugins.check_granted_hosts(&grant.hosts, "hosts", faults);
        (grant, version)
    })?;
    let registry = caller.registry(&state);
    let now = state.clock.now();
    let granted = registry.grant(caller.project, &id, grant, version.as_deref(), now);
    match granted.await? {
        Granted::Done(plugin) => Ok(print_plugin(&plugin, &base)),
        Granted::NotFound => Err(ApiError::NotFound),
        Granted::NotOwn => Err(ApiError::Forbidden(
            "grant rights to a plugin of the server or its operator",
        )),
        Granted::Changed => Err(ApiError::PluginConflict {
            code: "PLUGIN_CHANGED",
            message: format!("The newest version of {id} is another one: look at what it asks for"),
        }),
    }
}

pub(super) async fn delete_plugin(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
) -> Result<StatusCode, ApiError> {
    let plugin = find(&state, &caller, &id).await?;
    caller.check_manages("delete plugins")?;
    if plugin.origin != Origin::Project {
        return Err(ApiError::Forbidden(
            "delete a plugin of the server or its operator",
        ));
    }
    let registry = caller.registry(&state);
    let now = state.clock.now();
    match registry.delete(caller.project, &plugin.id, now).await? {
        DeletedPlugin::Done => Ok(StatusCode::NO_CONTENT),
        DeletedPlugin::NotFound => Err(ApiError::NotFound),
        DeletedPlugin::InUse(users) => Err(ApiError::PluginInUse(users)),
    }
}

async fn find(state: &ApiState, caller: &Caller, id: &IdText) -> Result<PluginView, ApiError> {
    let found = state.registry.show(caller.project, id.text()).await?;
    found.ok_or(ApiError::NotFound)
}
