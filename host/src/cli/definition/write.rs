//! An orchestration as a file that `apply` takes back without a change.
//!
//! What is as it would be anyway is left out, and so are the numbers that the server gave to tasks as their ids, unless something refers to
//! one. Texts stand in quotes wherever any reader of YAML could take them for something else.

use super::yaml::{Plain, plain};
use orchestrator_client::{Notification, Orchestration, Task};
use serde_json::{Map, Value};
use std::fmt::Write;

/// The YAML of it.
pub(in crate::cli) fn print_definition(orchestration: &Orchestration) -> String {
    let mut text = String::new();
    write_map(&exported(orchestration), 0, false, &mut text);
    text
}

/// What its file is called: the name, as far as every file system and shell takes it.
pub(in crate::cli) fn file_name(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars().flat_map(char::to_lowercase).take(80) {
        if c.is_alphanumeric() {
            text.push(c);
        } else if !text.is_empty() && !text.ends_with('-') {
            text.push('-');
        }
    }
    let text = text.trim_end_matches('-');
    if text.is_empty() {
        "orchestration".to_owned()
    } else {
        text.to_owned()
    }
}

/// What its file says.
pub(in crate::cli) fn exported(orchestration: &Orchestration) -> Map<String, Value> {
    let tasks = orchestration.tasks.as_deref().unwrap_or_default();
    let references = serde_json::to_string(tasks).unwrap_or_default();
    let mut map = Map::new();
    map.insert("name".into(), orchestration.name.clone().into());
    map.insert("active".into(), orchestration.active.into());
    map.insert(
        "crontabRecord".into(),
        orchestration.crontab_record.clone().into(),
    );
    let notifications = orchestration.notifications.iter().map(notification);
    map.insert("notifications".into(), notifications.collect());
    let tasks = tasks.iter().map(|one| task(one, &references));
    map.insert("tasks".into(), tasks.collect());
    map
}

fn task(task: &Task, references: &str) -> Value {
    let mut map = object(task);
    let is_needed = |id: &str| {
        let is_number = id.bytes().all(|b| b.is_ascii_digit());
        !is_number || references.contains(&format!("{{{{tasks.{id}."))
    };
    map.retain(|key, value| match key.as_str() {
        "id" => value.as_str().is_some_and(is_needed),
        "actionParameters" => !task.action_parameters.is_empty(),
        "continueOnFailure" => task.continue_on_failure,
        "active" => !task.active,
        _ => !value.is_null(),
    });
    Value::Object(map)
}

fn notification(notification: &Notification) -> Value {
    let mut map = object(notification);
    map.retain(|key, _| key != "parameters" || !notification.parameters.is_empty());
    Value::Object(map)
}

/// Nouns are objects.
fn object(noun: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(noun) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// `is_begun`: the first line has its indentation already.
fn write_map(map: &Map<String, Value>, indent: usize, is_begun: bool, text: &mut String) {
    let margin = " ".repeat(indent);
    for (at, (key, value)) in map.iter().enumerate() {
        if at > 0 || !is_begun {
            text.push_str(&margin);
        }
        if key.chars().count() > LONGEST_KEY {
            let _ = write!(text, "? {}\n{margin}", quoted(key));
        } else {
            text.push_str(&one_line(key));
        }
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                write_map(inner, indent + 2, false, text);
            }
            Value::Array(list) if !list.is_empty() => {
                text.push('\n');
                write_list(list, indent + 2, text);
            }
            other => write_leaf(other, indent + 2, text),
        }
    }
}

/// Beyond 1,024 a key has to be announced.
const LONGEST_KEY: usize = 500;

fn write_list(list: &[Value], indent: usize, text: &mut String) {
    let margin = " ".repeat(indent);
    for value in list {
        text.push_str(&margin);
        text.push('-');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push(' ');
                write_map(inner, indent + 2, true, text);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                write_list(inner, indent + 2, text);
            }
            other => write_leaf(other, indent + 2, text),
        }
    }
}

