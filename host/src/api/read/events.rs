//! Which events are wanted, and from where on.

use super::pages::read_number;
use crate::api::ApiError;
use crate::domain::faults::Faults;
use crate::domain::job_event::{Cursor, EventKind};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};
use url::form_urlencoded;

const DEFAULT_LIMIT: u32 = 100;
const MOST_LIMIT: u64 = 500;
/// Sent by browsers that continue.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum From {
    /// It is not said.
    Anywhere,
    After(Cursor),
    /// With so many of the newest.
    Tail(u32),
}

/// `limit`, `after`, `tail` and `kinds` of a query, and `Last-Event-ID`, which wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct EventQuery {
    /// 1 to 500; of pages only.
    pub(in crate::api) limit: u32,
    pub(in crate::api) from: From,
    /// Never empty.
    pub(in crate::api) kinds: Vec<EventKind>,
    /// By `Last-Event-ID`.
    pub(in crate::api) is_continued: bool,
}

/// The parameters of [`EventQuery`], for documents.
pub(in crate::api) fn event_parameters() -> Vec<Value> {
    let cursor =
        json!({"type": "string", "format": "event-id", "pattern": "^[0-9]{1,18}-[0-9]{1,18}$"});
    let kinds = EventKind::ALL.map(EventKind::as_str);
    vec![
        json!({
            "name": "limit", "in": "query", "description": "Most events of a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
        }),
        json!({
            "name": "after", "in": "query", "description": "The id of the event after which to begin.",
            "schema": cursor, "example": "811-93",
        }),
        json!({
            "name": "tail", "in": "query", "description": "Begins with so many of the newest events.",
            "schema": {"type": "integer", "minimum": 0, "maximum": MOST_LIMIT},
        }),
        json!({
            "name": "kinds", "in": "query", "style": "form", "explode": false,
            "description": "Which kinds of events are wanted, with commas between; all where it is absent.",
            "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": kinds}},
        }),
        json!({
            "name": "Last-Event-ID", "in": "header",
            "description": "Sent by browsers that continue a stream; wins over `after` and `tail`. An empty one counts as none.",
            "schema": {"type": "string", "format": "event-id", "pattern": "^([0-9]{1,18}-[0-9]{1,18})?$"},
            "example": "811-93",
        }),
    ]
}

impl<S: Sync> FromRequestParts<S> for EventQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let last = parts.headers.get(LAST_EVENT_ID);
        let last = last.map(|value| value.to_str().unwrap_or("?"));
        let query = parts.uri.query().unwrap_or_default();
        super::check(|faults| read_query(query, last, faults))
    }
}

fn read_query(query: &str, last: Option<&str>, faults: &mut Faults) -> EventQuery {
    let mut read = EventQuery {
        limit: DEFAULT_LIMIT,
        from: From::Anywhere,
        kinds: EventKind::ALL.to_vec(),
        is_continued: false,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => {
                let number = read_number(&value, 1..=MOST_LIMIT, "limit", faults);
                read.limit = u32::try_from(number).unwrap_or(DEFAULT_LIMIT);
            }
            "after" => read.from = From::After(read_cursor(&value, "after", faults)),
            "tail" => {
                let number = read_number(&value, 0..=MOST_LIMIT, "tail", faults);
                read.from = From::Tail(u32::try_from(number).unwrap_or_default());
            }
            "kinds" => read.kinds = read_kinds(&value, faults),
            _ => {}
        }
    }
    if let Some(last) = last.filter(|text| !text.is_empty()) {
        read.from = From::After(read_cursor(last, "Last-Event-ID", faults));
        read.is_continued = true;
    }
    read
}

fn read_cursor(text: &str, name: &str, faults: &mut Faults) -> Cursor {
    text.parse().unwrap_or_else(|reason: &str| {
        faults.add(name, reason.to_owned());
        Cursor::START
    })
}

fn read_kinds(text: &str, faults: &mut Faults) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    for name in text.split(',') {
        match EventKind::from_text(name) {
            Some(kind) if !kinds.contains(&kind) => kinds.push(kind),
            Some(_) => {}
            None => faults.add("kinds", "must be some of job, task, log, limit".to_owned()),
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, last: Option<&str>) -> Result<EventQuery, ApiError> {
        crate::api::read::check(|faults| read_query(query, last, faults))
    }

    #[test]
    fn the_id_that_a_browser_continues_with_wins_over_the_address() {
        let wanted = read("after=3-4&kinds=log,job,log", Some("5-6")).expect("read");
        let (transaction, id) = (5, 6);
        assert_eq!(wanted.from, From::After(Cursor { transaction, id }));
        assert_eq!(wanted.kinds, [EventKind::Log, EventKind::Job]);
        assert!(wanted.is_continued);
        let first = read("tail=0", Some("")).expect("read");
        assert_eq!((first.from, first.is_continued), (From::Tail(0), false));
    }

    #[test]
    fn what_is_no_place_and_no_kind_is_refused() {
        for query in [
            "after=x",
            "after=",
            "tail=501",
            "kinds=",
            "kinds=job,x",
            "limit=0",
        ] {
            assert!(read(query, None).is_err(), "{query}");
        }
        assert!(read("", Some("x")).is_err());
    }
}
