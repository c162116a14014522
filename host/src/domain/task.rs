//! A task: one call that an orchestration makes.
//!
//! The JSON form of [`Task`] is both what the API shows and what the database keeps. Unset `component`, `componentUrl`
//! and `action` are absent from it; every other key is always there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One task as configured. Exactly one of `component` and `component_url` is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Unique in its orchestration, `[A-Za-z0-9_-]{1,64}`; empty until assigned.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub action_parameters: Map<String, Value>,
    pub continue_on_failure: bool,
    /// 1 to 10080: a week.
    #[schemars(range(min = 1, max = 10_080))]
    pub timeout_minutes: Option<u32>,
    pub active: bool,
    pub phase: Option<String>,
}

/// A week: a task that needs longer is better served by a job of its own.
pub const MOST_TIMEOUT_MINUTES: u32 = 7 * 24 * 60;
/// Most tasks of one orchestration.
pub const MOST_TASKS: usize = 2_000;

impl Task {
    /// Equal but for `id`: what makes a task keep its id over an update that names none.
    #[must_use]
    pub fn has_content_of(&self, other: &Self) -> bool {
        self.is_run_of(other) && self.active == other.active
    }

    /// Equal but for `id` and `active`: what a task given for one run must be to its orchestration's task.
    #[must_use]
    pub fn is_run_of(&self, other: &Self) -> bool {
        self.component == other.component
            && self.component_url == other.component_url
            && self.action == other.action
            && have_same_values(&self.action_parameters, &other.action_parameters)
            && self.continue_on_failure == other.continue_on_failure
            && self.timeout_minutes == other.timeout_minutes
            && self.phase == other.phase
    }

    /// The component's name or address, for people.
    #[must_use]
    pub fn target(&self) -> &str {
        self.component
            .as_deref()
            .or(self.component_url.as_deref())
            .unwrap_or_default()
    }
}

fn have_same_values(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let is_in_other = |(key, value)| {
        other
            .get(key)
            .is_some_and(|other| is_same_value(value, other))
    };
    one.len() == other.len() && one.iter().all(is_in_other)
}

/// Equal, numbers by value: a client that read `1.50` may well write `1.5`.
fn is_same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => have_same_values(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same_value(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
        }
        _ => one == other,
    }
}

/// The `active` flags that `given` asks for in one run of `tasks`: it must hold the same tasks in the same order, and may
/// differ from them in `active` only (and in ids, which do not count).
///
/// # Errors
/// One sentence that says which task is different.
pub fn run_flags(tasks: &[Task], given: &[Task]) -> Result<Vec<bool>, String> {
    if tasks.len() != given.len() {
        return Err(format!(
            "The orchestration has {} tasks, but {} were given: the number of tasks is different from orchestration tasks",
            tasks.len(),
            given.len()
        ));
    }
    let different = tasks
        .iter()
        .zip(given)
        .position(|(task, given)| !task.is_run_of(given));
    match different {
        Some(at) => Err(format!(
            "Task {} (tasks[{at}]) is different from orchestration task",
            at + 1
        )),
        None => Ok(given.iter().map(|task| task.active).collect()),
    }
}

/// Whether `id` may be a task's id.
#[must_use]
pub fn is_task_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Says what is wrong with an `action`; it may hold several path segments, each of which is kept as sent.
pub fn check_action(action: &str) -> Result<(), &'static str> {
    if action.contains('\\') {
        return Err("must not contain a backslash");
    }
    for segment in action.split('/') {
        match segment {
            "" => return Err("must not have empty path segments"),
            "." | ".." => return Err("must not have the path segments . or .."),
            _ => {}
        }
    }
    Ok(())
}

/// Gives every task an id: its own where it has one, else that of a task of `before` with equal content (in order),
/// else the next number. Returns the new value of the orchestration's task counter.
///
/// Numbers are never handed out twice in one orchestration, so that an id seen in a job's results means one task only.
pub fn assign_ids(tasks: &mut [Task], before: &[Task], mut last_number: i64) -> i64 {
    let mut taken: std::collections::HashSet<String> = tasks
        .iter()
        .filter(|task| !task.id.is_empty())
        .map(|task| task.id.clone())
        .collect();
    let mut reusable: Vec<Option<&Task>> = before.iter().map(Some).collect();
    for task in tasks.iter_mut().filter(|task| task.id.is_empty()) {
        let kept = reusable.iter_mut().find(|slot| {
            slot.is_some_and(|old| old.has_content_of(task) && !taken.contains(&old.id))
        });
        if let Some(old) = kept.and_then(Option::take) {
            task.id.clone_from(&old.id);
        } else {
            loop {
                last_number += 1;
                let id = last_number.to_string();
                if !taken.contains(&id) && !before.iter().any(|old| old.id == id) {
                    task.id = id;
                    break;
                }
            }
        }
        taken.insert(task.id.clone());
    }
    last_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, component: &str) -> Task {
        Task {
            id: id.into(),
            component: Some(component.into()),
            component_url: None,
            action: None,
            action_parameters: Map::new(),
            continue_on_failure: false,
            timeout_minutes: None,
            active: true,
            phase: None,
        }
    }

    fn ids(tasks: &[Task]) -> Vec<&str> {
        tasks.iter().map(|task| task.id.as_str()).collect()
    }

    #[test]
    fn tasks_of_equal_content_keep_their_ids_in_order() {
        let before = [task("1", "a"), task("2", "a"), task("3", "b")];
        let mut tasks = [task("", "b"), task("", "a"), task("", "a"), task("", "a")];
        let last = assign_ids(&mut tasks, &before, 3);
        assert_eq!(ids(&tasks), ["3", "1", "2", "4"]);
        assert_eq!(last, 4);
    }

    #[test]
    fn numbers_are_compared_by_value_wherever_they_are() {
        let with = |parameters: &str| Task {
            action_parameters: serde_json::from_str(parameters).unwrap(),
            ..task("1", "a")
        };
        let stored = with(r#"{"a": [1.50, {"b": 10.0}], "c": 123456789012345678901234567890}"#);
        let same = with(r#"{"c": 123456789012345678901234567890, "a": [1.5, {"b": 10}]}"#);
        assert!(stored.is_run_of(&same));
        for other in [
            r#"{"a": [1.51, {"b": 10.0}], "c": 123456789012345678901234567890}"#,
            r#"{"a": [1.5, {"b": "10"}], "c": 123456789012345678901234567890}"#,
            r#"{"a": [1.5, {"b": 10}]}"#,
            r#"{"a": [1.5, {"b": 10}, 1], "c": 123456789012345678901234567890}"#,
        ] {
            assert!(!stored.is_run_of(&with(other)), "{other}");
        }
    }

    #[test]
    fn an_id_that_a_client_sent_is_not_assigned_again() {
        let mut tasks = [task("1", "a"), task("", "b"), task("", "c")];
        assert_eq!(assign_ids(&mut tasks, &[], 0), 3);
        assert_eq!(ids(&tasks), ["1", "2", "3"]);
    }

    #[test]
    fn a_removed_tasks_number_is_not_used_again() {
        let mut tasks = [task("", "new")];
        assert_eq!(assign_ids(&mut tasks, &[], 7), 8);
        assert_eq!(ids(&tasks), ["8"]);
    }

    #[test]
    fn actions_with_odd_segments_are_refused() {
        assert!(check_action("async/docker").is_ok());
        for bad in ["", "/run", "run/", "a//b", ".", "a/../b", "a\\b"] {
            assert!(check_action(bad).is_err(), "{bad:?}");
        }
    }
}
