//! The calls to `wasi:http`: the only place that knows of its resources and of the order in which they have to go.

use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, StreamError};

use super::{Address, Error, Request, Response};

/// The most that `blocking-write-and-flush` takes at once, by its definition.
const WRITE_CHUNK_BYTES: usize = 4096;
const READ_CHUNK_BYTES: u64 = 64 << 10;

/// A request that is under way.
#[derive(Debug)]
pub struct Pending {
    response: FutureIncomingResponse,
    body_limit_bytes: usize,
}

pub(super) fn begin(request: Request) -> Result<Pending, Error> {
    let address = Address::parse(&request.url)?;
    let outgoing = OutgoingRequest::new(fields(&request)?);
    let scheme = if address.is_https() {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let refused =
        |part: &'static str| move |()| Error::Invalid(format!("the request's {part} is malformed"));
    outgoing
        .set_method(&method(&request.method))
        .map_err(refused("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(refused("scheme"))?;
    outgoing
        .set_authority(Some(address.authority()))
        .map_err(refused("host"))?;
    outgoing
        .set_path_with_query(Some(address.path_and_query()))
        .map_err(refused("path"))?;
    let body = if request.body.is_empty() {
        None
    } else {
        Some(outgoing.body().map_err(refused("body"))?)
    };

    let response = outgoing_handler::handle(outgoing, Some(options(&request)?))?;
    // Only now is there somebody who takes the body off our hands.
    if let Some(body) = body {
        write(body, &request.body);
    }
    Ok(Pending {
        response,
        body_limit_bytes: request.body_limit_bytes,
    })
}

fn fields(request: &Request) -> Result<Fields, Error> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value.as_bytes()).map_err(|error| {
            Error::Invalid(format!("the header {name} cannot be sent ({error:?})"))
        })?;
    }
    // Known lengths spare the other side a chunked body, which not every server reads.
    if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        // A host that sets the length itself refuses it here, which is as good.
        let _ = fields.set(
            "content-length",
            &[request.body.len().to_string().into_bytes()],
        );
    }
    Ok(fields)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(request: &Request) -> Result<RequestOptions, Error> {
    let nanoseconds = |time: Option<Duration>| {
        time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    };
    let options = RequestOptions::new();
    options
        .set_connect_timeout(nanoseconds(request.connect_timeout))
        .and_then(|()| options.set_first_byte_timeout(nanoseconds(request.answer_timeout)))
        .and_then(|()| options.set_between_bytes_timeout(nanoseconds(request.answer_timeout)))
        .map_err(|()| Error::Invalid("the host does not support time-outs".into()))?;
    Ok(options)
}

/// Writes the body. A failed write is not reported: the answer says why the host took no more.
fn write(body: OutgoingBody, bytes: &[u8]) {
    let Ok(stream) = body.write() else { return };
    for chunk in bytes.chunks(WRITE_CHUNK_BYTES) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            return;
        }
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

impl Pending {
    /// Waits for the answer and reads it.
    ///
    /// # Errors
    /// Where there is no whole answer: see [`Error`].
    pub fn finish(self) -> Result<Response, Error> {
        let incoming = loop {
            match self.response.get() {
                Some(Ok(answer)) => break answer?,
                Some(Err(())) => {
                    return Err(Error::NoAnswer("the answer was taken already".into()));
                }
                None => self.response.subscribe().block(),
            }
        };
        let status = incoming.status();
        let headers = incoming.headers().entries();
        let body = read_body(&incoming, self.body_limit_bytes)?;
        Ok(Response::new(status, headers, body))
    }
}

fn read_body(response: &IncomingResponse, limit_bytes: usize) -> Result<Vec<u8>, Error> {
    let gone = |()| Error::NoAnswer("the answer's body was taken already".into());
    let body: IncomingBody = response.consume().map_err(gone)?;
    let stream: InputStream = body.stream().map_err(gone)?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_CHUNK_BYTES) {
            Ok(chunk) if bytes.len() + chunk.len() > limit_bytes => return Err(Error::TooLarge),
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error)
                    .map_or_else(|| Error::NoAnswer(error.to_debug_string()), after_sending));
            }
        }
    }
}

/// Once there is an answer the request has arrived, whatever the code says.
fn after_sending(code: wasip2::http::types::ErrorCode) -> Error {
    match Error::from(code) {
        Error::TooLarge => Error::TooLarge,
        other => Error::NoAnswer(other.to_string()),
    }
}
