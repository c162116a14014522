//! Browsers of any origin may use the API: a call carries its token in a header, never in a cookie.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};

const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, x-requested-with, x-requested-by, x-storageapi-url, x-storageapi-token, x-kbc-runid, x-user-agent",
);
const ALLOWED_METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS");
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("X-Total-Count, X-Next-Before, Retry-After");
/// A day, in seconds: browsers need not ask before every call.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// Answers `OPTIONS` of any path and marks every other answer as readable from everywhere.
pub(super) async fn allow_browsers<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let is_question = request.method() == Method::OPTIONS;
    let mut response = if is_question {
        ().into_response()
    } else {
        next(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    if is_question {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
    response
}
