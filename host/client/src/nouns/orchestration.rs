//! Orchestrations, their tasks and notifications.

use super::{Status, TokenReference};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orchestration {
    pub id: i64,
    pub name: String,
    /// In UTC.
    pub crontab_record: Option<String>,
    pub created_time: String,
    pub last_scheduled_time: Option<String>,
    pub next_scheduled_time: Option<String>,
    pub active: bool,
    pub token: TokenReference,
    pub uri: String,
    /// The newest one that has started.
    pub last_executed_job: Option<ExecutedJob>,
    pub notifications: Vec<Notification>,
    /// Absent from lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutedJob {
    pub id: i64,
    pub status: Status,
    pub created_time: String,
    pub start_time: Option<String>,
    pub end_time: Option<String>,
}

/// Exactly one of `component` and `component_url` is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// `None` where the server is to give it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default)]
    pub action_parameters: Map<String, Value>,
    #[serde(default)]
    pub continue_on_failure: bool,
    #[serde(default)]
    pub timeout_minutes: Option<u32>,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(default)]
    pub phase: Option<String>,
}

fn yes() -> bool {
    true
}

impl Task {
    /// The component's name or address.
    #[must_use]
    pub fn target(&self) -> &str {
        super::target(&self.component, &self.component_url)
    }
}

/// A subscription: an address, or a delivery plugin with its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub channel: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
}

/// What a new orchestration is to be, or what is to change of one: what is `None` is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrchestrationBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// `Some(None)` takes the schedule away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crontab_record: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications: Option<Vec<Notification>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
}

/// An entry of the component registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    pub name: String,
    pub plugin: String,
    pub config: Map<String, Value>,
    pub url: Option<String>,
    pub created_time: String,
    pub updated_time: String,
    pub uri: String,
}

/// What a crontab expression says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Crontab {
    pub expression: String,
    pub description: String,
    pub next_times: Vec<String>,
}
