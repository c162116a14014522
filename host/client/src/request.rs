//! One request, its answer, and when it is made once more.
//!
//! A request is repeated after a failure only where the repetition changes nothing more than the first one did
//! ([`Repeat::Safe`]), or where the first one was certainly not worked on: nothing was connected to, or the server was too busy
//! to look at it (429). Waits follow `Retry-After`, are bounded, and a request is given up that would have to wait for longer.

use crate::builder::{Access, Builder};
use crate::error::ClientError;
use crate::refusal::Refusal;
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

pub use reqwest::Method;

/// A server that asks for more patience than this is told about instead of waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The API of one server, as one token may use it. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Client(pub(crate) Arc<Connection>);

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) http: reqwest::Client,
    /// Without a slash at its end.
    pub(crate) base: String,
    /// In which header it goes.
    pub(crate) token: Option<(&'static str, HeaderValue)>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) has_own_authority: bool,
}

/// Whether a request may be made again when nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Safe,
    Never,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    /// With its query.
    path: String,
    body: Option<(&'static str, Bytes)>,
    headers: HeaderMap,
    repeat: Repeat,
}

impl Call {
    /// A read or a replacement is safe to repeat, all else is not.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let is_safe = matches!(method, Method::GET | Method::HEAD | Method::PUT);
        Self {
            method,
            path: path.into(),
            body: None,
            headers: HeaderMap::new(),
            repeat: if is_safe { Repeat::Safe } else { Repeat::Never },
        }
    }

    pub(crate) fn json(mut self, body: &impl serde::Serialize) -> Self {
        // Nouns of this crate always serialise.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.body = Some(("application/json", body.into()));
        self
    }

    pub(crate) fn bytes(mut self, kind: &'static str, body: Vec<u8>) -> Self {
        self.body = Some((kind, body.into()));
        self
    }

    /// Under an idempotency key it is safe to repeat.
    pub(crate) fn keyed(mut self, key: &str) -> Self {
        if let Ok(key) = HeaderValue::from_str(key) {
            self.headers.insert("Idempotency-Key", key);
            self.repeat = Repeat::Safe;
        }
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// A success.
#[derive(Debug)]
pub(crate) struct Answer {
    url: String,
    pub(crate) headers: HeaderMap,
    bytes: Bytes,
}

impl Answer {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.bytes).map_err(|error| ClientError::NotUnderstood {
            url: self.url.clone(),
            reason: error.to_string(),
        })
    }
}

impl Client {
    /// A client of the server at `url`, which may have a path.
    #[must_use]
    pub fn builder(url: &str, access: Access) -> Builder {
        Builder::new(url, access)
    }

