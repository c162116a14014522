//! Tasks of a body.

use super::Fields;
use super::schemas::{
    https_address, optional, optional_flag, optional_integer, optional_text, parameters, with,
};
use crate::domain::faults::Faults;
use crate::domain::references;
use crate::domain::task::{MOST_TASKS, MOST_TIMEOUT_MINUTES, Task, check_action, is_task_id};
use schemars::json_schema;
use serde_json::{Map, Value};
use std::collections::HashSet;
use url::Url;

/// Longest name of a component, action and phase, in characters.
const MOST_NAME: usize = 255;
/// Longest address of a component, in characters.
const MOST_ADDRESS: usize = 2_048;

/// One task of a body.
pub(in crate::api) struct TaskBody;

body_schema!(TaskBody, "TaskInput", |generator| {
    let component = optional_text(
        MOST_NAME,
        "Name of the component to be run; neither `.` nor `..`.",
    );
    let narrower = serde_json::json!([{"pattern": r"^[^/\\]*$"}, {"not": {"enum": [".", ".."]}}]);
    let component = with(component, "allOf", narrower);
    json_schema!({
        "type": "object",
        "description": "A task: one call of a component, by its name or its address.",
        "properties": {
            "id": {
                "type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{1,64}$",
                "description": "Unique in its orchestration; assigned where it is absent.",
            },
            "component": component,
            "componentUrl": optional(https_address(MOST_ADDRESS, "Address of the component to be run.")),
            "action": {
                "type": ["string", "null"], "minLength": 1, "maxLength": MOST_NAME, "pattern": ACTION,
                "description": "Name of the action; it may have several path segments. `run` where it is absent.",
            },
            "actionParameters": parameters(generator, "What the component is called with."),
            "continueOnFailure": optional_flag("Whether the job goes on after this task has failed; false where it is absent."),
            "timeoutMinutes": optional_integer(1, u64::from(MOST_TIMEOUT_MINUTES), "How long the task may take."),
            "active": optional_flag("A task that is not active is skipped; true where it is absent."),
            "phase": {
                "type": ["string", "number", "null"], "maxLength": MOST_NAME,
                "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$",
                "description": "Neighbours of one phase run in parallel. Kept as text.",
            },
        },
        "oneOf": [
            {
                "required": ["component"],
                "properties": {"component": {"type": "string"}, "componentUrl": {"type": "null"}},
            },
            {
                "required": ["componentUrl"],
                "properties": {"componentUrl": {"type": "string"}, "component": {"type": "null"}},
            },
        ],
    })
});

/// Segments that are not empty, not all of them white space, and neither `.` nor `..`.
const ACTION: &str = r"^([^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.([^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.[^/\\\x00-\x1f\x7f-\x9f]+))(/([^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.([^./\\\x00-\x1f\x7f-\x9f][^/\\\x00-\x1f\x7f-\x9f]*|\.[^/\\\x00-\x1f\x7f-\x9f]+)))*$";

/// What becomes of the ids that tasks carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum TaskIds {
    /// They are checked and kept.
    Kept,
    /// Tasks given for one run: their ids do not count.
    Ignored,
}

/// Reads a list of tasks that stands at `path`.
pub(in crate::api) fn read_tasks(
    values: &[Value],
    path: &str,
    ids: TaskIds,
    faults: &mut Faults,
) -> Vec<Task> {
    if values.len() > MOST_TASKS {
        faults.add(path, format!("must not have more than {MOST_TASKS} tasks"));
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut tasks = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let Some(object) = value.as_object() else {
            faults.add(path, "must be an object");
            continue;
        };
        let mut fields = Fields::new(object, &path, faults);
        let id = match ids {
            TaskIds::Kept => read_id(&mut fields, &mut seen),
            TaskIds::Ignored => String::new(),
        };
        tasks.push(read_task(&mut fields, id));
    }
    if ids == TaskIds::Kept {
        references::check(&tasks, path, faults);
    }
    tasks
}

/// Empty where it is to be assigned.
fn read_id<'a>(fields: &mut Fields<'a, '_>, seen: &mut HashSet<&'a str>) -> String {
    match fields.get("id") {
        None => return String::new(),
        Some(Value::String(id)) if is_task_id(id) => {
            if seen.insert(id) {
                return id.clone();
            }
            fields.fault("id", "must be unique in its orchestration");
        }
        Some(_) => fields.fault(
            "id",
            "must be a string of 1 to 64 of the characters A-Z a-z 0-9 _ -",
        ),
    }
    String::new()
}

