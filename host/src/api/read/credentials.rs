//! A credential of a body.

use super::Fields;
use super::schemas::{text, with};
use crate::domain::credential::{Credential, MOST_CREDENTIAL_HOSTS, Secret};
use crate::domain::faults::Faults;
use crate::plugins::fault_of_credential_host;
use axum::http::{HeaderName, HeaderValue};
use schemars::json_schema;
use serde_json::{Map, Value, json};

/// Longest secret, in characters.
const MOST_SECRET: usize = 8_192;
/// Longest user or header name, in characters.
const MOST_NAME: usize = 255;
/// Headers that make a request what it is, or that the server has its own values for.
const CLOSED_HEADERS: [&str; 12] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-storageapi-token",
];

/// Visible ASCII characters and spaces, not all of them spaces.
const VISIBLE: &str = "^[ -~]*[!-~][ -~]*$";

body_schema!(Credential, "CredentialInput", |_generator| {
    let secret = |description| {
        json!({
            "type": "string", "minLength": 1, "maxLength": MOST_SECRET, "pattern": VISIBLE,
            "description": description,
        })
    };
    let name = |pattern, description| with(text(MOST_NAME, description), "pattern", json!(pattern));
    let hosts = json!({
        "type": "array", "minItems": 1, "maxItems": MOST_CREDENTIAL_HOSTS,
        "items": {"type": "string", "format": "credential-host"},
        "description": "To which it may be sent, such as `https://api.example.com` or `https://*.example.com`.",
    });
    let of = |kind: &str, secrets: Map<String, Value>| {
        let mut properties = Map::new();
        properties.insert("type".to_owned(), json!({"const": kind}));
        let mut required = vec!["type".to_owned()];
        required.extend(secrets.keys().cloned());
        properties.extend(secrets);
        if kind == "hmac" {
            properties.insert(
                "hosts".to_owned(),
                json!({"type": ["array", "null"], "maxItems": 0}),
            );
        } else {
            properties.insert("hosts".to_owned(), hosts.clone());
            required.push("hosts".to_owned());
        }
        json!({"type": "object", "properties": properties, "required": required})
    };
    let map = |value: Value| value.as_object().cloned().unwrap_or_default();
    json_schema!({
        "description": "A secret for another service. It is not shown again.",
        "oneOf": [
            of("bearer", map(json!({"token": secret("Sent as `Authorization: Bearer …`.")}))),
            of("basic", map(json!({
                "username": name("^[ -9;-~]*[!-9;-~][ -9;-~]*$", "Without a colon."),
                "password": secret("Its password."),
            }))),
            of("header", map(json!({
                "header": name("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "The name of a header that is not the server's own."),
                "value": secret("What the header carries."),
            }))),
            of("hmac", map(json!({"secret": secret("Signs requests and is never sent.")}))),
        ],
    })
});

/// Reads a credential. Where there is no fault there is one.
pub(in crate::api) fn read_credential(
    body: &Map<String, Value>,
    name: String,
    faults: &mut Faults,
) -> Option<Credential> {
    let mut fields = Fields::new(body, "", faults);
    let secret = read_secret(&mut fields);
    let signs = matches!(secret, Some(Secret::Hmac { .. }));
    let hosts = read_hosts(&mut fields, signs);
    Some(Credential {
        name,
        hosts,
        secret: secret?,
    })
}

fn read_secret(fields: &mut Fields<'_, '_>) -> Option<Secret> {
    match fields.get("type").and_then(Value::as_str) {
        Some("bearer") => Some(Secret::Bearer {
            token: required(fields, "token", MOST_SECRET)?,
        }),
        Some("basic") => {
            let username = required(fields, "username", MOST_NAME);
            if username.as_ref().is_some_and(|name| name.contains(':')) {
                fields.fault("username", "must not contain a colon");
            }
            let password = required(fields, "password", MOST_SECRET);
            Some(Secret::Basic {
                username: username?,
                password: password?,
            })
        }
        Some("header") => {
            let header = required(fields, "header", MOST_NAME);
            if let Some(why) = header.as_deref().and_then(fault_of_header) {
                fields.fault("header", why);
            }
            let value = required(fields, "value", MOST_SECRET);
            Some(Secret::Header {
                header: header?,
                value: value?,
            })
        }
        Some("hmac") => Some(Secret::Hmac {
            secret: required(fields, "secret", MOST_SECRET)?,
        }),
        _ => {
            fields.fault("type", "must be one of bearer, basic, header, hmac");
            None
        }
    }
}

/// Text that can stand in a header.
fn required(fields: &mut Fields<'_, '_>, key: &str, most: usize) -> Option<String> {
    if fields.get(key).is_none() {
        fields.fault(key, "is required");
        return None;
    }
    let text = fields.text(key, most)?.to_owned();
    let is_ascii = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !is_ascii || HeaderValue::from_str(&text).is_err() {
        fields.fault(key, "must consist of visible ASCII characters and spaces");
        return None;
    }
    Some(text)
}

fn fault_of_header(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        Some("must be the name of a header")
    } else if CLOSED_HEADERS.contains(&lower.as_str()) {
        Some("must be another header: this one is the server's")
    } else {
        None
    }
}

fn read_hosts(fields: &mut Fields<'_, '_>, signs: bool) -> Vec<String> {
    const KEY: &str = "hosts";
    let values = fields.array(KEY).unwrap_or_default();
    if signs {
        if !values.is_empty() {
            fields.fault(KEY, "must not be set: what signs is never sent");
        }
        return Vec::new();
    }
    if values.is_empty() || values.len() > MOST_CREDENTIAL_HOSTS {
        let why = format!("must be a list of 1 to {MOST_CREDENTIAL_HOSTS} addresses");
        fields.fault(KEY, why);
    }
    let mut hosts = Vec::with_capacity(values.len().min(MOST_CREDENTIAL_HOSTS));
    for (at, value) in values.iter().enumerate().take(MOST_CREDENTIAL_HOSTS) {
        let fault = match value.as_str() {
            None => Some("must be a string".to_owned()),
            Some(text) => fault_of_credential_host(text),
        };
        match (fault, value.as_str()) {
            (None, Some(text)) => hosts.push(text.to_owned()),
            (fault, _) => fields.fault(&format!("{KEY}[{at}]"), fault.unwrap_or_default()),
        }
    }
    hosts
}
