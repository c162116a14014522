//! What a call that makes a job may ask of it.

use super::Fields;
use super::notifications::read_emails_of;
use super::tasks::{TaskIds, read_tasks_of};
use crate::domain::faults::Faults;
use crate::domain::ids::OrchestrationId;
use crate::domain::task::Task;
use serde_json::{Map, Value};

/// Wishes for one run.
#[derive(Debug, Default)]
pub(in crate::api) struct RunBody {
    /// Never empty.
    pub(in crate::api) notifications_emails: Option<Vec<String>>,
    /// The orchestration's tasks with the `active` flags of this run; their ids are empty.
    pub(in crate::api) tasks: Option<Vec<Task>>,
}

pub(in crate::api) fn read_run(body: &Map<String, Value>, faults: &mut Faults) -> RunBody {
    RunBody {
        notifications_emails: read_emails_of(body, faults),
        tasks: read_tasks_of(body, TaskIds::Ignored, faults),
    }
}

/// The orchestration that the body of `/run` names. `None` only beside a fault.
pub(in crate::api) fn read_config(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> Option<OrchestrationId> {
    let mut fields = Fields::new(body, "", faults);
    if fields.get("config").is_none() {
        fields.fault("config", "is required");
    }
    fields.id("config", OrchestrationId::from_text)
}
