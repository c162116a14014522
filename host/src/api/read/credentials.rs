//! A credential of a body.

use super::Fields;
use crate::domain::credential::{Credential, MOST_CREDENTIAL_HOSTS, Secret};
use crate::domain::faults::Faults;
use crate::plugins::fault_of_credential_host;
use axum::http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

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