/// With the space before it and the end of its line.
fn write_leaf(value: &Value, indent: usize, text: &mut String) {
    text.push(' ');
    match value {
        Value::String(value) if fits_block(value) => {
            let chomp = if value.ends_with('\n') { "" } else { "-" };
            let _ = writeln!(text, "|{chomp}");
            for line in value.lines() {
                if !line.is_empty() {
                    text.push_str(&" ".repeat(indent));
                    text.push_str(line);
                }
                text.push('\n');
            }
            return;
        }
        Value::String(value) => text.push_str(&one_line(value)),
        // Of the others only empty lists and maps come here; all are written as in JSON.
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

/// Whether its lines can stand as they are.
fn fits_block(value: &str) -> bool {
    let body = value.strip_suffix('\n').unwrap_or(value);
    let is_fine = |c: char| c == '\n' || is_printable(c);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n'])
        && value.chars().all(is_fine)
        && body
            .split('\n')
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && !body
            .split('\n')
            .any(|line| line.starts_with("---") || line.starts_with("..."))
}

fn one_line(value: &str) -> String {
    if is_plain(value) {
        value.to_owned()
    } else {
        quoted(value)
    }
}

/// Whether every reader takes it for this text without quotes.
fn is_plain(value: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || " _-./@+()".contains(c);
    let first = value.chars().next().unwrap_or(' ');
    // `y` and its like are booleans of YAML 1.1.
    let lower = value.to_ascii_lowercase();
    let is_old_boolean = matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    first.is_alphabetic()
        && !value.ends_with(' ')
        && value.len() < 200
        && value.chars().all(is_inner)
        && !is_old_boolean
        && matches!(plain(value), Plain::Value(Value::String(_)))
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// As in JSON, which is YAML but for what cannot be printed.
fn quoted(value: &str) -> String {
    let json = Value::from(value).to_string();
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_printable(c) {
            text.push(c);
        } else {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::yaml::parse;
    use super::*;
    use serde_json::json;
    use std::path::Path;

    fn round(value: &Value) -> Value {
        let mut text = String::new();
        write_map(value.as_object().expect("a map"), 0, false, &mut text);
        let mut read = parse(&text, Path::new("a.yaml"));
        let read = read
            .as_mut()
            .unwrap_or_else(|fault| panic!("{fault:?}: {text}"));
        assert_eq!(read.len(), 1, "{text}");
        read.remove(0).value
    }

    #[test]
    fn odd_texts_come_back_as_they_were() {
        let long = "k".repeat(1_500);
        let texts = [
            "",
            " ",
            "a",
            "yes",
            "No",
            "null",
            "~",
            "true",
            "12",
            "1.5",
            "0x1F",
            "007",
            "-",
            "- a",
            "a: b",
            "a:b",
            "a #b",
            "#a",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\\b",
            "[a",
            "{a",
            "a,b",
            "0 3 * * *",
            "*/5 * * * *",
            " a",
            "a ",
            "a\n",
            "a\nb",
            "a\nb\n",
            "a\nb\n\n",
            "\na",
            " a\nb",
            "a\n  b\n\tc",
            "a\n \nb",
            "a\rb",
            "a\r\nb",
            "\u{85}",
            "a\u{2028}b",
            "\u{feff}a",
            "\u{7f}",
            "\u{0}",
            "žluť 🐎",
            "a\n---\nb",
            "...",
            "---",
            "? a",
            "a\n# b\nc",
            "<<x",
            "{{tasks.1.response.rows}}",
            "=",
            "2026-11-24",
            "12:30:45",
            "1_000",
            "e5",
            ".5",
            "+1",
            long.as_str(),
        ];
        let list: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
        let keys = texts.iter().map(|text| ((*text).to_owned(), json!(text)));
        let keys: Map<String, Value> = keys.collect();
        let value = json!({"list": list, "keys": keys, "deep": [[["a\nb"], []], {}, {"x": {"y": [{"z": "a\nb\n"}]}}]});
        assert_eq!(round(&value), value);
    }

    #[test]
    fn numbers_come_back_as_they_were_written() {
        let text = r#"{"a":[1.50,123456789012345678901234567890,-0.0,1e5,1E-7,0]}"#;
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(round(&value).to_string(), value.to_string());
    }

    #[test]
    fn files_are_named_after_their_orchestration() {
        assert_eq!(file_name("Nightly load: EU/US"), "nightly-load-eu-us");
        assert_eq!(file_name("../../etc"), "etc");
        assert_eq!(file_name("Žlutý kůň"), "žlutý-kůň");
        assert_eq!(file_name("***"), "orchestration");
    }
}
