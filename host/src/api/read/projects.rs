//! What an operator wishes of a project: its name, whether it is disabled, its limits.

use super::Fields;
use super::fields::whole_number;
use super::schemas::{optional_flag, optional_text, text};
use crate::domain::faults::Faults;
use crate::domain::orchestration::MOST_NAME_CHARACTERS;
use crate::domain::quota::{OwnLimit, OwnLimits, Quota};
use crate::store::ProjectChange;
use schemars::json_schema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The largest limit: what every database counts to.
const MOST: u64 = i64::MAX as u64;

/// A new project.
pub(in crate::api) struct NewProjectBody;

body_schema!(NewProjectBody, "NewProject", |_generator| json_schema!({
    "type": "object",
    "description": "A new project.",
    "properties": {"name": text(MOST_NAME_CHARACTERS, "Its name."), "quotas": limits()},
    "required": ["name"],
}));

body_schema!(ProjectChange, "ProjectChange", |_generator| json_schema!({
    "type": "object",
    "description": "What is to change. Absent and `null` mean unchanged.",
    "properties": {
        "name": optional_text(MOST_NAME_CHARACTERS, "Its name."),
        "isDisabled": optional_flag("The tokens of a disabled project are refused, and nothing of it runs."),
        "quotas": limits(),
    },
}));

fn limits() -> Value {
    let limit = json!({
        "anyOf": [{"type": "integer", "minimum": 0, "maximum": MOST}, {"const": "unlimited"}, {"type": "null"}],
    });
    let entry = |quota: Quota| (quota.as_str().to_owned(), limit.clone());
    let properties: Map<String, Value> = Quota::ALL.map(entry).into_iter().collect();
    json!({
        "anyOf": [
            {"type": "object", "properties": properties, "additionalProperties": false},
            {"type": "array", "maxItems": 0},
            {"type": "null"},
        ],
        "description": "Limits of its own; `null` in place of one: the server's.",
    })
}

/// Its name and its own limits.
pub(in crate::api) fn read_new_project(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> (String, OwnLimits) {
    let mut fields = Fields::new(body, "", faults);
    if fields.get("name").is_none() {
        fields.fault("name", "is required");
    }
    let name = fields.text("name", MOST_NAME_CHARACTERS);
    let name = name.map(str::to_owned).unwrap_or_default();
    let limits = read_limits(body, faults).into_iter();
    let limits = limits.filter_map(|(quota, limit)| Some((quota, limit?)));
    (name, limits.collect())
}

/// Absent and `null` mean unchanged.
pub(in crate::api) fn read_project_change(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> ProjectChange {
    let mut fields = Fields::new(body, "", faults);
    ProjectChange {
        name: fields.text("name", MOST_NAME_CHARACTERS).map(str::to_owned),
        is_disabled: fields.flag("isDisabled"),
        limits: read_limits(body, faults),
    }
}

/// `{"jobsPerDay": 100, "orchestrations": "unlimited", "storageBytes": null}`; `null` is the server's limit.
fn read_limits(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> BTreeMap<Quota, Option<OwnLimit>> {
    let given = Fields::new(body, "", faults).parameters("quotas");
    let mut limits = BTreeMap::new();
    for (name, value) in &given {
        let path = format!("quotas.{name}");
        let Some(quota) = Quota::from_text(name) else {
            let names = Quota::ALL.map(Quota::as_str).join(", ");
            faults.add(path, format!("is not a quota; there are {names}"));
            continue;
        };
        let limit = match value {
            Value::Null => None,
            Value::String(text) if text == "unlimited" => Some(OwnLimit::Unlimited),
            number => match whole_number(number).filter(|most| *most <= MOST) {
                Some(most) => Some(OwnLimit::AtMost(most)),
                None => {
                    faults.add(path, "must be a whole number, \"unlimited\" or null");
                    continue;
                }
            },
        };
        limits.insert(quota, limit);
    }
    limits
}
