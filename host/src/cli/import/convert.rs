//! An orchestration of the source as a body for this API.
//!
//! Older services write `[]` for an empty object and numbers and flags as texts; that is mended. What this API refuses and can be left out
//! without changing what runs (a schedule, a subscription) is left out and noted; a task that is refused means that the whole
//! orchestration is not taken, because without it another thing would run.

use super::super::definition::{body_of, check_keys};
use crate::api::judge_orchestration;
use crate::domain::task::is_task_id;
use orchestrator_client::OrchestrationBody;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashSet};

/// What is made, and what differs from the source.
#[derive(Debug)]
pub(super) struct Converted {
    pub(super) body: OrchestrationBody,
    pub(super) notes: Vec<String>,
}

/// # Errors
/// Why it cannot be taken.
pub(super) fn convert(detail: &Map<String, Value>) -> Result<Converted, Vec<String>> {
    let mut notes = Vec::new();
    let mut body = Map::new();
    for key in ["name", "crontabRecord", "notifications", "tasks"] {
        if let Some(value) = detail.get(key) {
            body.insert(key.to_owned(), value.clone());
        }
    }
    body.insert("active".to_owned(), false.into());
    if let Some(Value::Array(tasks)) = body.get_mut("tasks") {
        let mut ids = HashSet::new();
        for task in tasks.iter_mut().filter_map(Value::as_object_mut) {
            mend_task(task, &mut ids);
        }
    }
    if let Some(Value::Array(list)) = body.get_mut("notifications") {
        for notification in list.iter_mut().filter_map(Value::as_object_mut) {
            mend_notification(notification);
        }
    }
    leave_out_unknown(&mut body, &mut notes);
    let change = match judge_orchestration(&body) {
        Ok(change) => change,
        Err(faults) => {
            let mut reasons = Vec::new();
            let mut refused = BTreeSet::new();
            for fault in faults {
                let text = format!("{} {}", fault.path, fault.message);
                match left_out(&fault.path) {
                    Some(LeftOut::Schedule) => {
                        let record = body.insert("crontabRecord".to_owned(), Value::Null);
                        let record = record.unwrap_or_default();
                        notes.push(format!("without its schedule {record}: {}", fault.message));
                    }
                    Some(LeftOut::Notification(at)) => {
                        refused.insert(at);
                        notes.push(format!("without a notification: {text}"));
                    }
                    None => reasons.push(text),
                }
            }
            if !reasons.is_empty() {
                return Err(reasons);
            }
            if let Some(Value::Array(list)) = body.get_mut("notifications") {
                let mut at = 0;
                list.retain(|_| {
                    at += 1;
                    !refused.contains(&(at - 1))
                });
            }
            judge_orchestration(&body).map_err(|faults| {
                let texts = faults.iter();
                let texts = texts.map(|fault| format!("{} {}", fault.path, fault.message));
                texts.collect::<Vec<_>>()
            })?
        }
    };
    Ok(Converted {
        body: body_of(&change),
        notes,
    })
}

enum LeftOut {
    Schedule,
    Notification(usize),
}

fn left_out(path: &str) -> Option<LeftOut> {
    if path == "crontabRecord" {
        return Some(LeftOut::Schedule);
    }
    let rest = path.strip_prefix("notifications[")?;
    let (at, _) = rest.split_once(']')?;
    Some(LeftOut::Notification(at.parse().ok()?))
}

fn mend_task(task: &mut Map<String, Value>, ids: &mut HashSet<String>) {
    // Numbers in the source, names here; one that cannot be a name is given anew.
    if let Some(id) = task.remove("id") {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        if is_task_id(&id) && ids.insert(id.clone()) {
            task.insert("id".to_owned(), id.into());
        }
    }
    for flag in ["active", "continueOnFailure"] {
        if let Some(value) = task.get_mut(flag) {
            mend_flag(value);
        }
    }
    if let Some(minutes) = task.get_mut("timeoutMinutes") {
        mend_number(minutes);
        // No limit, there.
        if minutes.as_u64() == Some(0) {
            *minutes = Value::Null;
        }
    }
    // An empty one is none.
    for key in ["component", "componentUrl", "action", "phase"] {
        if task.get(key).and_then(Value::as_str) == Some("") {
            task.remove(key);
        }
    }
}

