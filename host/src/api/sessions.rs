//! `/ui/session`: a browser signs in with a token and is known by a cookie from then on, which no script can read.
//!
//! The cookie counts for this server's own pages only: it is `SameSite=Strict`, and a request that shows itself to come
//! from elsewhere is refused. Such a caller has the token's rights and never sees its value.

use super::addresses::Base;
use super::auth::{Caller, Presented, Visitor};
use super::body::JsonObject;
use super::shapes::print_token;
use super::tokens::owner_of;
use super::{ApiError, ApiState};
use crate::tokens::SESSION_LIFE;
use axum::extract::{FromRequestParts, State};
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;
use url::Url;

const COOKIE_NAME: &str = "orchestrator-session";
/// Says where a request comes from, in browsers that know a secure address when they see one.
const FETCH_SITE: &str = "sec-fetch-site";

/// A request that a page of this server could have made.
pub(super) struct SameOrigin;

impl FromRequestParts<ApiState> for SameOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let Ok(base) = Base::from_request_parts(parts, state).await;
        if is_same_origin(&parts.method, &parts.headers, &base) {
            Ok(Self)
        } else {
            Err(ApiError::CrossSite)
        }
    }
}

/// Who presents a session's cookie; `None` without one.
///
/// # Errors
/// [`ApiError::CrossSite`] where another site makes a browser present it.
pub(super) async fn presented_session(
    parts: &mut Parts,
    state: &ApiState,
) -> Result<Option<Presented>, ApiError> {
    let Some(id) = session_id(&parts.headers).map(str::to_owned) else {
        return Ok(None);
    };
    SameOrigin::from_request_parts(parts, state).await?;
    Ok(Some(Presented::Session(id)))
}

/// What [`sign_in`] reads.
pub(super) struct SignInBody;

impl JsonSchema for SignInBody {
    fn schema_name() -> Cow<'static, str> {
        "SignIn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object", "description": "Who signs in.",
            "properties": {"token": {"type": "string", "description": "The value of a token."}},
            "required": ["token"],
        })
    }
}

/// Signs in with the body's `token`.
pub(super) async fn sign_in(
    State(state): State<ApiState>,
    _page: SameOrigin,
    base: Base,
    visitor: Visitor,
    JsonObject(body): JsonObject,
) -> Result<Response, ApiError> {
    let secret = body.get("token").and_then(Value::as_str);
    let secret = secret.unwrap_or_default().trim().to_owned();
    let caller = Caller::of(Some(Presented::Token(secret.clone())), visitor, &state).await?;
    let owner = owner_of(&state, &caller).await?;
    let store = caller.store(&state);
    let opened = state.tokens.open_session(&store, caller.project, &secret);
    let (id, _) = opened.await?;
    let answer = print_token(&caller.token, &owner, state.clock.now(), &base);
    let life = SESSION_LIFE.as_secs();
    let cookie = [(SET_COOKIE, cookie(&id, life, &base)?)];
    Ok((StatusCode::CREATED, cookie, answer).into_response())
}

/// Who is signed in; no content where nobody is, which is no failure.
pub(super) async fn show_session(
    State(state): State<ApiState>,
    base: Base,
    _page: SameOrigin,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let nobody = StatusCode::NO_CONTENT.into_response();
    let Some(id) = session_id(&headers) else {
        return Ok(nobody);
    };
    let presented = Presented::Session(id.to_owned());
    match Caller::of(Some(presented), visitor, &state).await {
        Ok(caller) => {
            let owner = owner_of(&state, &caller).await?;
            Ok(print_token(&caller.token, &owner, state.clock.now(), &base))
        }
        Err(ApiError::Unauthorized | ApiError::ProjectDisabled) => Ok(nobody),
        Err(error) => Err(error),
    }
}

/// Signs out, whether anybody was signed in or not.
pub(super) async fn sign_out(
    State(state): State<ApiState>,
    _page: SameOrigin,
    base: Base,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(id) = session_id(&headers) {
        let presented = Presented::Session(id.to_owned());
        // A session is ended also where its token is none any more; then nobody is there to be noted.
        let store = match Caller::of(Some(presented), visitor, &state).await {
            Ok(caller) => caller.store(&state),
            Err(_) => state.store.clone(),
        };
        state.tokens.close_session(&store, id).await?;
    }
    let cookie = [(SET_COOKIE, cookie("", 0, &base)?)];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE_NAME && !value.is_empty())
        .map(|(_, value)| value)
}

fn cookie(id: &str, seconds: u64, base: &Base) -> Result<HeaderValue, ApiError> {
    let secure = if base.is_https() { "; Secure" } else { "" };
    let text =
        format!("{COOKIE_NAME}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).map_err(|_| ApiError::Unauthorized)
}

/// What the browser says of itself decides; one that says nothing may read, because `SameSite` has kept the cookie from
/// what others ask for.
fn is_same_origin(method: &Method, headers: &HeaderMap, base: &Base) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if let Some(site) = headers.get(FETCH_SITE) {
        // `none`: a person typed the address.
        return site == "same-origin" || (site == "none" && reads);
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return reads;
    };
    let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else {
        return false;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let here = host.and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    here.is_some_and(|here| here.origin() == origin.origin()) || base.has_origin(&origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().expect("name"), HeaderValue::from_static(value))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn requests_that_other_sites_make_a_browser_send_are_told_apart() {
        let base = Base::of("https://jobs.example/orchestrator");
        let own = ("host", "127.0.0.1:8080");
        for (method, sent, expected) in [
            (Method::POST, vec![("sec-fetch-site", "same-origin")], true),
            (Method::POST, vec![("sec-fetch-site", "same-site")], false),
            (Method::GET, vec![("sec-fetch-site", "cross-site")], false),
            (Method::GET, vec![("sec-fetch-site", "none")], true),
            (Method::POST, vec![("sec-fetch-site", "none")], false),
            (Method::POST, vec![("origin", "https://jobs.example")], true),
            (
                Method::POST,
                vec![own, ("origin", "http://127.0.0.1:8080")],
                true,
            ),
            (
                Method::POST,
                vec![own, ("origin", "http://127.0.0.1:9090")],
                false,
            ),
            (
                Method::GET,
                vec![own, ("origin", "https://evil.example")],
                false,
            ),
            (Method::POST, vec![own, ("origin", "null")], false),
            (Method::GET, vec![own], true),
            (Method::DELETE, vec![own], false),
        ] {
            let found = is_same_origin(&method, &headers(&sent), &base);
            assert_eq!(found, expected, "{method} {sent:?}");
        }
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let sent = headers(&[("cookie", "a=b; orchestrator-session=abc; c=d")]);
        assert_eq!(session_id(&sent), Some("abc"));
        assert_eq!(
            session_id(&headers(&[("cookie", "orchestrator-session=")])),
            None
        );
        assert_eq!(session_id(&headers(&[])), None);
    }

    #[test]
    fn a_cookie_is_for_https_alone_where_the_server_is() {
        let of = |base| cookie("abc", 60, &Base::of(base)).expect("a header");
        let plain = "orchestrator-session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60";
        assert_eq!(of("http://127.0.0.1:8080"), plain);
        assert_eq!(of("https://jobs.example"), format!("{plain}; Secure"));
    }
}
