//! `/plugins`, `/components` and `/credentials`: what tasks are made of.

use crate::api::openapi::failures::{
    BODY_TIMEOUT, BODY_TOO_LARGE, BODY_UNREADABLE, FORBIDDEN, OVER_QUOTA, PLUGIN_CHANGED,
    PLUGIN_ID_TAKEN, PLUGIN_IN_USE, PLUGIN_INVALID, PLUGIN_KIND, PLUGIN_VERSION_EXISTS,
    TOO_MANY_COMPONENTS, TOO_MANY_CREDENTIALS, UNSUPPORTED_MEDIA_TYPE,
};
use crate::api::openapi::operation::{Group, JSON, Operation};
use crate::api::read::{ComponentWish, GrantBody};
use crate::api::shapes::{ComponentShape, CredentialShape, PluginShape, VersionShape};
use crate::domain::credential::Credential;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;

const PLUGINS: Group = Group("Plugins");
const COMPONENTS: Group = Group("Components");
const CREDENTIALS: Group = Group("Credentials");
type Plugin = PluginShape<'static>;
type Component = ComponentShape<'static>;
type Kept = CredentialShape<'static>;

/// The bytes of a WebAssembly component, which no JSON schema knows.
struct Bytes;

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "binary"})
    }
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9._-]+$"})
}

fn component_name() -> Value {
    let pattern =
        r"^[^\x00-\x1f\x7f-\x9f/\\]*[^\s\x00-\x1f\x7f-\x9f/\\.][^\x00-\x1f\x7f-\x9f/\\]*$";
    json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": pattern})
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = plugins();
    all.extend(components());
    all.extend(credentials());
    all
}

fn plugins() -> Vec<Operation> {
    let of_one = |path, id, summary| {
        let id_schema = json!({"type": "string", "minLength": 1, "maxLength": 64});
        let call = PLUGINS.call(path, id, summary);
        call.at("id", &id_schema, "The id of the plugin.")
    };
    vec![
        PLUGINS
            .call("GET /plugins", "listPlugins", "All plugins")
            .says("Those of the server, of its operator and of the project.")
            .gives::<[Plugin]>(
                200,
                "Plugins, without their manifests and versions.",
                "plugins",
            ),
        PLUGINS
            .call(
                "POST /plugins",
                "uploadPlugin",
                "Upload a version of a plugin",
            )
            .says("The token has to be one that manages tokens.")
            .may_take::<Bytes>("application/wasm", "")
            .gives::<Plugin>(200, "This version was there already.", "plugin")
            .gives::<Plugin>(201, "The plugin with its new version.", "plugin")
            .fails(&[FORBIDDEN, OVER_QUOTA, BODY_UNREADABLE, BODY_TIMEOUT])
            .fails(&[BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, PLUGIN_INVALID])
            .fails(&[PLUGIN_VERSION_EXISTS, PLUGIN_ID_TAKEN, PLUGIN_KIND]),
        of_one("GET /plugins/{id}", "readPlugin", "A plugin").gives::<Plugin>(
            200,
            "The plugin.",
            "plugin",
        ),
        of_one("DELETE /plugins/{id}", "deletePlugin", "Delete a plugin")
            .gives_nothing(204, "It is gone with all its versions.")
            .fails(&[FORBIDDEN, PLUGIN_IN_USE]),
        of_one(
            "GET /plugins/{id}/versions",
            "listPluginVersions",
            "The versions of a plugin",
        )
        .gives::<[VersionShape<'static>]>(200, "Versions, newest first.", "versions"),
        of_one(
            "PUT /plugins/{id}/grant",
            "grantPlugin",
            "Say what a plugin may do",
        )
        .says("The token has to be one that manages tokens.")
        .may_take::<GrantBody>(JSON, "grant")
        .gives::<Plugin>(200, "The plugin as it is now.", "plugin")
        .fails(&[FORBIDDEN, PLUGIN_CHANGED]),
    ]
}

fn components() -> Vec<Operation> {
    let of_one = |path, id, summary| {
        let call = COMPONENTS.call(path, id, summary);
        call.at("name", &component_name(), "The name that tasks use.")
    };
    vec![
        COMPONENTS
            .call("GET /components", "listComponents", "All components")
            .gives::<[Component]>(200, "The components of the project.", "components"),
        of_one("GET /components/{name}", "readComponent", "A component").gives::<Component>(
            200,
            "The component.",
            "component",
        ),
        of_one(
            "PUT /components/{name}",
            "saveComponent",
            "Save a component",
        )
        .says("It counts for all orchestrations: the token has to be one that manages tokens.")
        .takes::<ComponentWish>("newComponent")
        .gives::<Component>(200, "The component as it is now.", "component")
        .fails(&[FORBIDDEN, TOO_MANY_COMPONENTS]),
        of_one(
            "DELETE /components/{name}",
            "deleteComponent",
            "Delete a component",
        )
        .gives_nothing(204, "It is gone.")
        .fails(&[FORBIDDEN]),
    ]
}

fn credentials() -> Vec<Operation> {
    let of_one = |path, id, summary| {
        let call = CREDENTIALS.call(path, id, summary);
        call.at("name", &name(), "The name of the credential.")
    };
    vec![
        CREDENTIALS
            .call("GET /credentials", "listCredentials", "All credentials")
            .gives::<[Kept]>(
                200,
                "The credentials of the project, without their secrets.",
                "credentials",
            ),
        of_one("GET /credentials/{name}", "readCredential", "A credential").gives::<Kept>(
            200,
            "The credential, without its secret.",
            "credential",
        ),
        of_one(
            "PUT /credentials/{name}",
            "saveCredential",
            "Save a credential",
        )
        .says("The token has to be one that manages tokens.")
        .takes::<Credential>("newCredential")
        .gives::<Kept>(
            200,
            "The credential in place of the one before.",
            "credential",
        )
        .gives::<Kept>(201, "The new credential.", "credential")
        .fails(&[FORBIDDEN, TOO_MANY_CREDENTIALS]),
        of_one(
            "DELETE /credentials/{name}",
            "deleteCredential",
            "Delete a credential",
        )
        .gives_nothing(204, "It is gone.")
        .fails(&[FORBIDDEN]),
    ]
}
