//! What a task says: its `actionParameters`, checked. An error names the field.

use std::collections::BTreeMap;

use orchestrator_sdk::http::Address;
use orchestrator_sdk::task::{Context, Failure, FailureKind};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::pointer::is_pointer;

/// The answer is waited for this long unless the task says otherwise.
const USUAL_TIMEOUT_SECONDS: u32 = 60;
const MAX_TIMEOUT_SECONDS: u32 = 900;
/// What the host sets, and takes off where a plugin sets it: an error is better than a header that is silently gone.
const HOST_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "content-length",
    "x-storageapi-token",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parameters {
    #[serde(default)]
    method: Option<String>,
    url: String,
    #[serde(default)]
    query: BTreeMap<String, Value>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    expected_status: Option<Vec<Statuses>>,
    /// Pointer → the value that has to be there.
    #[serde(default)]
    pub checks: BTreeMap<String, Value>,
    /// Pointer to what is kept as the task's response.
    #[serde(default)]
    pub result: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
    #[serde(default)]
    idempotent: Option<bool>,
    /// The host reads it, and adds the credential.
    #[serde(default, rename = "credential")]
    _credential: Option<String>,
}

/// `200` or `"200-299"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Range(String),
}

pub struct Body {
    pub bytes: Vec<u8>,
    pub content_type: &'static str,
}

impl Parameters {
    pub fn of(context: &Context) -> Result<Self, Failure> {
        let parameters: Self = context.parameters_as()?;
        parameters.check().map_err(wrong)?;
        Ok(parameters)
    }

    fn check(&self) -> Result<(), String> {
        for name in self.headers.keys() {
            if HOST_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!(
                    "headers.{name} is the server's to set: secrets are added by a credential"
                ));
            }
        }
        for statuses in self.expected_status.iter().flatten() {
            statuses.range()?;
        }
        for pointer in self.checks.keys().chain(&self.result) {
            if !is_pointer(pointer) {
                return Err(format!("{pointer:?} is no JSON pointer: it starts with /"));
            }
        }
        match self.timeout_seconds {
            Some(0) => Err("timeoutSeconds must be 1 at least".to_owned()),
            Some(seconds) if seconds > MAX_TIMEOUT_SECONDS => Err(format!(
                "timeoutSeconds must be {MAX_TIMEOUT_SECONDS} at most"
            )),
            _ => Ok(()),
        }
    }

    /// In capitals; without one it is GET, or POST where there is a body.
    pub fn method(&self) -> String {
        match (&self.method, &self.body) {
            (Some(method), _) => method.to_ascii_uppercase(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        }
    }

    /// The address with the query added to its own.
    pub fn address(&self) -> Result<Address, Failure> {
        let address = Address::parse(&self.url).map_err(|error| wrong(format!("url: {error}")))?;
        if !address.is_https() {
            let message = "url must be an https address: no other protocol is allowed";
            return Err(Failure::new(FailureKind::Config, "NOT_HTTPS", message));
        }
        let mut url = address.to_string();
        for (name, value) in &self.query {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = match value {
                    Value::Null => continue,
                    Value::String(text) => text.clone(),
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                    Value::Array(_) | Value::Object(_) => {
                        return Err(wrong(format!(
                            "query.{name} must be text, a number, true or false, or a list of these"
                        )));
                    }
                };
                url.push(if url.contains('?') { '&' } else { '?' });
                url.push_str(&encode(name));
                url.push('=');
                url.push_str(&encode(&text));
            }
        }
        Address::parse(&url).map_err(|error| wrong(format!("url: {error}")))
    }

    /// Text is sent as it is, anything else as JSON, as it was written.
    pub fn body(&self) -> Option<Body> {
        let raw = self.body.as_ref()?.get();
        Some(match serde_json::from_str::<String>(raw) {
            Ok(text) => Body {
                bytes: text.into_bytes(),
                content_type: "text/plain; charset=utf-8",
            },
            Err(_) => Body {
                bytes: raw.as_bytes().to_vec(),
                content_type: "application/json",
            },
        })
    }

    pub fn expects(&self, status: u16) -> bool {
        match &self.expected_status {
            None => (200..300).contains(&status),
            Some(all) => all.iter().any(|one| {
                one.range()
                    .is_ok_and(|(first, last)| (first..=last).contains(&status))
            }),
        }
    }

    pub fn timeout_seconds(&self) -> u64 {
        self.timeout_seconds.unwrap_or(USUAL_TIMEOUT_SECONDS).into()
    }

    /// Whether the request may be sent twice.
    pub fn is_idempotent(&self) -> bool {
        let by_method = || {
            matches!(
                self.method().as_str(),
                "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS"
            )
        };
        self.idempotent.unwrap_or_else(by_method)
    }
}

