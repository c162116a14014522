//! Outgoing HTTP, for plugins whose manifest asks for `http`: `wasi:http/outgoing-handler`, and `orchestrator:host/http` for
//! whoever can do without streams. Both end in the same hook; where a request goes from there is
//! [`outbound`](crate::plugins::outbound)'s matter.

use crate::plugins::contract::v0_1::http::{Error, Host, Request, Response};
use crate::plugins::limits::{HeadersOverLimit, MOST_HEADER_BYTES};
use crate::plugins::state::CallState;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi_http::{Error as Code, RequestOptions};

pub(super) fn add_to_linker(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    crate::plugins::contract::v0_1::http::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

impl Host for CallState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let timeout = request
            .timeout_ms
            .map(|milliseconds| Duration::from_millis(milliseconds.into()));
        if header_bytes(&request) > MOST_HEADER_BYTES {
            return Err(wasmtime::Error::new(HeadersOverLimit));
        }
        let outgoing = match outgoing(request) {
            Ok(outgoing) => outgoing,
            Err(why) => return Ok(Err(Error::Invalid(why))),
        };
        let options = RequestOptions {
            connect_timeout: timeout,
            first_byte_timeout: timeout,
            between_bytes_timeout: timeout,
        };
        let answer = self.hooks.exchange(outgoing, options).await;
        Ok(answer.map(response).map_err(explain))
    }
}

/// In memory, as `wasi:http` counts where no name is there twice. Below the limit there are far fewer than the number of
/// headers at which their map panics.
fn header_bytes(request: &Request) -> usize {
    let each = size_of::<HeaderName>() + size_of::<HeaderValue>();
    let headers = request.headers.iter();
    headers
        .map(|(name, value)| name.len() + value.len() + each)
        .sum()
}

fn outgoing(request: Request) -> Result<http::Request<Bytes>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers {
        let wrong = format!("the header {name} cannot be sent");
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => headers.append(name, value),
            _ => return Err(wrong),
        };
    }
    let mut outgoing = http::Request::builder()
        .method(request.method.as_str())
        .uri(request.url)
        .body(Bytes::from(request.body))
        .map_err(|error| error.to_string())?;
    *outgoing.headers_mut() = headers;
    Ok(outgoing)
}

fn response(response: http::Response<Bytes>) -> Response {
    let headers = response.headers().iter();
    Response {
        status: response.status().as_u16(),
        headers: headers
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
        body: response.into_body().into(),
    }
}

/// The codes of `wasi:http`, sorted by what a caller has to know: can the request have reached the other side?
fn explain(code: Code) -> Error {
    let denied = "it is not https, or not among the addresses that the plugin asks for and the project grants";
    match code {
        Code::HttpRequestDenied => Error::Denied(denied.to_owned()),
        Code::DestinationIpProhibited => Error::Denied(
            "it leads into a private, loopback or otherwise closed network".to_owned(),
        ),
        Code::ConnectionRefused => Error::NotSent("the connection was refused".to_owned()),
        Code::ConnectionTimeout => Error::NotSent("the connection was not made in time".to_owned()),
        Code::ConnectionLimitReached => {
            Error::NotSent("there are too many connections already".to_owned())
        }
        Code::DnsTimeout => Error::NotSent("the name was not looked up in time".to_owned()),
        Code::DnsError { .. } | Code::DestinationNotFound => {
            Error::NotSent("the name could not be looked up".to_owned())
        }
        Code::DestinationUnavailable | Code::DestinationIpUnroutable => {
            Error::NotSent("the address could not be reached".to_owned())
        }
        Code::TlsCertificateError => {
            Error::NotSent("the TLS certificate was not accepted".to_owned())
        }
        Code::HttpResponseBodySize(limit) => Error::TooLarge(limit.unwrap_or_default()),
        Code::HttpRequestMethodInvalid
        | Code::HttpRequestUriInvalid
        | Code::HttpRequestUriTooLong
        | Code::HttpRequestBodySize(_) => {
            Error::Invalid(format!("the host refused the request as malformed: {code}"))
        }
        Code::ConnectionReadTimeout | Code::HttpResponseTimeout => {
            Error::NoAnswer("there was no answer in time".to_owned())
        }
        Code::ConnectionTerminated | Code::HttpResponseIncomplete => {
            Error::NoAnswer("the connection was closed before the answer was whole".to_owned())
        }
        Code::HttpProtocolError => Error::NoAnswer(
            "the connection broke, or the other side does not speak HTTP".to_owned(),
        ),
        Code::InternalError(Some(text)) => Error::NoAnswer(text),
        other => Error::NoAnswer(format!("the exchange failed: {other}")),
    }
}
