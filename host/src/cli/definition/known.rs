//! Keys that files may have. The API passes over those that it does not know; in a file they are slips of the pen.

use crate::domain::faults::Fault;
use serde_json::{Map, Value};

const ORCHESTRATION: &[&str] = &[
    "name",
    "active",
    "crontabRecord",
    "tokenId",
    "notifications",
    "tasks",
];
const TASK: &[&str] = &[
    "id",
    "component",
    "componentUrl",
    "action",
    "actionParameters",
    "continueOnFailure",
    "timeoutMinutes",
    "active",
    "phase",
];
const NOTIFICATION: &[&str] = &["email", "channel", "parameters", "plugin", "config"];

/// A fault for each key that is none.
pub(in crate::cli) fn check_keys(body: &Map<String, Value>) -> Vec<Fault> {
    let mut faults = Vec::new();
    check(body, ORCHESTRATION, "", &mut faults);
    for (list, known) in [("tasks", TASK), ("notifications", NOTIFICATION)] {
        let entries = body.get(list).and_then(Value::as_array);
        for (at, entry) in entries.into_iter().flatten().enumerate() {
            if let Some(entry) = entry.as_object() {
                check(entry, known, &format!("{list}[{at}]."), &mut faults);
            }
        }
    }
    faults
}

fn check(object: &Map<String, Value>, known: &[&str], before: &str, faults: &mut Vec<Fault>) {
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        let message = match nearest(key, known) {
            Some(meant) => format!("is no key here; {meant} is meant?"),
            None => format!("is no key here: there are {}", known.join(", ")),
        };
        faults.push(Fault {
            path: format!("{before}{key}"),
            message,
        });
    }
}

/// The known key that is the same but for case, underscores and a few letters.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect::<String>()
    };
    let key = plain(key);
    known.iter().copied().find(|one| {
        let one = plain(one);
        one == key || (key.len() >= 4 && (one.starts_with(&key) || key.starts_with(&one)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slips_of_the_pen_are_told_with_what_was_meant() {
        let body = json!({
            "name": "a", "crontab": "@daily",
            "tasks": [{"component": "x", "timeout_minutes": 3}],
            "notifications": [{"email": "a@b.cz", "channel": "error", "colour": "red"}],
        });
        let faults = check_keys(body.as_object().expect("an object"));
        let told: Vec<_> = faults
            .iter()
            .map(|fault| (fault.path.as_str(), fault.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("crontab", "is no key here; crontabRecord is meant?"),
                (
                    "tasks[0].timeout_minutes",
                    "is no key here; timeoutMinutes is meant?"
                ),
                (
                    "notifications[0].colour",
                    "is no key here: there are email, channel, parameters, plugin, config"
                ),
            ]
        );
    }
}
