//! What a body wishes of a token, new or old. Flags and numbers may be text: forms have nothing else.

use super::Fields;
use super::fields::whole_number;
use super::schemas::{LINE, LINE_OR_NONE, optional};
use crate::domain::faults::Faults;
use crate::domain::token::{
    BucketPermission, BucketPermissions, MOST_BUCKETS, MOST_COMPONENTS,
    MOST_DESCRIPTION_CHARACTERS, MOST_LIFE_SECONDS, MOST_NAME_CHARACTERS, RightsChange,
};
use crate::store::TokenChange;
use schemars::json_schema;
use serde_json::{Map, Value, json};
use std::time::Duration;

body_schema!(TokenChange, "TokenInput", |_generator| json_schema!({
    "type": "object",
    "description": "What a token is to be or to change to. Absent and `null` mean unchanged; for a new token, what its maker's bounds allow at most, or nothing.",
    "properties": properties(),
}));

/// The same as a form, which has nothing but text.
pub(in crate::api) struct TokenForm;

body_schema!(TokenForm, "TokenForm", |_generator| json_schema!({
    "type": "object",
    "description": "A token's wishes as a form: `componentAccess[]` and `bucketPermissions[<bucket>]` may be repeated.",
    "properties": {
        "description": {"type": "string", "maxLength": MOST_DESCRIPTION_CHARACTERS, "pattern": LINE_OR_NONE},
        "isDisabled": {"enum": FORM_FLAGS},
        "canManageBuckets": {"enum": FORM_FLAGS},
        "canManageTokens": {"enum": FORM_FLAGS},
        "canReadAllFileUploads": {"enum": FORM_FLAGS},
        "canPurgeTrash": {"enum": FORM_FLAGS},
        "expiresIn": {"type": "string", "pattern": SECONDS_OR_NONE},
    },
}));

/// Those of a form, where an empty value is none.
const FORM_FLAGS: [&str; 5] = ["", "0", "1", "false", "true"];
const SECONDS_OR_NONE: &str = r"^(\+?0*[1-9][0-9]{0,8})?$";
const FLAG_TEXTS: [&str; 4] = ["0", "1", "false", "true"];

fn properties() -> Value {
    let flag = |description: &str| {
        json!({
            "anyOf": [
                {"type": "boolean"},
                {"enum": FLAG_TEXTS},
                {"type": "integer", "minimum": 0, "maximum": 1},
                {"type": "null"},
            ],
            "description": description,
        })
    };
    json!({
        "description": {
            "type": ["string", "null"], "maxLength": MOST_DESCRIPTION_CHARACTERS,
            "pattern": LINE_OR_NONE,
        },
        "isDisabled": flag("A disabled token is refused."),
        "canManageBuckets": flag("May manage the buckets of the storage."),
        "canManageTokens": flag("May make, change and delete tokens, plugins, components and credentials."),
        "canReadAllFileUploads": flag("May read all files."),
        "canPurgeTrash": flag("May empty the trash."),
        "expiresIn": optional(json!({
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_LIFE_SECONDS},
                {"type": "string", "pattern": r"^\+?0*[1-9][0-9]{0,8}$"},
            ],
            "description": "Seconds until it expires, as a number or a numeric string.",
        })),
        "componentAccess": {
            "type": ["array", "null"], "maxItems": MOST_COMPONENTS,
            "items": {"type": "string", "maxLength": MOST_NAME_CHARACTERS, "pattern": LINE},
            "description": "Components that it is confined to; none: to no component.",
        },
        "bucketPermissions": {
            "anyOf": [
                {
                    "type": "object", "maxProperties": MOST_BUCKETS,
                    "propertyNames": {"maxLength": MOST_NAME_CHARACTERS, "pattern": LINE},
                    "additionalProperties": {"enum": ["read", "write", "manage"]},
                },
                {"type": "array", "maxItems": 0},
                {"type": "null"},
            ],
            "description": "The right to each bucket by its name.",
        },
    })
}