fn mend_notification(notification: &mut Map<String, Value>) {
    let parameters = notification.get_mut("parameters");
    if let Some(Value::Object(parameters)) = parameters {
        for key in ["timeout", "tolerance"] {
            if let Some(value) = parameters.get_mut(key) {
                mend_number(value);
            }
        }
    }
}

fn mend_flag(value: &mut Value) {
    let flag = match value {
        Value::Number(number) => number.as_u64().map(|number| number != 0),
        Value::String(text) => match text.as_str() {
            "1" | "true" => Some(true),
            "0" | "false" | "" => Some(false),
            _ => None,
        },
        _ => None,
    };
    if let Some(flag) = flag {
        *value = flag.into();
    }
}

fn mend_number(value: &mut Value) {
    if let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok()) {
        *value = number.into();
    }
}

/// Keys that this API would pass over, without a word.
fn leave_out_unknown(body: &mut Map<String, Value>, notes: &mut Vec<String>) {
    for fault in check_keys(body) {
        let Some((list, key)) = fault.path.split_once('.') else {
            continue;
        };
        let Some((list, at)) = list.trim_end_matches(']').split_once('[') else {
            continue;
        };
        let entries = body.get_mut(list).and_then(Value::as_array_mut);
        let entry = entries.and_then(|entries| entries.get_mut(at.parse::<usize>().ok()?));
        let value = entry.and_then(|entry| entry.as_object_mut()?.shift_remove(key));
        if value.is_some_and(|value| !value.is_null()) {
            notes.push(format!("without {}, which is not known here", fault.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn converted(detail: &Value) -> Result<Converted, Vec<String>> {
        convert(detail.as_object().expect("an object"))
    }

    #[test]
    fn what_older_services_write_otherwise_is_mended() {
        let made = converted(&json!({
            "id": 7, "name": "Old", "active": true, "crontabRecord": "0 * * * *", "uri": "x", "token": {"id": 1},
            "tasks": [
                {"id": 11, "component": "ex-a", "componentUrl": "", "actionParameters": [], "active": 1, "timeoutMinutes": "10", "phase": 3},
                {"id": 11, "component": "ex-b", "continueOnFailure": "1", "timeoutMinutes": 0, "colour": "red", "note": null},
            ],
            "notifications": [{"email": "a@b.cz", "channel": "waiting", "parameters": {"timeout": "5"}}, {"email": "a@b.cz", "channel": "error", "parameters": []}],
        }))
        .expect("taken");

        let json = serde_json::to_value(&made.body).expect("JSON");
        assert_eq!(json["active"], false);
        assert_eq!(
            json["tasks"][0],
            json!({"id": "11", "component": "ex-a", "actionParameters": {}, "continueOnFailure": false, "timeoutMinutes": 10, "active": true, "phase": "3"})
        );
        assert_eq!(
            json["tasks"][1],
            json!({"component": "ex-b", "actionParameters": {}, "continueOnFailure": true, "timeoutMinutes": null, "active": true, "phase": null})
        );
        assert_eq!(
            json["notifications"][0]["parameters"],
            json!({"timeout": 5})
        );
        assert_eq!(
            made.notes,
            ["without tasks[1].colour, which is not known here"]
        );
    }

    #[test]
    fn a_schedule_or_notification_that_is_refused_is_left_out_and_a_task_is_not() {
        let mut detail = json!({"name": "Odd", "crontabRecord": "0 0 L * *", "tasks": [{"component": "a"}],
            "notifications": [{"email": "nobody", "channel": "error"}, {"email": "a@b.cz", "channel": "error"}, {"email": "a@b.cz", "channel": "sms"}]});
        let made = converted(&detail).expect("taken");
        assert_eq!(made.body.crontab_record, Some(None));
        assert_eq!(made.body.notifications.map(|list| list.len()), Some(1));
        assert_eq!(made.notes.len(), 3, "{:?}", made.notes);

        detail["tasks"] = json!([{"componentUrl": "http://plain.example/run"}]);
        let reasons = converted(&detail).expect_err("not taken");
        assert!(reasons[0].contains("tasks[0].componentUrl"), "{reasons:?}");
    }
}