fn read_task(fields: &mut Fields<'_, '_>, id: String) -> Task {
    check_target(fields);
    let component = fields.text("component", MOST_NAME);
    if let Some(reason) = component.and_then(fault_of_component) {
        fields.fault("component", reason);
    }
    let component_url = fields.text("componentUrl", MOST_ADDRESS);
    if let Some(reason) = component_url.and_then(fault_of_address) {
        fields.fault("componentUrl", reason);
    }
    let action = fields.text("action", MOST_NAME);
    if let Some(Err(reason)) = action.map(check_action) {
        fields.fault("action", reason);
    }
    Task {
        id,
        component: component.map(str::to_owned),
        component_url: component_url.map(str::to_owned),
        action: action.map(str::to_owned),
        action_parameters: fields.parameters("actionParameters"),
        continue_on_failure: fields.flag("continueOnFailure").unwrap_or(false),
        timeout_minutes: fields
            .integer(
                "timeoutMinutes",
                1..=u64::from(MOST_TIMEOUT_MINUTES),
                "minutes",
            )
            .and_then(|minutes| u32::try_from(minutes).ok()),
        active: fields.flag("active").unwrap_or(true),
        phase: read_phase(fields),
    }
}

fn check_target(fields: &mut Fields<'_, '_>) {
    match (fields.get("component"), fields.get("componentUrl")) {
        (None, None) => fields.fault("component", "component or componentUrl must be set"),
        (Some(_), Some(_)) => fields.fault(
            "componentUrl",
            "only one of component and componentUrl may be set",
        ),
        _ => {}
    }
}

/// A component's name becomes one path segment.
pub(super) fn fault_of_component(name: &str) -> Option<&'static str> {
    if name.contains(['/', '\\']) {
        Some("must not contain a slash or backslash")
    } else if matches!(name, "." | "..") {
        Some("must be a name")
    } else {
        None
    }
}

pub(super) fn fault_of_address(address: &str) -> Option<String> {
    let fault = |text: &str| Some(text.to_owned());
    if address.contains(|c: char| c.is_whitespace() || c == '\\') {
        return fault("must not contain white space or a backslash");
    }
    let url = match Url::parse(address) {
        Ok(url) => url,
        Err(error) => return Some(format!("must be an absolute https address ({error})")),
    };
    if url.scheme() != "https" {
        return fault("must be an https address: no other protocol is allowed");
    }
    // The parser reads `https:host` and `https:///host` as `https://host`.
    let after_scheme = address.get("https:".len()..).unwrap_or_default();
    if !after_scheme.starts_with("//") || after_scheme.starts_with("///") {
        return fault("must be an absolute https address");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fault("must not hold a user name or password");
    }
    None
}

/// A phase is kept as text, whichever way it was sent.
fn read_phase(fields: &mut Fields<'_, '_>) -> Option<String> {
    let text = match fields.get("phase")? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => {
            fields.fault("phase", "must be a string, a number or null");
            return None;
        }
    };
    if text.chars().count() > MOST_NAME {
        fields.fault(
            "phase",
            format!("must not have more than {MOST_NAME} characters"),
        );
    } else if text.chars().any(char::is_control) {
        fields.fault("phase", "must not contain control characters");
    }
    Some(text)
}

/// Reads the tasks under the key `tasks`; `None` where it is absent or `null`.
pub(super) fn read_tasks_of(
    body: &Map<String, Value>,
    ids: TaskIds,
    faults: &mut Faults,
) -> Option<Vec<Task>> {
    let values = Fields::new(body, "", faults).array("tasks")?;
    Some(read_tasks(values, "tasks", ids, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clean_https_addresses_pass() {
        for good in [
            "https://syrup.keboola.com/gooddata-writer/execute-reports",
            "HTTPS://localhost:8443/x?y=1",
            "https://[::1]/",
            "https://h",
        ] {
            assert_eq!(fault_of_address(good), None, "{good}");
        }
        for bad in [
            "http://example.com/",
            "ftp://example.com/",
            "//example.com/",
            "example.com",
            "https:example.com",
            "https:///example.com",
            "https://",
            "https://user@example.com/",
            "https://user:pass@example.com/",
            " https://example.com/",
            "https://exa mple.com/",
            "https:\\\\example.com",
            "https://example.com:99999/",
            "javascript:alert(1)",
        ] {
            assert!(fault_of_address(bad).is_some(), "{bad}");
        }
    }
}
