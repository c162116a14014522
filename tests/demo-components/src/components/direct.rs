//! Components that answer at once, late, wrongly or not at all, but without a job.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::Call;
use super::parameters::{self, BadParameters};
use crate::server::CloseConnection;

const TOKEN_HEADER: &str = "x-storageapi-token";

/// How often `flaky` was called, by key.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<HashMap<String, u32>>);

impl Attempts {
    /// Counts this attempt and answers its number, from 1.
    fn count(&self, key: &str) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// A failure as components word it.
pub(crate) fn problem(code: StatusCode, message: &str) -> Response {
    let body = json!({ "status": "error", "code": code.as_u16(), "message": message });
    (code, Json(body)).into_response()
}

pub(super) fn rows() -> Response {
    Json(json!({ "rows": 3 })).into_response()
}

pub(super) fn empty() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

pub(super) fn not_json() -> Response {
    Html("<html><body><h1>This is not JSON</h1></body></html>").into_response()
}

pub(super) fn close() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(CloseConnection);
    response
}

pub(super) fn echo(call: &Call) -> Result<Response, BadParameters> {
    let mut headers = Map::new();
    for (name, value) in &call.headers {
        let shown = match name.as_str() {
            TOKEN_HEADER => "*****".into(),
            _ => String::from_utf8_lossy(value.as_bytes()),
        };
        headers.insert(name.to_string(), Value::String(shown.into_owned()));
    }
    Ok(Json(json!({ "parameters": call.json()?, "headers": headers })).into_response())
}

/// The value stands alone, inside a sentence, in a list and as a key: every place a mask could miss.
pub(super) fn echo_token(call: &Call) -> Response {
    let token = call.header(TOKEN_HEADER).unwrap_or_default();
    Json(json!({
        "token": token,
        "message": format!("called with the token {token}, thank you"),
        "nested": { "list": [token], token: true },
    }))
    .into_response()
}

pub(super) fn status(call: &Call) -> Result<Response, BadParameters> {
    let given = call.parameters()?;
    let code = given.code_or(StatusCode::BAD_REQUEST)?;
    let usual = format!("the demo component answers {code}");
    Ok(with_retry_after(
        problem(code, given.message.as_deref().unwrap_or(&usual)),
        given.retry_after,
    ))
}

pub(super) fn flaky(call: &Call) -> Result<Response, BadParameters> {
    let given = call.parameters()?;
    let code = given.code_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let key = given
        .name
        .as_deref()
        .or(call.idempotency_key())
        .unwrap_or_default();
    let attempt = call.demo.attempts.count(key);
    if attempt <= given.failures {
        let message = format!(
            "attempt {attempt} fails, as do the first {}",
            given.failures
        );
        return Ok(with_retry_after(problem(code, &message), given.retry_after));
    }
    Ok(Json(json!({ "attempt": attempt })).into_response())
}

pub(super) async fn slow(call: &Call) -> Result<Response, BadParameters> {
    let seconds = call.parameters()?.seconds.unwrap_or(2.0);
    tokio::time::sleep(parameters::duration("seconds", seconds)?).await;
    Ok(Json(json!({ "seconds": seconds })).into_response())
}

pub(super) fn redirect(call: &Call) -> Result<Response, BadParameters> {
    let to = call
        .parameters()?
        .to
        .unwrap_or_else(|| format!("{}/sync/run", call.origin));
    let location = parameters::header("to", &to)?;
    Ok((
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, location)],
    )
        .into_response())
}

/// The answers stand in the path, because a webhook's body is its sender's.
pub(super) fn receive(call: &Call) -> Result<Response, BadParameters> {
    let attempt = call
        .demo
        .attempts
        .count(&format!("receiver/{}", call.action));
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let answers: Vec<&str> = call.action.split(',').collect();
    let answer = answers.get(index).or(answers.last()).copied();
    let (code, retry_after) = match answer.unwrap_or_default().split_once('-') {
        Some((code, seconds)) => (code, seconds.parse().ok()),
        None => (answer.unwrap_or_default(), None),
    };
    let code = code
        .parse()
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok());
    let code =
        code.ok_or_else(|| BadParameters::new("the action must be statuses, such as 500,204"))?;
    if code.is_redirection() {
        let location = parameters::header("to", "https://10.1.2.3/")?;
        return Ok((code, [(header::LOCATION, location)]).into_response());
    }
    Ok(with_retry_after(code.into_response(), retry_after))
}

/// Sent piece by piece and without a length, so that a reader has to count for itself.
pub(super) fn huge(call: &Call) -> Result<Response, BadParameters> {
    const PIECE: &[u8] = &[b'x'; 64 * 1024];
    let pieces = u64::from(call.parameters()?.megabytes.unwrap_or(64)) * 16;
    let mut sent = 0;
    let body = std::iter::once(Bytes::from_static(b"{\"data\":\""))
        .chain(std::iter::from_fn(move || {
            sent += 1;
            (sent <= pieces).then_some(Bytes::from_static(PIECE))
        }))
        .chain(std::iter::once(Bytes::from_static(b"\"}")));
    let body = Body::from_stream(stream::iter(body.map(Ok::<_, std::convert::Infallible>)));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn with_retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
