//! How two values differ, key by key.
//!
//! Tasks and notifications are lists whose entries move: each wanted entry is paired with the present one of its id, else of equal
//! content, else of the same target, and what is left over was added or removed. An id that is not wanted is not compared.

use crate::cli::print::clean;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// One thing that changes. `None`: it is not there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::cli) struct Difference {
    /// Such as `tasks[1].actionParameters.query`, counted in what is wanted; what is removed is counted in what is there.
    pub(in crate::cli) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) before: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) after: Option<Value>,
}

/// For people: values that are long are cut.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = clean(&self.path);
        match (&self.before, &self.after) {
            (None, None) => write!(f, "~ {path}: in another order"),
            (None, Some(after)) => write!(f, "+ {path}: {}", short(after)),
            (Some(before), None) => write!(f, "- {path}: {}", short(before)),
            (Some(before), Some(after)) => {
                write!(f, "~ {path}: {} → {}", short(before), short(after))
            }
        }
    }
}

fn short(value: &Value) -> String {
    const MOST: usize = 100;
    let text = clean(&value.to_string());
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

/// Of the keys of `wanted`; others are left as they are.
pub(super) fn list_differences(
    present: &Map<String, Value>,
    wanted: &Map<String, Value>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (key, wanted) in wanted {
        let present = present.get(key).unwrap_or(&Value::Null);
        match (present, wanted) {
            (Value::Array(present), Value::Array(wanted))
                if matches!(key.as_str(), "tasks" | "notifications") =>
            {
                compare_entries(key, present, wanted, &mut found);
            }
            _ => compare(key, present, wanted, &mut found),
        }
    }
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(before), Value::Object(after)) => {
            compare_maps(path, before, after, found);
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (at, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{path}[{at}]"), before, after, found);
            }
        }
        _ => found.push(Difference {
            path: path.to_owned(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn compare_maps(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let removed = before.iter().filter(|(key, _)| !after.contains_key(*key));
    for (key, value) in removed {
        found.push(Difference {
            path: format!("{path}.{key}"),
            before: Some(value.clone()),
            after: None,
        });
    }
    for (key, after) in after {
        let path = format!("{path}.{key}");
        match before.get(key) {
            Some(before) => compare(&path, before, after, found),
            None => found.push(Difference {
                path,
                before: None,
                after: Some(after.clone()),
            }),
        }
    }
}

fn compare_entries(path: &str, present: &[Value], wanted: &[Value], found: &mut Vec<Difference>) {
    let pairs = pair(present, wanted);
    let mut order = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let path = format!("{path}[{at}]");
        let partner = pairs.get(at).copied().flatten();
        let Some((before, position)) = partner.and_then(|at| Some((present.get(at)?, at))) else {
            found.push(Difference {
                path,
                before: None,
                after: Some(wanted.clone()),
            });
            continue;
        };
        order.push(position);
        compare(&path, &without_unwanted_id(before, wanted), wanted, found);
    }
    for (at, entry) in present.iter().enumerate() {
        if !pairs.contains(&Some(at)) {
            found.push(Difference {
                path: format!("{path}[{at}]"),
                before: Some(entry.clone()),
                after: None,
            });
        }
    }
    if !order.is_sorted() {
        found.push(Difference {
            path: path.to_owned(),
            before: None,
            after: None,
        });
    }
}

/// For each wanted entry the position of the present one that it is.
fn pair(present: &[Value], wanted: &[Value]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; wanted.len()];
    let mut is_taken = vec![false; present.len()];
    let is_same: [fn(&Value, &Value) -> bool; 3] = [
        |present, wanted| wanted.get("id").is_some() && present.get("id") == wanted.get("id"),
        |present, wanted| without_unwanted_id(present, wanted) == *wanted,
        |present, wanted| target(present) == target(wanted),
    ];
    for is_same in is_same {
        let open = pairs.iter_mut().zip(wanted);
        for (partner, wanted) in open.filter(|(partner, _)| partner.is_none()) {
            let mut free = present.iter().zip(&mut is_taken).enumerate();
            let next = free.find(|(_, (present, taken))| !**taken && is_same(present, wanted));
            if let Some((at, (_, taken))) = next {
                *taken = true;
                *partner = Some(at);
            }
        }
    }
    pairs
}

fn without_unwanted_id(present: &Value, wanted: &Value) -> Value {
    let mut present = present.clone();
    if wanted.get("id").is_none()
        && let Some(map) = present.as_object_mut()
    {
        map.shift_remove("id");
    }
    present
}

/// What tells an entry from others: whom a task calls, when and whom a notification tells.
fn target(entry: &Value) -> [Option<&Value>; 5] {
    ["component", "componentUrl", "channel", "email", "plugin"].map(|key| entry.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(present: &Value, wanted: &Value) -> Vec<String> {
        let (present, wanted) = (present.as_object(), wanted.as_object());
        let found = list_differences(present.expect("a map"), wanted.expect("a map"));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_is_wanted_is_compared_key_by_key() {
        let present = json!({"name": "a", "active": true, "crontabRecord": "@daily", "tasks": [
            {"id": "1", "component": "x", "actionParameters": {"a": 1, "b": {"c": [1, 2]}}},
            {"id": "2", "component": "y", "actionParameters": {}},
        ]});
        let wanted = json!({"crontabRecord": null, "tasks": [
            {"component": "x", "actionParameters": {"b": {"c": [1, 3]}, "d": true}},
            {"component": "y", "actionParameters": {}},
        ]});
        assert_eq!(
            told(&present, &wanted),
            [
                "~ crontabRecord: \"@daily\" → null",
                "- tasks[0].actionParameters.a: 1",
                "~ tasks[0].actionParameters.b.c[1]: 2 → 3",
                "+ tasks[0].actionParameters.d: true",
            ]
        );
    }

    #[test]
    fn entries_that_move_come_and_go_are_told_as_such() {
        let task = |id: &str, component: &str| json!({"id": id, "component": component});
        let present = json!({"tasks": [task("1", "a"), task("2", "b"), task("3", "c")]});
        let wanted = json!({"tasks": [{"component": "d"}, {"component": "c"}, {"component": "a"}]});
        assert_eq!(
            told(&present, &wanted),
            [
                "+ tasks[0]: {\"component\":\"d\"}",
                "- tasks[1]: {\"id\":\"2\",\"component\":\"b\"}",
                "~ tasks: in another order",
            ]
        );
    }

    #[test]
    fn an_id_that_is_wanted_pairs_and_one_that_is_not_is_nothing() {
        let present =
            json!({"tasks": [{"id": "load", "component": "a"}, {"id": "7", "component": "a"}]});
        let same = json!({"tasks": [{"component": "a"}, {"component": "a"}]});
        assert!(told(&present, &same).is_empty());
        let wanted =
            json!({"tasks": [{"id": "load", "component": "b"}, {"id": "new", "component": "a"}]});
        assert_eq!(
            told(&present, &wanted),
            [
                "~ tasks[0].component: \"a\" → \"b\"",
                "~ tasks[1].id: \"7\" → \"new\"",
            ]
        );
    }
}
