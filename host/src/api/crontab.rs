//! `/crontab`: what a crontab expression means, in words and in times, before an orchestration gets it.
//!
//! The same parser and engine as the scheduler's; nothing is stored.

use super::auth::Caller;
use super::{ApiError, ApiState};
use crate::domain::crontab::Crontab;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

const SHOWN_TIMES: usize = 10;

/// What a crontab expression means.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Crontab")]
pub(super) struct CrontabShape<'a> {
    expression: &'a str,
    description: String,
    /// Strictly after now; fewer than ten only at the end of the year 2100.
    #[schemars(with = "Vec<crate::domain::time::Timestamp>")]
    next_times: Vec<String>,
}

pub(super) async fn explain_crontab(
    State(state): State<ApiState>,
    _caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let given = pairs.find(|(name, _)| name == "expression");
    let (_, expression) = given.ok_or_else(|| ApiError::fault("expression", "is required"))?;
    let crontab = Crontab::parse(&expression)
        .map_err(|error| ApiError::fault("expression", error.to_string()))?;
    let now = state.clock.now().to_datetime();
    let times = crontab.upcoming(now).take(SHOWN_TIMES);
    Ok(Json(CrontabShape {
        expression: &expression,
        description: crontab.describe(),
        next_times: times
            .map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, false))
            .collect(),
    })
    .into_response())
}
