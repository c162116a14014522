//! Paths as clients write them: doubled and trailing slashes, and the path of the public address in front.
//!
//! Percent-encoding is left alone: the routes are plain ASCII, and a segment that is encoded is either an id, which is
//! decoded where it is read, or nothing that exists.

use super::ApiError;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::response::Response;
use std::sync::Arc;
use url::Url;

/// The path of the public address, `/syrup/orchestrator` or empty: the API is served below it and at the root.
#[derive(Clone, Debug)]
pub(super) struct Prefix(Arc<str>);

impl Prefix {
    pub(super) fn of(public_url: Option<&str>) -> Self {
        let url = public_url.and_then(|text| Url::parse(text).ok());
        let path = url.map(|url| join_segments(url.path())).unwrap_or_default();
        Self(path.trim_end_matches('/').into())
    }
}

/// Hands the request on with its path tidied.
pub(super) async fn tidy_path<F: Future<Output = Response>>(
    prefix: &Prefix,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    if let Some(uri) = tidy_uri(request.uri(), &prefix.0) {
        let written = std::mem::replace(request.uri_mut(), uri);
        request.extensions_mut().insert(AsWritten(written));
    }
    next(request).await
}

/// `None` where the address is tidy already.
fn tidy_uri(uri: &Uri, prefix: &str) -> Option<Uri> {
    let path = uri.path();
    let tidy = tidy(path, prefix);
    if tidy == path {
        return None;
    }
    let text = match uri.query() {
        Some(query) => format!("{tidy}?{query}"),
        None => tidy,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

fn tidy(path: &str, prefix: &str) -> String {
    let joined = join_segments(path);
    match joined.strip_prefix(prefix) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => joined,
    }
}

/// `//a//b/` becomes `/a/b`.
fn join_segments(path: &str) -> String {
    let mut joined = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        joined.push('/');
        joined.push_str(segment);
    }
    if joined.is_empty() {
        "/".to_owned()
    } else {
        joined
    }
}

/// The address as its client wrote it.
#[derive(Clone, Debug)]
pub(super) struct AsWritten(Uri);

impl AsWritten {
    pub(super) fn path(&self) -> &str {
        self.0.path()
    }
}

impl<S: Sync> FromRequestParts<S> for AsWritten {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let changed = parts.extensions.get::<Self>().cloned();
        Ok(changed.unwrap_or_else(|| Self(parts.uri.clone())))
    }
}

/// The `{id}` or `{name}` of a path as text. What is no text at all is the id of nothing.
pub(super) struct IdText(String);

impl IdText {
    /// Reads the id with `read`, such as `JobId::from_text`.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] where it is not an id.
    pub(super) fn read<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, ApiError> {
        read(&self.0).ok_or(ApiError::NotFound)
    }

    /// A name rather than a number.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The two ids of a path such as `/orchestrations/{id}/deliveries/{delivery}`.
pub(super) struct IdPair(String, String);

impl IdPair {
    /// Reads both.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] where one of them is not an id.
    pub(super) fn read<A, B>(
        &self,
        first: impl FnOnce(&str) -> Option<A>,
        second: impl FnOnce(&str) -> Option<B>,
    ) -> Result<(A, B), ApiError> {
        let ids = first(&self.0).zip(second(&self.1));
        ids.ok_or(ApiError::NotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdPair {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ids: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        ids.map(|Path((first, second))| Self(first, second))
            .map_err(|_| ApiError::NotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        match id {
            // PostgreSQL keeps no text with a NUL, so nothing has such a name.
            Ok(Path(text)) if !text.contains('\0') => Ok(Self(text)),
            _ => Err(ApiError::NotFound),
        }
    }
}

/// The two ids of a path, the second one of something that belongs to the first.
pub(super) struct TwoIds(String, String);

impl TwoIds {
    /// Reads them.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] where one of them is not an id.
    pub(super) fn read<T, U>(
        &self,
        first: impl FnOnce(&str) -> Option<T>,
        second: impl FnOnce(&str) -> Option<U>,
    ) -> Result<(T, U), ApiError> {
        first(&self.0)
            .zip(second(&self.1))
            .ok_or(ApiError::NotFound)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TwoIds {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ids: Result<Path<(String, String)>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        ids.map(|Path((first, second))| Self(first, second))
            .map_err(|_| ApiError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_joined_and_the_prefix_is_taken_off() {
        let prefix = Prefix::of(Some("https://example.com/syrup//orchestrator/"));
        for (path, tidied) in [
            ("/orchestrations", "/orchestrations"),
            ("//orchestrations//5///tasks/", "/orchestrations/5/tasks"),
            ("/syrup/orchestrator/orchestrations", "/orchestrations"),
            ("/syrup//orchestrator/jobs/7/", "/jobs/7"),
            ("/syrup/orchestrator", "/"),
            ("/syrup/orchestrators/jobs", "/syrup/orchestrators/jobs"),
            ("/", "/"),
            ("//", "/"),
        ] {
            assert_eq!(tidy(path, &prefix.0), tidied, "{path}");
        }
    }

    #[test]
    fn an_address_without_a_path_has_no_prefix() {
        for url in [
            None,
            Some("https://example.com"),
            Some("https://example.com/"),
        ] {
            assert_eq!(tidy("/jobs/7/", &Prefix::of(url).0), "/jobs/7");
        }
    }

    #[test]
    fn the_query_stays() {
        let uri = Uri::from_static("/jobs//7/?limit=1");
        assert_eq!(tidy_uri(&uri, "").expect("changed"), "/jobs/7?limit=1");
    }
}
