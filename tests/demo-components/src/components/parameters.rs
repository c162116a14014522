//! The body of a call, read strictly: a wrong type or value is a 400 that names it, since a typing
//! error in a demo's configuration would otherwise show itself as odd behaviour.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::{Call, problem};
use crate::jobs::Ending;

/// All that any component takes; keys that it does not know are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Parameters {
    pub result: Ending,
    pub seconds: Option<f64>,
    pub polls: Option<u32>,
    pub answer_after: f64,
    pub idempotent: bool,
    pub code: Option<u16>,
    pub message: Option<String>,
    pub retry_after: Option<u64>,
    pub failures: u32,
    pub name: Option<String>,
    pub to: Option<String>,
    pub url: Option<String>,
    pub megabytes: Option<u32>,
}

/// Becomes a 400 with this text as its `message`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadParameters(String);

impl BadParameters {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl IntoResponse for BadParameters {
    fn into_response(self) -> Response {
        problem(StatusCode::BAD_REQUEST, &self.to_string())
    }
}

impl Call {
    /// The body as JSON; none at all counts as `{}`.
    pub(super) fn json(&self) -> Result<Value, BadParameters> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| BadParameters(format!("the body is not JSON: {error}")))
    }

    pub(super) fn parameters(&self) -> Result<Parameters, BadParameters> {
        let json = self.json()?;
        if !json.is_object() {
            return Err(BadParameters::new("the body is not a JSON object"));
        }
        serde_json::from_value(json)
            .map_err(|error| BadParameters(format!("the parameters are wrong: {error}")))
    }
}

impl Parameters {
    /// Below 200 an answer would not be the last one for its request.
    pub(super) fn code_or(&self, usual: StatusCode) -> Result<StatusCode, BadParameters> {
        match self.code {
            None => Ok(usual),
            Some(code @ 200..=599) => StatusCode::from_u16(code)
                .map_err(|_| BadParameters(format!("code {code} is not a status code"))),
            Some(code) => Err(BadParameters(format!(
                "code {code} is not within 200 to 599"
            ))),
        }
    }
}

pub(super) fn duration(name: &str, seconds: f64) -> Result<Duration, BadParameters> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| BadParameters(format!("{name} {seconds} is not a time in seconds")))
}

pub(super) fn header(name: &str, value: &str) -> Result<HeaderValue, BadParameters> {
    HeaderValue::from_str(value)
        .map_err(|_| BadParameters(format!("{name} cannot be sent in a header")))
}