impl Statuses {
    fn range(&self) -> Result<(u16, u16), String> {
        let range = match self {
            Self::One(status) => Some((*status, *status)),
            Self::Range(text) => match text.split_once('-') {
                Some((first, last)) => {
                    let numbers = (first.trim().parse().ok(), last.trim().parse().ok());
                    numbers.0.zip(numbers.1)
                }
                None => text.trim().parse().ok().map(|status: u16| (status, status)),
            },
        };
        let fits = |&(first, last): &(u16, u16)| first <= last && first >= 100 && last <= 599;
        range.filter(fits).ok_or_else(|| {
            "expectedStatus must be a list of statuses and ranges, such as [200, \"202-204\"]"
                .to_owned()
        })
    }
}

pub fn wrong(why: String) -> Failure {
    Failure::new(
        FailureKind::Config,
        "BAD_PARAMETERS",
        format!("the task's parameters are not as expected: {why}"),
    )
}

/// As a query has it: everything but letters, digits and `-._~` encoded.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;

    fn read(json: &str) -> Result<Parameters, Failure> {
        Parameters::of(&context(json))
    }

    #[test]
    fn a_query_is_added_to_the_addresss_own() {
        let parameters = read(
            r#"{"url": "https://x.example/a?b=1", "query": {"c d": "e&f", "n": [1, true, null], "z": null}}"#,
        );
        let address = parameters.unwrap().address().unwrap();
        assert_eq!(
            address.to_string(),
            "https://x.example/a?b=1&c%20d=e%26f&n=1&n=true"
        );
    }

    #[test]
    fn text_is_sent_as_text_and_everything_else_as_json_to_the_digit() {
        let body = |json: &str| {
            let body = read(json).unwrap().body().unwrap();
            (String::from_utf8(body.bytes).unwrap(), body.content_type)
        };
        assert_eq!(
            body(r#"{"url": "https://x/", "body": "a\nb"}"#),
            ("a\nb".to_owned(), "text/plain; charset=utf-8")
        );
        assert_eq!(
            body(r#"{"url": "https://x/", "body": {"n": 1.50}}"#),
            (r#"{"n": 1.50}"#.to_owned(), "application/json")
        );
    }

    #[test]
    fn the_method_follows_from_the_body_and_what_may_be_repeated_from_the_method() {
        for (json, method, is_idempotent) in [
            (r#"{"url": "https://x/"}"#, "GET", true),
            (r#"{"url": "https://x/", "body": 1}"#, "POST", false),
            (r#"{"url": "https://x/", "method": "put"}"#, "PUT", true),
            (
                r#"{"url": "https://x/", "method": "PATCH"}"#,
                "PATCH",
                false,
            ),
            (
                r#"{"url": "https://x/", "body": 1, "idempotent": true}"#,
                "POST",
                true,
            ),
            (
                r#"{"url": "https://x/", "idempotent": false}"#,
                "GET",
                false,
            ),
        ] {
            let parameters = read(json).unwrap();
            let read = (parameters.method(), parameters.is_idempotent());
            assert_eq!(read, (method.to_owned(), is_idempotent), "{json}");
        }
    }

    #[test]
    fn statuses_are_numbers_and_ranges() {
        let parameters =
            read(r#"{"url": "https://x/", "expectedStatus": [201, "300-399", "404"]}"#).unwrap();
        let expected: Vec<u16> = [200, 201, 299, 300, 399, 400, 404]
            .into_iter()
            .filter(|status| parameters.expects(*status))
            .collect();
        assert_eq!(expected, [201, 300, 399, 404]);
        let usual = read(r#"{"url": "https://x/"}"#).unwrap();
        assert!(usual.expects(204) && !usual.expects(302));
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (json, field) in [
            (r"{}", "url"),
            (r#"{"url": "https://x/", "metod": "GET"}"#, "metod"),
            (r#"{"url": "x"}"#, "url"),
            (r#"{"url": "http://x/"}"#, "https"),
            (
                r#"{"url": "https://x/", "headers": {"Authorization": "x"}}"#,
                "headers.Authorization",
            ),
            (
                r#"{"url": "https://x/", "expectedStatus": ["2xx"]}"#,
                "expectedStatus",
            ),
            (
                r#"{"url": "https://x/", "expectedStatus": ["300-200"]}"#,
                "expectedStatus",
            ),
            (r#"{"url": "https://x/", "checks": {"a": 1}}"#, "pointer"),
            (
                r#"{"url": "https://x/", "timeoutSeconds": 0}"#,
                "timeoutSeconds",
            ),
            (r#"{"url": "https://x/", "query": {"a": {}}}"#, "query.a"),
        ] {
            let failure = read(json).and_then(|parameters| parameters.address().map(drop));
            let message = failure.unwrap_err().message;
            assert!(message.contains(field), "{json}: {message}");
        }
    }
}
