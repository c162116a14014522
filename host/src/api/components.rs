//! `/components`: what a project's tasks mean by a component's name.
//!
//! An entry says which plugin runs tasks of that component and what it is told, or at which address the component lives.
//! It counts for all orchestrations of the project, so saving one needs a token that manages tokens.

use super::addresses::Base;
use super::auth::Caller;
use super::body::JsonObject;
use super::paths::IdText;
use super::read::{ComponentWish, check, read_component_wish};
use super::shapes::{print_component, print_components};
use super::{ApiError, ApiState};
use crate::domain::faults::Faults;
use crate::plugins::{Kind, Manifest};
use crate::registry::PluginView;
use crate::store::NewComponent;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

pub(super) async fn list_components(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
) -> Result<Response, ApiError> {
    let components = state.store.list_components(caller.project).await?;
    Ok(print_components(&components, &base))
}

pub(super) async fn read_component(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    name: IdText,
) -> Result<Response, ApiError> {
    let found = state.store.read_component(caller.project, name.text());
    let component = found.await?.ok_or(ApiError::NotFound)?;
    Ok(print_component(&component, &base))
}

pub(super) async fn save_component(
    State(state): State<ApiState>,
    caller: Caller,
    base: Base,
    name: IdText,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    caller.check_manages("change components")?;
    let name = name.into_text();
    let wish = check(|faults| read_component_wish(&name, &body, faults))?;
    let plugin = state.registry.show(caller.project, &wish.plugin).await?;
    check(|faults| check_plugin(&wish, plugin.as_ref(), faults))?;
    let new = NewComponent {
        name,
        plugin: wish.plugin,
        config: wish.config,
        url: wish.url,
    };
    let now = state.clock.now();
    let store = caller.store(&state);
    let saved = store.save_component(caller.project, new, now).await?;
    let component = saved.ok_or_else(|| ApiError::PluginConflict {
        code: "TOO_MANY_COMPONENTS",
        message: "The project has as many components as it may: delete one that is not used"
            .to_owned(),
    })?;
    Ok(print_component(&component, &base))
}

pub(super) async fn delete_component(
    State(state): State<ApiState>,
    caller: Caller,
    name: IdText,
) -> Result<StatusCode, ApiError> {
    let name = name.into_text();
    let found = state.store.read_component(caller.project, &name).await?;
    if found.is_none() {
        return Err(ApiError::NotFound);
    }
    caller.check_manages("change components")?;
    let store = caller.store(&state);
    store
        .delete_component(caller.project, name, state.clock.now())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The configuration is checked as the version wants it that serves now, or that will once it is granted what it asks for.
fn check_plugin(wish: &ComponentWish, plugin: Option<&PluginView>, faults: &mut Faults) {
    let Some(plugin) = plugin else {
        faults.add("plugin", "must be a plugin that this project has");
        return;
    };
    if plugin.kind != Kind::Task {
        faults.add("plugin", "must be a plugin of the kind task");
        return;
    }
    let manifest: Option<&Manifest> = plugin.current().map(|version| &version.manifest);
    if let Some(manifest) = manifest {
        manifest.check_config(&wish.config, "config", faults);
    }
}
