//! Request bodies: JSON, read as clients really send it.
//!
//! No `Content-Type` is needed, nor is the one that a bare `curl -d` sends held against it. An empty body is `{}`, and so
//! is `[]` where an object is expected. A body over the limit is read to its end within reason, so that its sender gets
//! to see the answer, but it is not kept.

use super::read::check;
use super::{ApiError, ApiState, Limiter, forms};
use crate::domain::faults::Fault;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::time::Duration;

/// A body must be here after this time, or its connection is given up: a slow sender holds nothing for long.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// No two parts of a body are further apart.
const LONGEST_GAP: Duration = Duration::from_secs(15);
/// The `Content-Type` of forms. A bare `curl -d` declares it for JSON too.
const FORM: &str = "application/x-www-form-urlencoded";
/// What components are declared as.
const COMPONENT_TYPES: [&str; 4] = ["", "application/wasm", "application/octet-stream", FORM];
/// How much of a body over the limit is still read, in multiples of the limit.
const MOST_DISCARDED: usize = 8;

/// A body that is a JSON object, or empty.
#[derive(Debug)]
pub(super) struct JsonObject(pub(super) Map<String, Value>);

/// A body that is a JSON array.
#[derive(Debug)]
pub(super) struct JsonArray(pub(super) Vec<Value>);

/// A JSON object or a form, as the calls about tokens take it: a form's values are text (see [`forms`]).
#[derive(Debug)]
pub(super) struct JsonOrForm(pub(super) Map<String, Value>);

impl FromRequest<ApiState> for JsonOrForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let is_declared = declared_type(request.headers()).is_some_and(|essence| essence == FORM);
        let Some(bytes) = read_body(request, state).await? else {
            return Ok(Self(Map::new()));
        };
        if is_declared && !forms::looks_like_json(&bytes) {
            return check(|faults| forms::read_form(&bytes, faults)).map(Self);
        }
        parse_json(&bytes).and_then(object).map(Self)
    }
}

impl FromRequest<ApiState> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        match read_json(request, state).await? {
            None => Ok(Self(Map::new())),
            Some(value) => object(value).map(Self),
        }
    }
}

fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(object) => Ok(object),
        Value::Array(array) if array.is_empty() => Ok(Map::new()),
        _ => Err(wrong_shape("must be a JSON object")),
    }
}

impl FromRequest<ApiState> for JsonArray {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        match read_json(request, state).await? {
            Some(Value::Array(array)) => Ok(Self(array)),
            _ => Err(wrong_shape("must be a JSON array")),
        }
    }
}

/// The fault of the body as a whole has an empty path.
fn wrong_shape(message: &str) -> ApiError {
    ApiError::Invalid(vec![Fault {
        path: String::new(),
        message: message.to_owned(),
    }])
}

/// `None` where the body is empty.
async fn read_json(request: Request, state: &ApiState) -> Result<Option<Value>, ApiError> {
    let bytes = read_body(request, state).await?;
    bytes.map(|bytes| parse_json(&bytes)).transpose()
}

fn parse_json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(ApiError::NotJson)
}

/// A body of a type that can be read; `None` where it is empty.
async fn read_body(request: Request, state: &ApiState) -> Result<Option<Vec<u8>>, ApiError> {
    let limit = state.settings.body_limit;
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > limit as u64 && parts.headers.contains_key(EXPECT) {
        return Err(ApiError::BodyTooLarge { limit });
    }
    let bytes = tokio::time::timeout(LONGEST_WAIT, read_bytes(body, limit, &state.limiter))
        .await
        .map_err(|_| ApiError::BodyTimeout)??;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    check_is_json(&parts.headers)?;
    Ok(Some(bytes))
}

/// A component: bytes that are declared as such, or not at all. `curl --data-binary` declares a form.
pub(super) async fn read_component(
    request: Request,
    limit: usize,
    limiter: &Limiter,
) -> Result<Vec<u8>, ApiError> {
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > limit as u64 && parts.headers.contains_key(EXPECT) {
        return Err(ApiError::BodyTooLarge { limit });
    }
    let is_component = match parts.headers.get(CONTENT_TYPE) {
        None => true,
        Some(_) => declared_type(&parts.headers)
            .is_some_and(|essence| COMPONENT_TYPES.contains(&essence.as_str())),
    };
    let bytes = tokio::time::timeout(LONGEST_WAIT, read_bytes(body, limit, limiter));
    let bytes = bytes.await.map_err(|_| ApiError::BodyTimeout)??;
    if is_component {
        Ok(bytes)
    } else {
        Err(ApiError::NotComponent)
    }
}

async fn read_bytes(mut body: Body, limit: usize, limiter: &Limiter) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut memory = limiter.body_memory();
    let mut seen = 0_usize;
    loop {
        let frame = tokio::time::timeout(LONGEST_GAP, body.frame()).await;
        let Some(frame) = frame.map_err(|_| ApiError::BodyTimeout)? else {
            break;
        };
        let Ok(data) = frame.map_err(ApiError::BodyUnreadable)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            if !memory.grow_to(seen) {
                return Err(ApiError::BodiesTooMany);
            }
            bytes.extend_from_slice(&data);
        } else if seen > limit.saturating_mul(MOST_DISCARDED) {
            break;
        } else {
            bytes = Vec::new();
            memory = limiter.body_memory();
        }
    }
    if seen > limit {
        Err(ApiError::BodyTooLarge { limit })
    } else {
        Ok(bytes)
    }
}

fn check_is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_plain = headers
        .get(CONTENT_ENCODING)
        .is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let is_json = match headers.get(CONTENT_TYPE) {
        None => true,
        Some(_) => declared_type(headers).is_some_and(|essence| names_json(&essence)),
    };
    if is_plain && is_json {
        Ok(())
    } else {
        Err(ApiError::UnsupportedMediaType)
    }
}

/// The `Content-Type` without its parameters, in lower case; `None` where it is absent or no text.
fn declared_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

fn names_json(essence: &str) -> bool {
    essence.is_empty()
        || essence.ends_with("/json")
        || essence.ends_with("+json")
        || essence == FORM
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn is_json(content_type: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        check_is_json(&headers).is_ok()
    }

    #[test]
    fn the_types_that_clients_send_json_with_are_taken_as_json() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "text/json",
            "application/merge-patch+json",
            "application/x-www-form-urlencoded",
            "",
        ] {
            assert!(is_json(json), "{json:?}");
        }
        for other in [
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=json",
        ] {
            assert!(!is_json(other), "{other:?}");
        }
    }
}