    /// Address of the server, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.0.base
    }

    /// A call by its path, for what has no method here; the answer's JSON, `null` where it has none.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let mut call = Call::new(method, path);
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = self.send(&call).await?;
        if answer.bytes.is_empty() {
            return Ok(Value::Null);
        }
        answer.read()
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(&Call::new(Method::GET, path)).await?.read()
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, ClientError> {
        let mut attempt = 0;
        loop {
            let error = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            match wait_before_next(&error, call.repeat, attempt) {
                Some(wait) if attempt <= self.0.retries => pause(wait).await,
                _ => return Err(error),
            }
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, ClientError> {
        let response = self.begin(call, Some(self.0.timeout)).await?;
        let (url, headers) = (response.url().to_string(), response.headers().clone());
        let bytes = response.bytes().await;
        let bytes = bytes.map_err(|error| self.unanswered(&error))?;
        Ok(Answer {
            url,
            headers,
            bytes,
        })
    }

    /// The head of a success; without a `timeout` its body may go on for ever.
    pub(crate) async fn begin(
        &self,
        call: &Call,
        timeout: Option<Duration>,
    ) -> Result<Response, ClientError> {
        let mut request = self.request(call);
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        let response = request.send().await;
        let response = response.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.unwrap_or_default();
        Err(Box::new(Refusal::of(status, &headers, &body, &call.path)).into())
    }

    fn request(&self, call: &Call) -> RequestBuilder {
        let url = format!("{}{}", self.0.base, call.path);
        let mut request = self.0.http.request(call.method.clone(), url);
        if let Some((header, token)) = &self.0.token {
            request = request.header(*header, token.clone());
        }
        if !call.headers.contains_key(ACCEPT) {
            request = request.header(ACCEPT, "application/json");
        }
        request = request.headers(call.headers.clone());
        if let Some((kind, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *kind).body(body.clone());
        }
        request
    }

    pub(crate) fn unanswered(&self, error: &reqwest::Error) -> ClientError {
        ClientError::of_connection(error, &self.0.base, self.0.has_own_authority)
    }
}

/// `None`: it is not made again.
fn wait_before_next(error: &ClientError, repeat: Repeat, attempt: u32) -> Option<Duration> {
    let is_unknown_fine = repeat == Repeat::Safe;
    let (may_repeat, asked) = match error {
        ClientError::Unanswered { was_sent, .. } => (!was_sent || is_unknown_fine, None),
        ClientError::Refused(refusal) => {
            let may_repeat = match StatusCode::from_u16(refusal.status).unwrap_or_default() {
                // Refused before it was looked at.
                StatusCode::TOO_MANY_REQUESTS => true,
                StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => is_unknown_fine,
                _ => false,
            };
            (may_repeat, refusal.retry_after)
        }
        _ => (false, None),
    };
    let wait = asked.unwrap_or(FIRST_WAIT * 2_u32.saturating_pow(attempt.saturating_sub(1)));
    (may_repeat && wait <= LONGEST_WAIT).then_some(wait)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a client has no clock of a server to wait by"
)]
pub(crate) async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> ClientError {
        Box::new(Refusal {
            status,
            code: None,
            message: None,
            exception_id: None,
            faults: Vec::new(),
            retry_after: retry_after.map(Duration::from_secs),
            path: "/".to_owned(),
        })
        .into()
    }

    fn unanswered(was_sent: bool) -> ClientError {
        ClientError::Unanswered {
            base: "https://a.example".to_owned(),
            reason: "reset".to_owned(),
            was_sent,
        }
    }

    #[test]
    fn what_may_have_been_done_is_repeated_only_where_that_is_safe() {
        for (error, safe, never) in [
            (unanswered(true), true, false),
            (unanswered(false), true, true),
            (refused(503, None), true, false),
            (refused(429, None), true, true),
            (refused(400, None), false, false),
            (refused(500, None), false, false),
        ] {
            let may = |repeat| wait_before_next(&error, repeat, 1).is_some();
            assert_eq!(
                (may(Repeat::Safe), may(Repeat::Never)),
                (safe, never),
                "{error}"
            );
        }
    }

    #[test]
    fn waits_grow_follow_the_server_and_are_bounded() {
        let wait = |error: &ClientError, attempt| wait_before_next(error, Repeat::Safe, attempt);
        let lost = unanswered(true);
        assert_eq!(wait(&lost, 1), Some(FIRST_WAIT));
        assert_eq!(wait(&lost, 3), Some(FIRST_WAIT * 4));
        assert_eq!(
            wait(&refused(503, Some(5)), 1),
            Some(Duration::from_secs(5))
        );
        assert_eq!(wait(&refused(429, Some(3_600)), 1), None);
    }

    #[test]
    fn reads_replacements_and_keyed_calls_are_safe() {
        let repeat = |call: Call| call.repeat;
        assert_eq!(repeat(Call::new(Method::GET, "/")), Repeat::Safe);
        assert_eq!(repeat(Call::new(Method::PUT, "/")), Repeat::Safe);
        assert_eq!(repeat(Call::new(Method::POST, "/")), Repeat::Never);
        assert_eq!(repeat(Call::new(Method::DELETE, "/")), Repeat::Never);
        assert_eq!(
            repeat(Call::new(Method::POST, "/").keyed("k")),
            Repeat::Safe
        );
    }
}
