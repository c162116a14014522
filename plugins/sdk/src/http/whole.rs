//! The call to `orchestrator:host/http`: a request and its answer, each handed over whole. It is one call of the host where
//! `wasi:http` takes two dozen, so a request that is waited for at once goes this way.

use std::time::Duration;

use crate::bindings::http::orchestrator::host::http;

use super::{Address, Error, Request, Response};

/// A larger body goes by streams: one call carries no more than sixteen MiB, and the host refuses such bodies anyway.
pub(super) const MOST_BODY_BYTES: usize = 8 << 20;
/// Of the connection, not of the request: the host would leave them out, and an error is better than that.
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn send(request: Request) -> Result<Response, Error> {
    let limit_bytes = request.body_limit_bytes;
    for (name, _) in &request.headers {
        if OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()) {
            let why = format!("the header {name} cannot be sent: it is the host's to set");
            return Err(Error::Invalid(why));
        }
    }
    let answer = http::send(&http::Request {
        // As the address is understood here, so that the host does not read another one.
        url: Address::parse(&request.url)?.to_string(),
        method: request.method,
        headers: request.headers,
        body: request.body,
        timeout_ms: request.answer_timeout.map(milliseconds),
    })?;
    if answer.body.len() > limit_bytes {
        return Err(Error::TooLarge);
    }
    let headers = answer.headers.into_iter();
    let headers = headers.map(|(name, value)| (name, value.into_bytes()));
    Ok(Response::new(answer.status, headers.collect(), answer.body))
}

/// Rounded up, so that a short time is not none.
fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX)
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Invalid(why) => Self::Invalid(why),
            http::Error::Denied(why) => Self::Denied(why),
            http::Error::NotSent(why) => Self::NotSent(why),
            http::Error::NoAnswer(why) => Self::NoAnswer(why),
            http::Error::TooLarge(_) => Self::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_are_refused_in_any_case() {
        for name in ["Connection", "transfer-encoding", "HOST"] {
            let request = Request::new("GET", "https://component.example/").header(name, "x");
            let Err(Error::Invalid(why)) = send(request) else {
                panic!("{name} was sent");
            };
            assert_eq!(
                why,
                format!("the header {name} cannot be sent: it is the host's to set")
            );
        }
    }

    #[test]
    fn a_short_time_is_not_none() {
        for (micros, expected) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), expected);
        }
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }
}
