//! Requests and responses, held in memory whole.

use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::wasi::{self, Pending};
use super::whole;
use super::{AddressError, Error};

/// One request. Build it, then [`send`](Request::send) it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) answer_timeout: Option<Duration>,
    pub(super) body_limit_bytes: usize,
}

impl Request {
    /// A request without headers and body, with the host's own time-outs and a limit of 8 MiB for the answer's body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            connect_timeout: None,
            answer_timeout: None,
            body_limit_bytes: 8 << 20,
        }
    }

    /// Adds a header. `Content-Length` and `Host` are set without it.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to this JSON, and says so in `Content-Type`.
    #[must_use]
    pub fn with_json(self, json: &serde_json::Value) -> Self {
        self.header("Content-Type", "application/json")
            .with_body(json.to_string())
    }

    /// Bounds the time until there is a connection more narrowly than the host does, which waits for ten seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Bounds the time from the sent request to the first byte of the answer, and between any two of its bytes. Unless
    /// [`Request::connect_timeout`] says otherwise, a connection is waited for no longer either.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = Some(timeout);
        self
    }

    /// Bounds the answer's body: a larger one is [`Error::TooLarge`].
    #[must_use]
    pub fn body_limit_bytes(mut self, limit: usize) -> Self {
        self.body_limit_bytes = limit;
        self
    }

    /// The method, as it was given.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The address, as it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers, in the order in which they were added.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body; empty where there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Sends the request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// Where there is no whole answer: see [`Error`].
    pub fn send(self) -> Result<Response, Error> {
        if self.connect_timeout.is_some() || self.body.len() > whole::MOST_BODY_BYTES {
            return self.begin()?.finish();
        }
        whole::send(self)
    }

    /// Sends the request without waiting for the answer, so that several can be under way at once.
    ///
    /// # Errors
    /// Where the request could not be handed over: see [`Error`].
    pub fn begin(self) -> Result<Pending, Error> {
        wasi::begin(self)
    }
}

/// One answer, read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// An answer of the given parts.
    pub fn new(status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers, in the order in which they came. Bytes that are not UTF-8 may have become U+FFFD.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The first header of that name (in any case), where it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        let text = std::str::from_utf8(value).ok()?;
        (!text.contains('\u{fffd}')).then_some(text)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none; the text says where.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    /// The body as a type of the plugin's own.
    ///
    /// # Errors
    /// It is not such JSON; the text says where.
    pub fn json_as<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("the answer is not as expected: {error}"))
    }

    /// How long the other side asks to be left alone, by its `Retry-After` header.
    pub fn retry_after(&self) -> Option<Duration> {
        parse_retry_after(self.header("retry-after")?, SystemTime::now())
    }
}

/// Reads the value of a `Retry-After` header: seconds or a date. A date that is past is zero.
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_not_text_is_not_there() {
        for (value, expected) in [
            (b"a".as_slice(), Some("a")),
            (b"caf\xe9", None),
            ("caf\u{fffd}".as_bytes(), None),
        ] {
            let headers = vec![("x-a".to_owned(), value.to_vec())];
            let response = Response::new(200, headers, Vec::new());
            assert_eq!(response.header("X-A"), expected);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                parse_retry_after(value, now),
                expected.map(Duration::from_secs),
                "{value}"
            );
        }
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        let response = Response::new(200, vec![("Retry-After".into(), b"3".to_vec())], Vec::new());

        assert_eq!(response.header("retry-after"), Some("3"));
        assert_eq!(response.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(response.header("location"), None);
    }
}
