//! What a call that makes a job may ask of it.

use super::Fields;
use super::notifications::{email_schema, read_emails_of};
use super::schemas::{id, optional_list};
use super::tasks::{TaskBody, TaskIds, read_tasks_of};
use crate::domain::faults::Faults;
use crate::domain::ids::OrchestrationId;
use crate::domain::notification::MOST_NOTIFICATIONS;
use crate::domain::task::{MOST_TASKS, Task};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

/// Wishes for one run.
#[derive(Debug, Default)]
pub(in crate::api) struct RunBody {
    /// Never empty.
    pub(in crate::api) notifications_emails: Option<Vec<String>>,
    /// The orchestration's tasks with the `active` flags of this run; their ids are empty.
    pub(in crate::api) tasks: Option<Vec<Task>>,
}

body_schema!(RunBody, "NewJob", |generator| {
    let mut schema = json_schema!({"type": "object", "description": "Wishes for one run."});
    schema.insert("properties".to_owned(), wishes(generator));
    schema
});

/// The body of `/run`.
pub(in crate::api) struct RunCallBody;

body_schema!(RunCallBody, "RunCall", |generator| {
    let mut properties = wishes(generator);
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("config".to_owned(), id("The id of the orchestration."));
    }
    json_schema!({
        "type": "object", "description": "Which orchestration is to be run, and how.",
        "properties": properties, "required": ["config"],
    })
});

fn wishes(generator: &mut SchemaGenerator) -> Value {
    let tasks = generator.subschema_for::<TaskBody>();
    let email = Schema::try_from(email_schema()).unwrap_or_default();
    serde_json::json!({
        "notificationsEmails": optional_list(
            &email,
            MOST_NOTIFICATIONS,
            "Who is told when this run fails, in place of the orchestration's own subscriptions.",
        ),
        "tasks": optional_list(
            &tasks,
            MOST_TASKS,
            "All tasks of the orchestration, in their order; only `active` may differ. Ids do not count.",
        ),
    })
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
