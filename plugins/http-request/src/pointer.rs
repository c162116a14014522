//! JSON pointers (RFC 6901) into JSON text: what is found is the text as it was written, numbers of any length included.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The value at `pointer`; none where there is none. The empty pointer is the whole.
pub fn find<'a>(json: &'a str, pointer: &str) -> Option<&'a str> {
    let mut found: &RawValue = serde_json::from_str(json).ok()?;
    if pointer.is_empty() {
        return Some(found.get());
    }
    for key in pointer.strip_prefix('/')?.split('/') {
        let key = key.replace("~1", "/").replace("~0", "~");
        found = if found.get().starts_with('[') {
            let values: Vec<&RawValue> = serde_json::from_str(found.get()).ok()?;
            values.get(index(&key)?).copied()?
        } else {
            let values: BTreeMap<String, &RawValue> = serde_json::from_str(found.get()).ok()?;
            values.get(&key).copied()?
        };
    }
    Some(found.get())
}

/// `0`, `7`, `12`: no sign, no leading zero.
fn index(key: &str) -> Option<usize> {
    let is_plain = key == "0" || (!key.starts_with('0') && !key.starts_with('+'));
    key.parse().ok().filter(|_| is_plain)
}

/// Whether a text is a pointer at all.
pub fn is_pointer(text: &str) -> bool {
    text.is_empty() || text.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_as_it_was_written() {
        let json = r#"{"a": [ {"b": 12345678901234567890123.50} ], "c/d": {"~": null}, "": 1}"#;
        for (pointer, expected) in [
            ("/a/0/b", Some("12345678901234567890123.50")),
            ("/c~1d/~0", Some("null")),
            ("/", Some("1")),
            ("", Some(json)),
            ("/a/1", None),
            ("/a/00", None),
            ("/a/+0", None),
            ("/a/b", None),
            ("/x", None),
            ("/a/0/b/c", None),
            ("a", None),
        ] {
            assert_eq!(find(json, pointer), expected, "{pointer}");
        }
        assert_eq!(find("no json", ""), None);
    }
}
