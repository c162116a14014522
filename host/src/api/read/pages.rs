//! Which part of a list is wanted.

use crate::api::ApiError;
use crate::domain::faults::Faults;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use url::form_urlencoded;

const DEFAULT_LIMIT: u32 = 20;
const MOST_LIMIT: u32 = 500;

/// `limit` and `offset` of a query.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) struct PageQuery {
    /// 1 to 500.
    pub(in crate::api) limit: u32,
    pub(in crate::api) offset: u64,
}

/// The parameters of [`PageQuery`], for documents.
pub(in crate::api) fn page_parameters() -> Vec<Value> {
    vec![
        json!({
            "name": "limit", "in": "query", "description": "Most entries of the answer.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT},
        }),
        json!({
            "name": "offset", "in": "query", "description": "How many entries are passed over.",
            "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX, "default": 0},
        }),
    ]
}

impl<S: Sync> FromRequestParts<S> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        super::check(|faults| read_page(parts.uri.query().unwrap_or_default(), faults))
    }
}

fn read_page(query: &str, faults: &mut Faults) -> PageQuery {
    let mut page = PageQuery {
        limit: DEFAULT_LIMIT,
        offset: 0,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => {
                let number = read_number(&value, 1..=u64::from(MOST_LIMIT), "limit", faults);
                page.limit = u32::try_from(number).unwrap_or(DEFAULT_LIMIT);
            }
            // The database counts no further.
            "offset" => page.offset = read_number(&value, 0..=i64::MAX as u64, "offset", faults),
            _ => {}
        }
    }
    page
}

pub(super) fn read_number(
    text: &str,
    range: RangeInclusive<u64>,
    name: &str,
    faults: &mut Faults,
) -> u64 {
    let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text
        .parse()
        .ok()
        .filter(|number| is_decimal && range.contains(number));
    number.unwrap_or_else(|| {
        faults.add(
            name,
            format!(
                "must be an integer from {} to {}",
                range.start(),
                range.end()
            ),
        );
        *range.start()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<PageQuery, ApiError> {
        crate::api::read::check(|faults| read_page(query, faults))
    }

    #[test]
    fn pages_have_twenty_jobs_unless_another_number_is_asked_for() {
        for (query, limit, offset) in [
            ("", 20, 0),
            ("offset=40", 20, 40),
            ("limit=500&offset=0", 500, 0),
            ("other=x&limit=1", 1, 0),
        ] {
            assert_eq!(
                read(query).ok(),
                Some(PageQuery { limit, offset }),
                "{query}"
            );
        }
    }

    #[test]
    fn wrong_numbers_are_refused_together() {
        for query in [
            "limit=0",
            "limit=501",
            "limit=",
            "limit=+5",
            "limit=1.0",
            "offset=-1",
            "offset=99999999999999999999",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
        let Err(ApiError::Invalid(faults)) = read("limit=x&offset=y") else {
            panic!("faults expected");
        };
        assert_eq!(faults.len(), 2);
    }
}
