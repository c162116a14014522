//! Values of earlier tasks' responses in a task's parameters: `{{tasks.<id>.response.<path>}}`, in any string.
//!
//! A string that is one reference and nothing else becomes the value, whatever its JSON type; inside other text the value
//! is written as text. Only `{{tasks.` begins a reference: whatever other systems write between braces stays as it is, and
//! `\{{tasks.` is the text `{{tasks.`. Paths are keys of objects and positions in arrays, with dots between.

use super::faults::Faults;
use super::phases;
use super::task::Task;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

const OPENS: &str = "{{tasks.";
const CLOSES: &str = "}}";
const ESCAPE: char = '\\';
/// Largest parameters once every value stands in them, in bytes.
pub const MOST_RESOLVED_BYTES: usize = 1 << 20;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    pub task: &'a str,
    path: Vec<&'a str>,
}

#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Reference(Reference<'a>),
}

/// Why a task's parameters have no value. One sentence that names the reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("{reference} is not there: {why}")]
    Missing { reference: String, why: String },
    #[error(
        "the task's parameters have more than {MOST_RESOLVED_BYTES} bytes with the values of earlier tasks in them"
    )]
    TooLarge,
}

/// The responses of earlier tasks, by the tasks' ids; `None` where a task has none.
pub type Responses = HashMap<String, Option<Value>>;

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tasks.{}.response", self.task)?;
        self.path.iter().try_for_each(|key| write!(f, ".{key}"))
    }
}

/// The ids of the tasks that the parameters refer to. What is no reference is not looked at: it was checked when saved.
#[must_use]
pub fn tasks_named(parameters: &Map<String, Value>) -> Vec<&str> {
    let mut names = Vec::new();
    visit_map(parameters, "", &mut |_, text| {
        for part in parse(text).unwrap_or_default() {
            if let Part::Reference(reference) = part {
                names.push(reference.task);
            }
        }
    });
    names.sort_unstable();
    names.dedup();
    names
}

/// Where parameters that stand at `path` hold a reference: what will stand there is not known before the task begins.
#[must_use]
pub fn places(parameters: &Map<String, Value>, path: &str) -> Vec<String> {
    let mut places = Vec::new();
    visit_map(parameters, path, &mut |path, text| {
        let is_reference = |part: &Part<'_>| matches!(part, Part::Reference(_));
        if parse(text).unwrap_or_default().iter().any(is_reference) {
            places.push(path);
        }
    });
    places
}

/// Checks the references of all tasks of a list that stands at `path`: each is well formed and names, by an id that the
/// list gives, a task of an earlier phase.
pub fn check(tasks: &[Task], path: &str, faults: &mut Faults) {
    let mut earlier = HashSet::new();
    for range in phases::ranges(tasks) {
        let phase = tasks.get(range.clone()).unwrap_or_default();
        for (at, task) in range.zip(phase) {
            let path = format!("{path}[{at}].actionParameters");
            visit_map(
                &task.action_parameters,
                &path,
                &mut |path, text| match parse(text) {
                    Ok(parts) => check_parts(&parts, &earlier, &path, faults),
                    Err(why) => faults.add(path, why),
                },
            );
        }
        let ids = phase.iter().map(|task| task.id.as_str());
        earlier.extend(ids.filter(|id| !id.is_empty()));
    }
}

