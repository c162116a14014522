//! Which jobs of a project are looked for, and from where on.

use super::pages::read_number;
use crate::api::ApiError;
use crate::domain::faults::Faults;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::{Initiator, Status};
use crate::domain::time::Timestamp;
use crate::store::JobSearch;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::time::Duration;
use url::form_urlencoded;

const DEFAULT_LIMIT: u32 = 20;
const MOST_LIMIT: u64 = 500;
/// A thousand years.
const MOST_SECONDS: u64 = 31_536_000_000;

/// A page of the jobs that match a query.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) struct JobQuery {
    /// 1 to 500.
    pub(in crate::api) limit: u32,
    pub(in crate::api) before: Option<JobId>,
    pub(in crate::api) search: JobSearch,
}

/// The parameters of [`JobQuery`], for documents. An empty value is as good as none.
pub(in crate::api) fn search_parameters() -> Vec<Value> {
    let statuses = Status::ALL.map(Status::as_str).join("|");
    let seconds =
        json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": MOST_SECONDS});
    let time = json!({"type": "string", "format": "date-time"});
    let id = json!({"type": "integer", "format": "int64", "minimum": 1});
    let limit =
        json!({"type": "integer", "minimum": 1, "maximum": MOST_LIMIT, "default": DEFAULT_LIMIT});
    let status = json!({"type": "string", "pattern": format!("^({statuses})(,({statuses}))*$")});
    let initiator = json!({"type": "string", "enum": ["manually", "scheduler", "trigger"]});
    [
        ("limit", "Most jobs of the answer.", limit),
        (
            "before",
            "Jobs that are older than this one: `X-Next-Before` of the page before.",
            id.clone(),
        ),
        ("orchestrationId", "Jobs of this orchestration only.", id),
        ("status", "Jobs of these statuses only.", status),
        ("initializedBy", "Jobs that began so only.", initiator),
        ("since", "Jobs made at or after this time.", time.clone()),
        ("until", "Jobs made before this time.", time),
        (
            "minSeconds",
            "Jobs that have run at least so long, those that still run included.",
            seconds.clone(),
        ),
        ("maxSeconds", "Jobs that have run at most so long.", seconds),
    ]
    .into_iter()
    .map(|(name, description, schema)| {
        json!({
            "name": name, "in": "query", "description": description, "schema": schema, "allowEmptyValue": true,
        })
    })
    .collect()
}

impl<S: Sync> FromRequestParts<S> for JobQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        super::check(|faults| read_query(parts.uri.query().unwrap_or_default(), faults))
    }
}

/// An empty value is as good as none: forms send them.
fn read_query(query: &str, faults: &mut Faults) -> JobQuery {
    let mut read = JobQuery {
        limit: DEFAULT_LIMIT,
        before: None,
        search: JobSearch::default(),
    };
    let search = &mut read.search;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            _ if value.is_empty() => {}
            "limit" => {
                let number = read_number(&value, 1..=MOST_LIMIT, "limit", faults);
                read.limit = u32::try_from(number).unwrap_or(DEFAULT_LIMIT);
            }
            "before" => {
                let id = JobId::from_text(&value);
                read.before = known(id, "before", "must be the id of a job", faults);
            }
            "orchestrationId" => {
                let id = OrchestrationId::from_text(&value);
                search.orchestration = known(
                    id,
                    "orchestrationId",
                    "must be the id of an orchestration",
                    faults,
                );
            }
            "status" => search.statuses = read_statuses(&value, faults),
            "initializedBy" => {
                let reason = "must be manually, scheduler or trigger";
                search.initiator = known(
                    Initiator::from_text(&value),
                    "initializedBy",
                    reason,
                    faults,
                );
            }
            "since" => search.since = read_time(&value, "since", faults),
            "until" => search.until = read_time(&value, "until", faults),
            "minSeconds" => search.at_least = Some(read_seconds(&value, "minSeconds", faults)),
            "maxSeconds" => search.at_most = Some(read_seconds(&value, "maxSeconds", faults)),
            _ => {}
        }
    }
    read
}

fn known<T>(found: Option<T>, name: &str, reason: &str, faults: &mut Faults) -> Option<T> {
    if found.is_none() {
        faults.add(name, reason.to_owned());
    }
    found
}

fn read_statuses(text: &str, faults: &mut Faults) -> Vec<Status> {
    let mut statuses = Vec::new();
    for name in text.split(',') {
        let all = Status::ALL.map(Status::as_str).join(", ");
        let reason = format!("must be some of {all}");
        let status = known(Status::from_text(name), "status", &reason, faults);
        statuses.extend(status.filter(|one| !statuses.contains(one)));
    }
    statuses
}

fn read_time(text: &str, name: &str, faults: &mut Faults) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc3339(text).ok();
    let time = time.map(|time| Timestamp::from_datetime(time.with_timezone(&Utc)));
    known(
        time,
        name,
        "must be a time such as 2026-01-31T08:00:00Z",
        faults,
    )
}

fn read_seconds(text: &str, name: &str, faults: &mut Faults) -> Duration {
    Duration::from_secs(read_number(text, 0..=MOST_SECONDS, name, faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<JobQuery, ApiError> {
        crate::api::read::check(|faults| read_query(query, faults))
    }

    #[test]
    fn what_is_not_said_is_not_asked_of_jobs() {
        let all = read("status=&since=&before=&other=x").expect("read");
        let search = JobSearch::default();
        let (limit, before) = (20, None);
        assert_eq!(
            all,
            JobQuery {
                limit,
                before,
                search
            }
        );
        let some =
            read("status=error,warning,error&since=1970-01-01T01:00:01%2B01:00&minSeconds=5");
        let search = JobSearch {
            statuses: vec![Status::Error, Status::Warning],
            since: Some(Timestamp(1_000_000)),
            at_least: Some(Duration::from_secs(5)),
            ..JobSearch::default()
        };
        assert_eq!(some.expect("read").search, search);
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused_together() {
        for query in [
            "limit=501",
            "before=x",
            "orchestrationId=-1",
            "status=error,",
            "initializedBy=me",
            "since=yesterday",
            "until=2026-01-31",
            "minSeconds=1.5",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
        let Err(ApiError::Invalid(faults)) = read("status=x&since=y&limit=z") else {
            panic!("faults expected");
        };
        assert_eq!(faults.len(), 3);
    }
}
