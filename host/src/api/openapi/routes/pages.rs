//! What is open to all: health checks, this document, and the pages for people with their sessions.

use crate::api::health::HealthShape;
use crate::api::openapi::failures::{NOT_FOUND, PROJECT_DISABLED, UNAUTHORIZED};
use crate::api::openapi::operation::{Access, Group, Operation};
use crate::api::sessions::SignInBody;
use crate::api::shapes::WholeTokenShape;
use serde_json::{Map, Value, json};

const GROUP: Group = Group("Server");
const HTML: &str = "text/html; charset=utf-8";
type Token = WholeTokenShape<'static>;

pub(super) fn operations() -> Vec<Operation> {
    let text = json!({"type": "string"});
    let call = |path, id, summary| GROUP.call(path, id, summary).by(Access::Anybody);
    let page = |path, id, summary| GROUP.call(path, id, summary).by(Access::Page);
    vec![
        call(
            "GET /health/live",
            "showLive",
            "Whether the process answers",
        )
        .gives::<HealthShape>(200, "It does.", "health"),
        call(
            "GET /health/ready",
            "showReady",
            "Whether the server does its work",
        )
        .gives::<HealthShape>(200, "It does.", "health")
        .gives::<HealthShape>(
            503,
            "A schedule is overdue, or the database does not answer.",
            "overdue",
        )
        .header(
            "Retry-After",
            "Seconds after which to ask again.",
            &json!({"type": "integer"}),
        ),
        call("GET /openapi.json", "showDocument", "This document").gives::<Map<String, Value>>(
            200,
            "The API, as OpenAPI 3.1.",
            "document",
        ),
        call("GET /docs", "showReference", "This document, for people")
            .gives_text(200, "The page.", HTML)
            .header("ETag", "The mark of the page.", &text)
            .gives_nothing(304, "The browser has it already.")
            .fails(&[NOT_FOUND]),
        call("GET /", "leadToPages", "Leads browsers to the pages")
            .gives_nothing(303, "The pages are elsewhere.")
            .header("Location", "Where they are.", &text)
            .fails(&[NOT_FOUND]),
        call("GET /ui", "showFirstPage", "The pages for people")
            .gives_text(200, "The first page.", HTML)
            .header("ETag", "The mark of the page.", &text)
            .gives_nothing(303, "With a slash at the end.")
            .header("Location", "Where it is.", &text)
            .gives_nothing(304, "The browser has it already.")
            .fails(&[NOT_FOUND]),
        call("GET /ui/{*path}", "showAsset", "A file of the pages")
            .at("path", &text, "Its path, which may have several segments.")
            .gives_text(200, "The file.", "*/*")
            .header("ETag", "The mark of the file.", &text)
            .gives_nothing(304, "The browser has it already."),
        page("GET /ui/session", "showSession", "Who is signed in")
            .gives::<Token>(200, "The token of the session, without its value.", "token")
            .gives_nothing(204, "Nobody is."),
        page("POST /ui/session", "signIn", "Sign in")
            .says("For pages of this server: the session is in a cookie that no script can read.")
            .takes::<SignInBody>("signIn")
            .gives::<Token>(201, "The token, without its value.", "token")
            .header("Set-Cookie", "The session.", &text)
            .fails(&[UNAUTHORIZED, PROJECT_DISABLED]),
        page("DELETE /ui/session", "signOut", "Sign out")
            .gives_nothing(204, "Nobody is signed in.")
            .header("Set-Cookie", "Ends the session.", &text),
    ]
}
