//! Parts of the schemas of bodies: what [`Fields`](super::fields::Fields) reads, each described as it is read.
//!
//! An absent key and `null` mean the same, so every optional value may be `null`. Formats of this server's own
//! (`crontab`, `https-address`, `credential-host`) name what no pattern can say.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// One line without control characters that is not all white space.
pub(super) const LINE: &str =
    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// The same, or nothing.
pub(super) const LINE_OR_NONE: &str =
    r"^([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$";
/// As far as a pattern can say.
const HTTPS: &str =
    r"^[hH][tT][tT][pP][sS]://[^\s\\/@\x00-\x1f\x7f-\x9f][^\s\\\x00-\x1f\x7f-\x9f]*$";

/// A required text, as [`Fields::text`](super::fields::Fields::text) reads it.
pub(super) fn text(most: usize, description: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": most, "pattern": LINE, "description": description})
}

/// The same, or `null`.
pub(super) fn optional_text(most: usize, description: &str) -> Value {
    optional(text(most, description))
}

/// An absolute address, which others may be appended to.
pub(super) fn https_address(most: usize, description: &str) -> Value {
    json!({
        "type": "string", "maxLength": most, "pattern": HTTPS, "format": "https-address",
        "description": description,
    })
}

pub(super) fn optional_flag(description: &str) -> Value {
    json!({"type": ["boolean", "null"], "description": description})
}

/// An id, as a number or as a numeric string.
pub(super) fn id(description: &str) -> Value {
    json!({
        "anyOf": [
            {"type": "integer", "format": "int64", "minimum": 1},
            {"type": "string", "pattern": "^0*[1-9][0-9]{0,17}$", "maxLength": 19},
        ],
        "description": description,
    })
}

pub(super) fn optional_integer(least: u64, most: u64, description: &str) -> Value {
    json!({"type": ["integer", "null"], "minimum": least, "maximum": most, "description": description})
}

/// What has one type may be `null` besides; what is a choice gets one more.
pub(super) fn optional(mut schema: Value) -> Value {
    if let Some(one) = schema.get("type").filter(|one| one.is_string()).cloned() {
        if let Some(kind) = schema.get_mut("type") {
            *kind = json!([one, "null"]);
        }
    } else if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.push(json!({"type": "null"}));
    }
    schema
}

/// The same with one more keyword.
pub(super) fn with(mut schema: Value, keyword: &str, value: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert(keyword.to_owned(), value);
    }
    schema
}

/// A list of at most so many `items`, or `null`.
pub(super) fn optional_list(items: &Schema, most: usize, description: &str) -> Value {
    json!({"type": ["array", "null"], "items": items, "maxItems": most, "description": description})
}

/// Free parameters: `[]` and `null` are the empty ones, as some languages write them.
pub(super) struct Parameters;

body_schema!(Parameters, "Parameters", |_generator| json_schema!({
    "description": "Free parameters. `[]` and `null` are the empty ones.",
    "anyOf": [{"type": "object"}, {"type": "array", "maxItems": 0}, {"type": "null"}],
}));

/// A reference to the free parameters, with a description of its own.
pub(super) fn parameters(generator: &mut SchemaGenerator, description: &str) -> Value {
    let mut schema = generator.subschema_for::<Parameters>();
    schema.insert("description".to_owned(), description.into());
    schema.to_value()
}

/// An object of which no key counts.
pub(in crate::api) struct Nothing;

body_schema!(Nothing, "Nothing", |_generator| json_schema!({
    "type": "object", "description": "An object of which no field counts.",
}));