/// Absent and `null` mean unchanged, and for a new token what its maker's bounds allow at most or nothing.
pub(in crate::api) fn read_token_change(
    body: &Map<String, Value>,
    faults: &mut Faults,
) -> TokenChange {
    let mut fields = Fields::new(body, "", faults);
    TokenChange {
        description: read_description(&mut fields),
        is_disabled: read_flag(&mut fields, "isDisabled"),
        rights: RightsChange {
            can_manage_buckets: read_flag(&mut fields, "canManageBuckets"),
            can_manage_tokens: read_flag(&mut fields, "canManageTokens"),
            can_read_all_file_uploads: read_flag(&mut fields, "canReadAllFileUploads"),
            can_purge_trash: read_flag(&mut fields, "canPurgeTrash"),
            expires_in: read_expires_in(&mut fields),
            component_access: read_component_access(&mut fields),
            bucket_permissions: read_bucket_permissions(&mut fields),
        },
    }
}

/// May be empty.
fn read_description(fields: &mut Fields<'_, '_>) -> Option<String> {
    const KEY: &str = "description";
    if fields.get(KEY).is_some_and(|value| value == "") {
        return Some(String::new());
    }
    let text = fields.text(KEY, MOST_DESCRIPTION_CHARACTERS);
    text.map(str::to_owned)
}

fn read_flag(fields: &mut Fields<'_, '_>, key: &str) -> Option<bool> {
    match fields.get(key)? {
        Value::Bool(flag) => return Some(*flag),
        Value::String(text) if text == "1" || text == "true" => return Some(true),
        Value::String(text) if text == "0" || text == "false" => return Some(false),
        number if whole_number(number) == Some(1) => return Some(true),
        number if whole_number(number) == Some(0) => return Some(false),
        _ => fields.fault(key, "must be true or false"),
    }
    None
}

fn read_expires_in(fields: &mut Fields<'_, '_>) -> Option<Duration> {
    const KEY: &str = "expiresIn";
    let range = 1..=MOST_LIFE_SECONDS;
    let seconds = match fields.get(KEY)? {
        Value::String(text) => {
            let seconds = text.parse().ok().filter(|seconds| range.contains(seconds));
            if seconds.is_none() {
                let message = format!("must be a number of seconds from 1 to {MOST_LIFE_SECONDS}");
                fields.fault(KEY, message);
            }
            seconds
        }
        _ => fields.integer(KEY, range, "seconds"),
    };
    seconds.map(Duration::from_secs)
}

fn read_component_access(fields: &mut Fields<'_, '_>) -> Option<Vec<String>> {
    const KEY: &str = "componentAccess";
    let array = fields.array(KEY)?;
    if array.len() > MOST_COMPONENTS {
        let message = format!("must not have more than {MOST_COMPONENTS} elements");
        fields.fault(KEY, message);
        return None;
    }
    let mut components: Vec<String> = Vec::with_capacity(array.len());
    for (position, value) in array.iter().enumerate() {
        match value.as_str().filter(|name| is_name(name)) {
            None => fields.fault(&format!("{KEY}[{position}]"), NO_NAME),
            Some(name) if components.iter().any(|other| other == name) => {}
            Some(name) => components.push(name.to_owned()),
        }
    }
    Some(components)
}

fn read_bucket_permissions(fields: &mut Fields<'_, '_>) -> Option<BucketPermissions> {
    const KEY: &str = "bucketPermissions";
    fields.get(KEY)?;
    let object = fields.parameters(KEY);
    if object.len() > MOST_BUCKETS {
        fields.fault(KEY, format!("must not have more than {MOST_BUCKETS} keys"));
        return None;
    }
    let mut permissions = BucketPermissions::new();
    for (bucket, value) in object {
        let path = format!("{KEY}.{bucket}");
        match value.as_str().and_then(BucketPermission::from_text) {
            _ if !is_name(&bucket) => fields.fault(KEY, format!("every key {NO_NAME}")),
            None => fields.fault(&path, "must be read, write or manage"),
            Some(permission) => {
                permissions.insert(bucket, permission);
            }
        }
    }
    Some(permissions)
}

const NO_NAME: &str = "must be a string of 1 to 255 characters without control characters";

fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= MOST_NAME_CHARACTERS
        && !text.chars().any(char::is_control)
}
