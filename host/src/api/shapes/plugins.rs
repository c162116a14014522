//! How plugins and components look. Manifests are printed as their components carry them.

use crate::api::addresses::Base;
use crate::domain::plugin::{Capability, Component, Grant};
use crate::domain::time::Timestamp;
use crate::registry::{Asked, Origin, PluginView, VersionState, VersionView};
use axum::Json;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A task type or a way of delivery. Lists leave `manifest` and `versions` out.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Plugin")]
pub(in crate::api) struct PluginShape<'a> {
    id: &'a str,
    #[schemars(extend("enum" = ["task", "delivery"]))]
    kind: &'static str,
    #[schemars(extend("enum" = ["built-in", "shared", "project"]))]
    origin: &'static str,
    /// `ready` where new runs get a version of it.
    #[schemars(extend("enum" = ["ready", "awaiting-grant"]))]
    status: &'static str,
    /// The one that new runs get.
    version: Option<&'a str>,
    newest_version: Option<&'a str>,
    description: &'a str,
    asked: AskedShape,
    /// Null where nothing was granted yet, and for what is not the project's own: that may use all that it asks for.
    granted: Option<&'a Grant>,
    /// What the newest version asks for and waits for.
    newly_asked: AskedShape,
    #[schemars(extend("format" = "uri"))]
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// As its component carries it.
    #[schemars(with = "Option<Map<String, Value>>")]
    manifest: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionShape<'a>>>,
}

/// What a plugin asks to be allowed.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Asked")]
pub(in crate::api) struct AskedShape {
    capabilities: Vec<Capability>,
    hosts: Vec<String>,
    credentials: Vec<String>,
}

/// One version of a plugin.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PluginVersion")]
pub(in crate::api) struct VersionShape<'a> {
    version: &'a str,
    #[schemars(extend("enum" = ["serving", "awaiting-grant", "superseded"]))]
    status: &'static str,
    digest: &'a str,
    size_bytes: u64,
    created_time: Option<Timestamp>,
    contract: &'static str,
    asked: AskedShape,
}

impl From<Asked> for AskedShape {
    fn from(asked: Asked) -> Self {
        Self {
            capabilities: asked.capabilities,
            hosts: asked.hosts,
            credentials: asked.credentials,
        }
    }
}

pub(in crate::api) fn print_plugin(plugin: &PluginView, base: &Base) -> Response {
    let mut shape = shape(plugin, base);
    let current = plugin.current();
    shape.manifest =
        current.and_then(|version| RawValue::from_string(version.manifest.json().to_owned()).ok());
    shape.versions = Some(versions(plugin));
    Json(shape).into_response()
}

pub(in crate::api) fn print_plugins(plugins: &[PluginView], base: &Base) -> Response {
    let shapes: Vec<_> = plugins.iter().map(|plugin| shape(plugin, base)).collect();
    Json(shapes).into_response()
}

pub(in crate::api) fn print_versions(plugin: &PluginView) -> Response {
    Json(versions(plugin)).into_response()
}

fn versions(plugin: &PluginView) -> Vec<VersionShape<'_>> {
    plugin.versions.iter().map(version_shape).collect()
}

fn version_shape(version: &VersionView) -> VersionShape<'_> {
    VersionShape {
        version: &version.manifest.version,
        status: match version.state {
            VersionState::Serving => "serving",
            VersionState::AwaitingGrant => "awaiting-grant",
            VersionState::Superseded => "superseded",
        },
        digest: &version.digest,
        size_bytes: version.size_bytes,
        created_time: version.created_at,
        contract: crate::plugins::CONTRACT,
        asked: version.asked().into(),
    }
}

fn shape<'a>(plugin: &'a PluginView, base: &Base) -> PluginShape<'a> {
    let serving = plugin.serving();
    let current = plugin.current();
    PluginShape {
        id: &plugin.id,
        kind: plugin.kind.as_str(),
        origin: match plugin.origin {
            Origin::BuiltIn => "built-in",
            Origin::Shared => "shared",
            Origin::Project => "project",
        },
        status: if serving.is_some() {
            "ready"
        } else {
            "awaiting-grant"
        },
        version: serving.map(|version| version.manifest.version.as_str()),
        newest_version: plugin
            .versions
            .first()
            .map(|version| version.manifest.version.as_str()),
        description: current.map_or("", |version| version.manifest.description.as_str()),
        asked: current.map(VersionView::asked).unwrap_or_default().into(),
        granted: plugin.granted.as_ref(),
        newly_asked: plugin.newly_asked().into(),
        uri: base.plugin(&plugin.id),
        manifest: None,
        versions: None,
    }
}

/// What tasks mean by a component's name.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Component")]
pub(in crate::api) struct ComponentShape<'a> {
    name: &'a str,
    plugin: &'a str,
    config: &'a Map<String, Value>,
    url: Option<&'a str>,
    created_time: Timestamp,
    updated_time: Timestamp,
    #[schemars(extend("format" = "uri"))]
    uri: String,
}

pub(in crate::api) fn print_component(component: &Component, base: &Base) -> Response {
    Json(component_shape(component, base)).into_response()
}

pub(in crate::api) fn print_components(components: &[Component], base: &Base) -> Response {
    let shapes = components.iter().map(|one| component_shape(one, base));
    Json(shapes.collect::<Vec<_>>()).into_response()
}

fn component_shape<'a>(component: &'a Component, base: &Base) -> ComponentShape<'a> {
    ComponentShape {
        name: &component.name,
        plugin: &component.plugin,
        config: &component.config,
        url: component.url.as_deref(),
        created_time: component.created_at,
        updated_time: component.updated_at,
        uri: base.component(&component.name),
    }
}
