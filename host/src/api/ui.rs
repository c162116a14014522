//! `/ui`: hands out the pages for people and what belongs to them, and leads browsers there.
//!
//! Nothing in them is anybody's: they are the same for all, signed in or not. A browser asks each time whether it still has
//! the present ones, so that a new server is a new page at once.

use super::addresses::Base;
use super::paths::AsWritten;
use super::{ApiError, ApiState};
use crate::ui::{Asset, FIRST_PAGE, REFERENCE, find};
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// Everything comes from this server, nothing is written into pages, and no other page may show them.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// At the root, where clients of the API find nothing, and people the pages.
pub(super) async fn lead_to_pages(
    State(_): State<ApiState>,
    base: Base,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut accepted = headers.get_all(ACCEPT).iter();
    let is_browser = accepted.any(|value| value.to_str().unwrap_or_default().contains("text/html"));
    if is_browser && matches!(method, Method::GET | Method::HEAD) {
        redirect(&base.pages())
    } else {
        Err(ApiError::NotFound)
    }
}

/// With a slash at its end, so that what the page names is below it.
pub(super) async fn show_first_page(
    State(_): State<ApiState>,
    base: Base,
    written: AsWritten,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if written.path().ends_with('/') {
        show(FIRST_PAGE, &headers)
    } else {
        redirect(&base.pages())
    }
}

/// The page of `/openapi.json`. What it names lies beside it, so it has no slash at its end.
pub(super) async fn show_reference(
    State(_): State<ApiState>,
    base: Base,
    written: AsWritten,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if written.path().ends_with('/') {
        redirect(&base.reference())
    } else {
        show(REFERENCE, &headers)
    }
}

pub(super) async fn show_asset(
    State(_): State<ApiState>,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path(path) = path.map_err(|_| ApiError::NotFound)?;
    show(&path, &headers)
}

fn redirect(to: &str) -> Result<Response, ApiError> {
    let to = HeaderValue::try_from(to).map_err(|_| ApiError::NotFound)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response())
}

fn show(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let asset = find(path).ok_or(ApiError::NotFound)?;
    if is_known(asset, headers) {
        return Ok((StatusCode::NOT_MODIFIED, guards(asset)).into_response());
    }
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static(asset.content_type))];
    Ok(match asset.compressed {
        Some(compressed) if takes_gzip(headers) => {
            let encoding = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
            (guards(asset), content_type, encoding, compressed).into_response()
        }
        _ => (guards(asset), content_type, asset.plain).into_response(),
    })
}

fn guards(asset: &Asset) -> [(HeaderName, HeaderValue); 6] {
    let text = HeaderValue::from_static;
    [
        (ETAG, text(asset.mark)),
        (CACHE_CONTROL, text("no-cache")),
        (VARY, text("Accept-Encoding")),
        (CONTENT_SECURITY_POLICY, text(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
        (REFERRER_POLICY, text("same-origin")),
    ]
}

fn is_known(asset: &Asset, headers: &HeaderMap) -> bool {
    let mut known = headers.get_all(IF_NONE_MATCH).iter();
    known.any(|value| {
        let marks = value.to_str().unwrap_or_default().split(',');
        let mut marks = marks.map(|mark| mark.trim().trim_start_matches("W/"));
        marks.any(|mark| mark == asset.mark)
    })
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT_ENCODING).iter();
    accepted.any(|value| {
        let mut all = value.to_str().unwrap_or_default().split(',');
        all.any(|one| {
            let mut parts = one.split(';').map(str::trim);
            let is_gzip = parts.next() == Some("gzip");
            is_gzip && !parts.any(|part| part == "q=0" || part == "q=0.0")
        })
    })
}
