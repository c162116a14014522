//! Jobs, what became of their tasks, and what happens to them.

use super::{Status, Task, TokenReference};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: i64,
    pub orchestration_id: i64,
    pub created_time: String,
    pub start_time: Option<String>,
    pub end_time: Option<String>,
    pub status: Status,
    pub is_finished: bool,
    /// `manually`, `scheduler` or `trigger`.
    pub initialized_by: String,
    pub token: TokenReference,
    pub initiator_token: Option<InitiatorToken>,
    /// `None` until it has started.
    pub results: Option<Results>,
    pub notifications_emails: Vec<String>,
    /// Absent from lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
    pub run_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<String>,
    pub uri: String,
    pub url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitiatorToken {
    pub id: i64,
    pub description: String,
    pub user_agent: Option<String>,
}

/// Of the tasks that have begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub tasks: Vec<TaskResult>,
    /// The same entries in the order in which they ran.
    pub phases: Vec<Vec<TaskResult>>,
}

/// The task as configured, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub action_parameters: Map<String, Value>,
    pub continue_on_failure: bool,
    pub timeout_minutes: Option<u32>,
    pub active: bool,
    pub phase: Option<String>,
    pub run_id: String,
    pub status: Status,
    pub start_time: String,
    pub end_time: Option<String>,
    /// Whole seconds; `None` while it runs.
    pub duration: Option<u64>,
    /// The last JSON that the component answered.
    pub response: Option<Value>,
    /// Stable name of what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What one run is to be like; the default is the orchestration as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunWish {
    /// Who is told when it fails, in place of the orchestration's subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notifications_emails: Option<Vec<String>>,
    /// The orchestration's tasks in their order, with this run's `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
}

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// A place in the order of all events.
    pub id: String,
    /// `job`, `task`, `log` or `limit`.
    pub event: String,
    /// With milliseconds.
    pub time: String,
    pub job_id: i64,
    pub orchestration_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<EventTask>,
    /// Of `job` and `task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Of `log`: `debug`, `info`, `warning`, `error` or `stderr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// As much of a task as tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventTask {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_url: Option<String>,
    pub phase: Option<String>,
}

impl EventTask {
    /// The component's name or address.
    #[must_use]
    pub fn target(&self) -> &str {
        super::target(&self.component, &self.component_url)
    }
}

impl TaskResult {
    /// The component's name or address.
    #[must_use]
    pub fn target(&self) -> &str {
        super::target(&self.component, &self.component_url)
    }
}

/// What the tasks of a job have used so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub tasks: Vec<TaskUsage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskUsage {
    pub id: String,
    pub run_id: String,
    pub status: Status,
    pub cpu_milliseconds: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}
