//! The trace of one call's requests: what they carry, and that they are told when they are over.

use super::Call;
use crate::plugins::services::BegunCall;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response};
use wasmtime_wasi_http::{Error, WasiBody};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A request on its way.
pub(super) struct Traced {
    begun: BegunCall,
    method: Method,
    origin: String,
}

impl Call {
    /// Has the request carry its place in the trace; what the plugin says of one does not count then.
    pub(super) fn begin_traced(
        &self,
        request: &reqwest::Request,
        headers: &mut HeaderMap,
    ) -> Option<Traced> {
        let (services, _) = self.services.as_ref()?;
        let begun = services.begin_call()?;
        let value = HeaderValue::from_str(&begun.context.to_string()).ok()?;
        headers.insert(TRACEPARENT, value);
        headers.remove(TRACESTATE);
        Some(Traced {
            begun,
            method: request.method().clone(),
            origin: request.url().origin().ascii_serialization(),
        })
    }

    pub(super) fn end_traced(
        &self,
        traced: Option<Traced>,
        answer: &Result<Response<WasiBody>, Error>,
    ) {
        if let (Some(traced), Some((services, _))) = (traced, self.services.as_ref()) {
            let answer = match answer {
                Ok(response) => Ok(response.status().as_u16()),
                Err(error) => Err(error.to_string()),
            };
            let (method, origin) = (traced.method.as_str(), traced.origin.as_str());
            services.end_call(traced.begun, method, origin, answer);
        }
    }
}
