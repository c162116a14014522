//! Orchestrations of a body: what a new one needs, and what may change of an old one.

use super::Fields;
use super::notifications::{NotificationBody, read_notifications_of};
use super::schemas::{id, optional, optional_flag, optional_list, optional_text, text};
use super::tasks::{TaskBody, TaskIds, read_tasks_of};
use crate::domain::crontab::Crontab;
use crate::domain::faults::{Fault, Faults};
use crate::domain::ids::TokenId;
use crate::domain::notification::{MOST_NOTIFICATIONS, Notification};
use crate::domain::orchestration::MOST_NAME_CHARACTERS;
use crate::domain::task::{MOST_TASKS, Task};
use crate::store::OrchestrationChange;
use schemars::{SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// A new orchestration, defaults filled in.
#[derive(Debug)]
pub(in crate::api) struct CreateBody {
    pub(in crate::api) name: String,
    pub(in crate::api) crontab_record: Option<String>,
    pub(in crate::api) active: bool,
    pub(in crate::api) token_id: Option<TokenId>,
    pub(in crate::api) tasks: Vec<Task>,
    pub(in crate::api) notifications: Vec<Notification>,
}

/// What is to change of an orchestration.
pub(in crate::api) type UpdateBody = OrchestrationChange;

body_schema!(CreateBody, "NewOrchestration", |generator| json_schema!({
    "type": "object",
    "description": "A new orchestration.",
    "properties": properties(generator, &text(MOST_NAME_CHARACTERS, "Its name.")),
    "required": ["name"],
}));

body_schema!(
    UpdateBody,
    "OrchestrationChange",
    |generator| json_schema!({
        "type": "object",
        "description": "What is to change. Absent and `null` mean unchanged, but a `crontabRecord` of `null` clears the schedule.",
        "properties": properties(generator, &optional_text(MOST_NAME_CHARACTERS, "Its name.")),
    })
);

fn properties(generator: &mut SchemaGenerator, name: &Value) -> Value {
    let tasks = generator.subschema_for::<TaskBody>();
    let notifications = generator.subschema_for::<NotificationBody>();
    json!({
        "name": name,
        "crontabRecord": {
            "type": ["string", "null"], "format": "crontab",
            "description": "When it runs, in UTC, in crontab format: five fields or a nickname such as `@daily`.",
        },
        "active": optional_flag("Whether its schedule counts."),
        "tokenId": optional(id("The token that its jobs run with; one is made where none is given.")),
        "notifications": optional_list(&notifications, MOST_NOTIFICATIONS, "Who is told of what."),
        "tasks": optional_list(&tasks, MOST_TASKS, "What is run, in this order."),
    })
}

pub(in crate::api) fn read_create(body: &Map<String, Value>, faults: &mut Faults) -> CreateBody {
    let mut fields = Fields::new(body, "", faults);
    if fields.get("name").is_none() {
        fields.fault("name", "is required");
    }
    CreateBody {
        name: read_name(&mut fields).unwrap_or_default(),
        crontab_record: read_crontab(&mut fields),
        active: fields.flag("active").unwrap_or(true),
        token_id: fields.id("tokenId", TokenId::from_text),
        notifications: read_notifications_of(body, faults).unwrap_or_default(),
        tasks: read_tasks_of(body, TaskIds::Kept, faults).unwrap_or_default(),
    }
}

/// Absent and `null` mean unchanged, but a `crontabRecord` of `null` clears the schedule.
pub(in crate::api) fn read_update(body: &Map<String, Value>, faults: &mut Faults) -> UpdateBody {
    let mut fields = Fields::new(body, "", faults);
    OrchestrationChange {
        name: read_name(&mut fields),
        crontab_record: fields
            .has("crontabRecord")
            .then(|| read_crontab(&mut fields)),
        active: fields.flag("active"),
        token_id: fields.id("tokenId", TokenId::from_text),
        notifications: read_notifications_of(body, faults),
        tasks: read_tasks_of(body, TaskIds::Kept, faults),
    }
}

/// Reads a body as a server would that is asked to make or change an orchestration, for commands that look at one before they
/// send it.
///
/// # Errors
/// Everything that the server would refuse without looking at its plugins and rows.
pub fn judge_orchestration(body: &Map<String, Value>) -> Result<OrchestrationChange, Vec<Fault>> {
    let mut faults = Faults::default();
    let change = read_update(body, &mut faults);
    faults.into_result(change)
}

fn read_name(fields: &mut Fields<'_, '_>) -> Option<String> {
    fields.text("name", MOST_NAME_CHARACTERS).map(str::to_owned)
}

/// Kept as sent, white space included.
fn read_crontab(fields: &mut Fields<'_, '_>) -> Option<String> {
    let value = fields.get("crontabRecord")?;
    let Some(text) = value.as_str() else {
        fields.fault("crontabRecord", "must be a string or null");
        return None;
    };
    if let Err(error) = Crontab::parse(text) {
        fields.fault("crontabRecord", error.to_string());
    }
    Some(text.to_owned())
}
