//! The call to `orchestrator:host/http`: a request and its answer, each handed over whole. It is one call of the host where
//! `wasi:http` takes two dozen, so a request that is waited for at once goes this way.

use std::time::Duration;

use crate::bindings::http::orchestrator::host::http;

use super::{Address, Error, Request, Response};

pub(super) fn send(request: Request) -> Result<Response, Error> {
    let limit_bytes = request.body_limit_bytes;
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

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
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