fn check_parts(parts: &[Part<'_>], earlier: &HashSet<&str>, path: &str, faults: &mut Faults) {
    for part in parts {
        if let Part::Reference(Reference { task, .. }) = part
            && !earlier.contains(task)
        {
            let why = format!(
                "refers to the task {task:?}: it has to be the id, given in this list, of a task in an earlier phase"
            );
            faults.add(path, why);
        }
    }
}

/// The parameters with every value in its place.
///
/// # Errors
/// A value is not there, or all of it is too large.
pub fn resolve(
    parameters: &Map<String, Value>,
    responses: &Responses,
) -> Result<Map<String, Value>, Unresolved> {
    let mut room = MOST_RESOLVED_BYTES;
    resolve_map(parameters, responses, &mut room)
}

fn resolve_map(
    map: &Map<String, Value>,
    responses: &Responses,
    room: &mut usize,
) -> Result<Map<String, Value>, Unresolved> {
    let values = map.iter();
    values
        .map(|(key, value)| Ok((key.clone(), resolve_value(value, responses, room)?)))
        .collect()
}

fn resolve_value(
    value: &Value,
    responses: &Responses,
    room: &mut usize,
) -> Result<Value, Unresolved> {
    match value {
        Value::String(text) if text.contains(OPENS) => resolve_text(text, responses, room),
        Value::Array(values) => {
            let values = values.iter();
            let resolved = values.map(|value| resolve_value(value, responses, room));
            resolved.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(map) => resolve_map(map, responses, room).map(Value::Object),
        other => Ok(other.clone()),
    }
}

fn resolve_text(text: &str, responses: &Responses, room: &mut usize) -> Result<Value, Unresolved> {
    let missing = |reference: &str, why: String| Unresolved::Missing {
        reference: reference.to_owned(),
        why,
    };
    let parts = parse(text).map_err(|why| missing(text, why))?;
    let mut find = |reference: &Reference<'_>| {
        let found =
            value_of(reference, responses).map_err(|why| missing(&reference.to_string(), why))?;
        let bytes = written(found).len();
        *room = room.checked_sub(bytes).ok_or(Unresolved::TooLarge)?;
        Ok(found)
    };
    if let [Part::Reference(reference)] = parts.as_slice() {
        return find(reference).cloned();
    }
    let mut resolved = String::new();
    for part in &parts {
        match part {
            Part::Text(text) => resolved.push_str(text),
            Part::Reference(reference) => resolved.push_str(&written(find(reference)?)),
        }
    }
    Ok(Value::String(resolved))
}

/// As it stands inside text.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn value_of<'a>(reference: &Reference<'_>, responses: &'a Responses) -> Result<&'a Value, String> {
    let task = reference.task;
    let response = match responses.get(task) {
        None => return Err(format!("task {task} did not run in this job")),
        Some(None) => return Err(format!("task {task} has no response")),
        Some(Some(response)) => response,
    };
    if is_truncated(response) {
        return Err(format!(
            "the response of task {task} was too large to be kept"
        ));
    }
    let mut value = response;
    for key in &reference.path {
        let found = match value {
            Value::Object(map) => map.get(*key),
            Value::Array(values) => key.parse().ok().and_then(|at: usize| values.get(at)),
            _ => None,
        };
        value = found.ok_or_else(|| format!("the response of task {task} has no {key} there"))?;
    }
    Ok(value)
}

/// What plugins keep in place of a response that is too large.
fn is_truncated(response: &Value) -> bool {
    response.as_object().is_some_and(|map| {
        map.len() == 2
            && map.get("truncated") == Some(&Value::Bool(true))
            && map.contains_key("bytes")
    })
}

