//! One JSON object of a body, read key by key.

use crate::domain::faults::Faults;
use serde_json::{Map, Value};

/// An object, where it stands in the body, and the faults met so far.
pub(super) struct Fields<'a, 'f> {
    object: &'a Map<String, Value>,
    /// Path of the object; empty for the body itself.
    path: &'f str,
    faults: &'f mut Faults,
}

impl<'a, 'f> Fields<'a, 'f> {
    pub(super) fn new(
        object: &'a Map<String, Value>,
        path: &'f str,
        faults: &'f mut Faults,
    ) -> Self {
        Self {
            object,
            path,
            faults,
        }
    }

    /// The path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let path = self.path_of(key);
        self.faults.add(path, message);
    }

    /// Whether the key is there, `null` or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// The value, unless absent or `null`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        if value.as_bool().is_none() {
            self.fault(key, "must be true or false");
        }
        value.as_bool()
    }

    /// A text of 1 to `most` characters, not all of them white space and none of them a control character.
    pub(super) fn text(&mut self, key: &str, most: usize) -> Option<&'a str> {
        let value = self.get(key)?;
        let Some(text) = value.as_str() else {
            self.fault(key, "must be a string");
            return None;
        };
        if text.trim().is_empty() {
            self.fault(key, "must not be empty");
        } else if text.chars().count() > most {
            self.fault(key, format!("must not have more than {most} characters"));
        } else if text.chars().any(char::is_control) {
            self.fault(key, "must not contain control characters");
        } else {
            return Some(text);
        }
        None
    }

    /// An array; its length is the caller's to check.
    pub(super) fn array(&mut self, key: &str) -> Option<&'a [Value]> {
        let value = self.get(key)?;
        if !value.is_array() {
            self.fault(key, "must be an array");
        }
        value.as_array().map(Vec::as_slice)
    }

    /// An object of parameters: absent, `null` and `[]` are the empty one.
    pub(super) fn parameters(&mut self, key: &str) -> Map<String, Value> {
        match self.get(key) {
            None => Map::new(),
            Some(Value::Object(object)) => object.clone(),
            Some(Value::Array(array)) if array.is_empty() => Map::new(),
            Some(_) => {
                self.fault(key, "must be an object");
                Map::new()
            }
        }
    }

    /// An id as a positive number or as a numeric string.
    pub(super) fn id<T>(
        &mut self,
        key: &str,
        from_text: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key)?;
        let id = match value {
            Value::String(text) => from_text(text),
            number => whole_number(number).and_then(|number| from_text(&number.to_string())),
        };
        if id.is_none() {
            self.fault(key, "must be an id: a positive integer, or one as a string");
        }
        id
    }

    /// An integer within `range`, which is called `unit` to people.
    pub(super) fn integer(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let number = whole_number(value).filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(
                key,
                format!(
                    "must be an integer from {} to {} ({unit})",
                    range.start(),
                    range.end()
                ),
            );
        }
        number
    }
}

/// `10`, and `10.0` too: some languages print no other numbers.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    /// 2^53: above it, not every whole number has a float of its own.
    const MOST: f64 = 9_007_199_254_740_992.0;
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..=MOST).contains(&number)).then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_floats_are_integers_and_others_are_not() {
        for (value, number) in [
            (json!(10), Some(10)),
            (json!(10.0), Some(10)),
            (json!(10.5), None),
            (json!(-1), None),
            (json!(1e300), None),
            (json!("10"), None),
            (json!(true), None),
        ] {
            assert_eq!(whole_number(&value), number, "{value}");
        }
    }
}
