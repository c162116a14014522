//! What a project lets a plugin do, and what its tasks mean by a component's name.
//!
//! A plugin may use what its manifest asks for and the project's [`Grant`] allows: the less of both, always.

use crate::domain::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Versions of a plugin that are kept beside the one that serves and those that tasks under way began with.
pub const MOST_IDLE_VERSIONS: usize = 10;
/// Most entries of a project's component registry.
pub const MOST_COMPONENTS: usize = 1_000;
/// Largest configuration of a plugin, as JSON text.
pub const MOST_CONFIG_BYTES: usize = 64 << 10;

/// What a plugin can do beyond logging and, for tasks, saving checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Requests to the manifest's `hosts`.
    Http,
    /// Mail through the host's server; for deliveries only.
    Mail,
}

impl Capability {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Mail => "mail",
        }
    }
}

/// What a project allows a plugin of its own. The JSON form is both what the API takes and what the database keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    pub capabilities: Vec<Capability>,
    /// Patterns as in a manifest, checked to be valid.
    pub hosts: Vec<String>,
    /// Names of credentials, or `named`, as in a manifest.
    #[serde(default)]
    pub credentials: Vec<String>,
    #[serde(default)]
    pub limits: GrantedLimits,
}

/// Limits of one call, below those of the server and of the manifest; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GrantedLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mebibytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_kibibytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_kibibytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_request_kibibytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_response_kibibytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_requests_at_once: Option<u32>,
}

/// An entry of a project's component registry: what tasks that name it run.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    pub name: String,
    /// The id of the plugin that runs them.
    pub plugin: String,
    /// What that plugin is told; checked against its schema when it was saved.
    pub config: Map<String, Value>,
    /// In place of the server's address of components; no trailing slash.
    pub url: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a task used, all its steps and attempts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time in which the plugin computed, in microseconds.
    pub cpu_micros: u64,
    /// Bodies of its requests.
    pub sent_bytes: u64,
    /// Bodies of the answers to them.
    pub received_bytes: u64,
}
