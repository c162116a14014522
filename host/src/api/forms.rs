//! `application/x-www-form-urlencoded` bodies, turned into what the same request would be as JSON.
//!
//! `a=1` is the text `"1"`, an empty value is `null`; `a[]=x` and `a[0]=x` are elements of an array, `a[key]=x` is a
//! key of an object. One level of brackets is all that any call needs. Types are the readers' to see to.

use crate::domain::faults::Faults;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Whether a body that is declared as a form is JSON, as from a bare `curl -d`.
pub(super) fn looks_like_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

/// The later of two equal keys counts.
pub(super) fn read_form(bytes: &[u8], faults: &mut Faults) -> Map<String, Value> {
    let mut form = Map::new();
    for (key, text) in form_urlencoded::parse(bytes) {
        let value = if text.is_empty() {
            Value::Null
        } else {
            Value::String(text.into_owned())
        };
        match key.split_once('[') {
            None => {
                form.insert(key.into_owned(), value);
            }
            Some((name, rest)) => match rest.strip_suffix(']') {
                Some(inner) if !inner.contains(['[', ']']) => add(&mut form, name, inner, value),
                _ => faults.add(key.as_ref(), "must have one pair of brackets at its end"),
            },
        }
    }
    form
}

/// Adds an element of the array or a key of the object `name`. A mixture is an object.
fn add(form: &mut Map<String, Value>, name: &str, inner: &str, value: Value) {
    let is_position = inner.bytes().all(|byte| byte.is_ascii_digit());
    let entry = form.entry(name).or_insert(Value::Null);
    match entry {
        Value::Array(array) if is_position => array.push(value),
        Value::Object(object) => {
            object.insert(inner.to_owned(), value);
        }
        _ if is_position => *entry = Value::Array(vec![value]),
        _ => *entry = Value::Object([(inner.to_owned(), value)].into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(form: &str) -> (Value, Vec<String>) {
        let mut faults = Faults::default();
        let value = Value::Object(read_form(form.as_bytes(), &mut faults));
        let paths = faults.into_list().into_iter().map(|fault| fault.path);
        (value, paths.collect())
    }

    #[test]
    fn a_form_becomes_what_it_would_be_as_json() {
        for (form, value) in [
            ("", json!({})),
            (
                "description=A+b%20%C4%8D&canManageBuckets=1",
                json!({"description": "A b č", "canManageBuckets": "1"}),
            ),
            (
                "expiresIn=&description",
                json!({"expiresIn": null, "description": null}),
            ),
            (
                "componentAccess[]=a&componentAccess%5B%5D=b",
                json!({"componentAccess": ["a", "b"]}),
            ),
            (
                "componentAccess[0]=a&componentAccess[1]=b",
                json!({"componentAccess": ["a", "b"]}),
            ),
            (
                "bucketPermissions[in.c-main]=read&bucketPermissions[out.c-a]=write",
                json!({"bucketPermissions": {"in.c-main": "read", "out.c-a": "write"}}),
            ),
            ("a=1&a=2", json!({"a": "2"})),
        ] {
            assert_eq!(read(form), (value, Vec::new()), "{form}");
        }
    }

    #[test]
    fn other_brackets_are_faults() {
        for key in ["a[b][c]", "a[b", "a[b]c", "a[[b]"] {
            assert_eq!(read(&format!("{key}=1")), (json!({}), vec![key.to_owned()]));
        }
    }
}