/// Text and references, in their order.
fn parse(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENS) {
        if let Some(before) = before.strip_suffix(ESCAPE) {
            parts.push(Part::Text(before));
            parts.push(Part::Text(OPENS));
            rest = after;
            continue;
        }
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let Some((inside, after)) = after.split_once(CLOSES) else {
            return Err(format!("has {OPENS} without {CLOSES}"));
        };
        parts.push(Part::Reference(reference(inside)?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// `<id>.response` with a path behind it, or without one.
fn reference(inside: &str) -> Result<Reference<'_>, String> {
    let wrong = || {
        format!(
            "has {OPENS}{inside}{CLOSES}, which is not of the form {OPENS}<id>.response.<path>{CLOSES}"
        )
    };
    let mut keys = inside.split('.');
    let task = keys.next().filter(|id| super::task::is_task_id(id));
    let task = task.ok_or_else(wrong)?;
    if keys.next() != Some("response") {
        return Err(wrong());
    }
    let path: Vec<&str> = keys.collect();
    if path.iter().any(|key| key.is_empty()) {
        return Err(wrong());
    }
    Ok(Reference { task, path })
}

/// Shows every string that may hold a reference, with the path to it.
fn visit_map<'a>(map: &'a Map<String, Value>, path: &str, visit: &mut impl FnMut(String, &'a str)) {
    for (key, value) in map {
        visit_value(value, format!("{path}.{key}"), visit);
    }
}

fn visit_value<'a>(value: &'a Value, path: String, visit: &mut impl FnMut(String, &'a str)) {
    match value {
        Value::String(text) if text.contains(OPENS) => visit(path, text),
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                visit_value(value, format!("{path}[{at}]"), visit);
            }
        }
        Value::Object(map) => visit_map(map, &path, visit),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn resolved(parameters: &Value) -> Result<Value, String> {
        let responses = Responses::from([
            (
                "load".to_owned(),
                Some(json!({"rows": 3, "files": [{"name": "a.csv"}], "none": null})),
            ),
            ("silent".to_owned(), None),
            (
                "big".to_owned(),
                Some(json!({"truncated": true, "bytes": 300_000})),
            ),
        ]);
        let resolved = resolve(&map(parameters), &responses);
        resolved.map(Value::Object).map_err(|why| why.to_string())
    }

    #[test]
    fn a_whole_string_keeps_the_type_and_text_takes_the_value_in() {
        let parameters = json!({
            "rows": "{{tasks.load.response.rows}}",
            "all": ["{{tasks.load.response.files}}"],
            "none": {"deep": "{{tasks.load.response.none}}"},
            "text": "{{tasks.load.response.rows}} rows of {{tasks.load.response.files.0.name}}: {{tasks.load.response.files}}",
            "number": 7,
        });
        let expected = json!({
            "rows": 3,
            "all": [[{"name": "a.csv"}]],
            "none": {"deep": null},
            "text": "3 rows of a.csv: [{\"name\":\"a.csv\"}]",
            "number": 7,
        });
        assert_eq!(resolved(&parameters), Ok(expected));
    }

    #[test]
    fn other_peoples_braces_stay_as_they_are() {
        let parameters = json!({
            "jinja": "{{ tasks.load.response }} {{ds}} {{ tasks }} {{task.x}}",
            "escaped": "\\{{tasks.load.response}} and {{tasks.load.response.rows}}",
            "open": "{{", "close": "}}",
        });
        let expected = json!({
            "jinja": "{{ tasks.load.response }} {{ds}} {{ tasks }} {{task.x}}",
            "escaped": "{{tasks.load.response}} and 3",
            "open": "{{", "close": "}}",
        });
        assert_eq!(resolved(&parameters), Ok(expected));
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (text, why) in [
            (
                "{{tasks.load.response.gone}}",
                "tasks.load.response.gone is not there: the response of task load has no gone",
            ),
            ("{{tasks.load.response.files.1}}", "has no 1 there"),
            ("{{tasks.load.response.rows.x}}", "has no x there"),
            ("{{tasks.silent.response}}", "task silent has no response"),
            ("{{tasks.never.response}}", "task never did not run"),
            ("{{tasks.big.response.x}}", "was too large to be kept"),
        ] {
            let told = resolved(&json!({"a": text})).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn values_may_not_blow_the_parameters_up() {
        let long = "x".repeat(MOST_RESOLVED_BYTES / 2 - 100);
        let responses = Responses::from([("a".to_owned(), Some(Value::String(long)))]);
        let with = |times| map(&json!({"a": vec!["{{tasks.a.response}}"; times]}));
        assert!(resolve(&with(2), &responses).is_ok());
        assert_eq!(resolve(&with(3), &responses), Err(Unresolved::TooLarge));
    }

    #[test]
    fn a_reference_names_a_task_of_an_earlier_phase() {
        let task = |id: &str, phase: Option<&str>, text: &str| Task {
            id: id.to_owned(),
            component: Some("c".into()),
            component_url: None,
            action: None,
            action_parameters: map(&json!({"list": [text]})),
            continue_on_failure: false,
            timeout_minutes: None,
            active: true,
            phase: phase.map(str::to_owned),
        };
        let tasks = [
            task("a", Some("1"), "{{tasks.b.response}}"),
            task("b", Some("1"), "{{tasks.b.response}}"),
            task("", None, "{{tasks.a.response.x}} {{tasks.b.response}}"),
            task("d", None, "{{tasks.c.response}}"),
            task("e", None, "{{tasks.a.respons}}"),
            task("f", None, "{{tasks.a.response"),
            task("g", None, "{{tasks.a.response..x}}"),
        ];
        let mut faults = Faults::default();
        check(&tasks, "tasks", &mut faults);
        let paths: Vec<String> = faults
            .into_list()
            .into_iter()
            .map(|fault| fault.path)
            .collect();
        let expected = [0, 1, 3, 4, 5, 6].map(|at| format!("tasks[{at}].actionParameters.list[0]"));
        assert_eq!(paths, expected);
        assert_eq!(tasks_named(&tasks[2].action_parameters), ["a", "b"]);
    }
}
