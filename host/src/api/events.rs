//! What happens to the jobs of a project, or to one of them: as pages, and as streams for those who want to see it live.

use super::auth::Caller;
use super::paths::IdText;
use super::read::{EventQuery, From};
use super::shapes::print_events;
use super::streams::{Following, follow};
use super::{ApiError, ApiState};
use crate::domain::ids::JobId;
use crate::domain::job_event::Cursor;
use crate::store::EventsOf;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// Of the whole project. A stream that does not say where from begins now.
pub(super) async fn show_events(
    State(state): State<ApiState>,
    caller: Caller,
    query: EventQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let of = EventsOf::Project(caller.project);
    if !wants_stream(&headers) {
        return page(&state, of, &query).await;
    }
    let after = match query.from {
        From::Anywhere => state.store.find_last_events(of, &query.kinds, 0).await?,
        _ => place(&state, of, &query).await?,
    };
    start(state, caller, of, after, query)
}

/// Of one job, from its beginning. A stream ends with it, and one that is continued after that has no content.
pub(super) async fn show_job_events(
    State(state): State<ApiState>,
    caller: Caller,
    id: IdText,
    query: EventQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = id.read(JobId::from_text)?;
    let of = EventsOf::Job(caller.project, id);
    let after = place(&state, of, &query).await?;
    let end = state.store.find_end_of_events(caller.project, id, after);
    let end = end.await?.ok_or(ApiError::NotFound)?;
    if !wants_stream(&headers) {
        return page(&state, of, &query).await;
    }
    if query.is_continued && end.is_some() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    start(state, caller, of, after, query)
}

fn start(
    state: ApiState,
    caller: Caller,
    of: EventsOf,
    after: Cursor,
    query: EventQuery,
) -> Result<Response, ApiError> {
    let slot = state.streams.enter(caller.project, caller.token.id)?;
    let following = Following {
        of,
        after,
        kinds: query.kinds,
        presented: caller.into_presented(),
    };
    Ok(follow(state, following, slot))
}

async fn page(state: &ApiState, of: EventsOf, query: &EventQuery) -> Result<Response, ApiError> {
    let mut after = place(state, of, query).await?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut page = Vec::new();
    // Kinds that are not wanted are passed over here, so that a place is one whatever is wanted.
    loop {
        let events = state.store.list_job_events(of, after, query.limit).await?;
        let is_last = events.len() < limit;
        after = events.last().map_or(after, |last| last.cursor);
        let wanted = events.into_iter();
        page.extend(wanted.filter(|event| query.kinds.contains(&event.kind)));
        if is_last || page.len() >= limit {
            break;
        }
    }
    page.truncate(limit);
    Ok(print_events(&page))
}

async fn place(state: &ApiState, of: EventsOf, query: &EventQuery) -> Result<Cursor, ApiError> {
    match query.from {
        From::Anywhere => Ok(Cursor::START),
        From::After(cursor) => Ok(cursor),
        From::Tail(count) => Ok(state
            .store
            .find_last_events(of, &query.kinds, count)
            .await?),
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(ACCEPT).iter();
    accepted.any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|one| {
            let kind = one.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("text/event-stream")
        })
    })
}
