//! A task type's scenario file: what a task is given, what the world answers, and how the task should end.

use super::credentials::{self, Credentials};
use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    #[serde(default)]
    pub(super) task: Task,
    #[serde(default)]
    pub(super) credentials: Credentials,
    /// In the order in which they are tried.
    #[serde(default)]
    pub(super) answers: Vec<Answer>,
    pub(super) expect: Expect,
}

/// The task, as an orchestration would have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Task {
    pub(super) component: Option<String>,
    pub(super) component_url: Option<String>,
    pub(super) action: Option<String>,
    pub(super) parameters: Map<String, Value>,
    pub(super) config: Map<String, Value>,
    pub(super) timeout_minutes: Option<u32>,
    /// When the task starts, such as `2026-01-01T00:00:00Z`.
    pub(super) time: Option<String>,
}

/// An answer, and the requests that it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Answer {
    #[serde(default = "get")]
    pub(super) method: String,
    pub(super) url: String,
    /// Headers that the request has to have, among others.
    #[serde(default)]
    pub(super) with_headers: BTreeMap<String, String>,
    /// JSON that the request's body has to hold, among other keys.
    pub(super) body: Option<Value>,
    /// How many requests it is for; 0 for any number.
    #[serde(default = "once")]
    pub(super) times: u32,
    /// It need not be asked for; of use for what a task does only after a crash.
    #[serde(default)]
    pub(super) optional: bool,

    #[serde(default = "ok")]
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) json: Option<Value>,
    #[serde(default)]
    pub(super) text: String,
    /// No answer: the connection is refused, or the answer gets lost.
    pub(super) fails: Option<Fails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fails {
    Refused,
    Lost,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Expect {
    /// `success`, `warning` or `error`.
    pub(super) outcome: String,
    /// The code of a failure.
    pub(super) code: Option<String>,
    /// What the message or summary has to contain.
    pub(super) message: Option<String>,
    /// JSON that the response has to hold, among other keys.
    pub(super) response: Option<Value>,
    pub(super) steps: Option<u32>,
    /// All waits together.
    pub(super) waited_seconds: Option<u64>,
}

fn once() -> u32 {
    1
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

impl Scenario {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let scenario: Self = parse(path)?;
        let outcome = scenario.expect.outcome.as_str();
        anyhow::ensure!(
            matches!(outcome, "success" | "warning" | "error"),
            "{}: expect.outcome is {outcome:?}, not success, warning or error",
            path.display()
        );
        check_answers(&scenario.answers, path)?;
        credentials::check(&scenario.credentials).with_context(|| path.display().to_string())?;
        Ok(scenario)
    }
}

/// A scenario of either kind, as it stands in its file.
pub(super) fn parse<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is no scenario", path.display()))
}

pub(super) fn check_answers(answers: &[Answer], path: &Path) -> anyhow::Result<()> {
    for answer in answers {
        anyhow::ensure!(
            (200..=599).contains(&answer.status),
            "{}: {} is no status of an answer",
            path.display(),
            answer.status
        );
    }
    Ok(())
}

/// Whether `whole` is `part`, or has at least its keys and they hold as much. Numbers are compared by value: 5 is 5.0.
pub(super) fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|whole| holds(whole, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && whole
                    .iter()
                    .zip(part)
                    .all(|(whole, part)| holds(whole, part))
        }
        (Value::Number(whole), Value::Number(part)) => {
            // Beyond 2^53 two whole numbers may be one float: those compare as they are.
            whole == part || ((whole.is_f64() || part.is_f64()) && whole.as_f64() == part.as_f64())
        }
        _ => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_part_may_leave_keys_out_but_no_elements() {
        assert!(holds(&json!({"a": 1, "b": {"c": 2}}), &json!({"b": {}})));
        assert!(holds(&json!([{"a": 1}]), &json!([{}])));
        assert!(holds(&json!({"a": 5}), &json!({"a": 5.0})));
        assert!(holds(&json!({"a": 5.0}), &json!({"a": 5})));
        assert!(!holds(&json!({"a": 5.5}), &json!({"a": 5})));
        assert!(!holds(&json!({"a": 1}), &json!({"a": 2})));
        assert!(!holds(&json!({"a": 1}), &json!({"b": null})));
        assert!(!holds(&json!([1, 2]), &json!([1])));
    }
}
