//! Streams of events: server-sent events that go on until their job, their reader, their token or the server ends.
//!
//! A stream reads the store from its place on, whenever it is poked and now and then by itself, and sends what it finds by
//! a small queue: so it holds little memory, and a reader who is too slow is let go and comes back with the id that it
//! has. Who may read is asked again before anything is sent. Streams are counted, for each token and each project.

use super::auth::Presented;
use super::shapes::print_frame;
use super::{ApiError, ApiState};
use crate::domain::ids::{ProjectId, TokenId};
use crate::domain::job::Status;
use crate::domain::job_event::{Cursor, EventKind};
use crate::domain::time::Timestamp;
use crate::store::EventsOf;
use crate::wake::Stop;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Streams at a time on this host.
const MOST_OF_TOKEN: usize = 20;
const MOST_OF_PROJECT: usize = 100;
/// Events that are read at once.
const PAGE: u32 = 100;
/// Events on their way to the reader.
const QUEUE: usize = 2 * PAGE as usize;
/// At least this long between two looks: what happens meanwhile comes together.
const GATHER: Duration = Duration::from_millis(200);
/// What another host does is seen after this time even where no wake comes.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A silent stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A reader who takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(30);
/// When a reader should come back, in milliseconds.
const GREETING: &str = "retry: 2000\n\n";
const BEAT: &str = ":\n\n";
/// For proxies that would gather what they pass on.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The streams of this host. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Streams {
    open: Arc<Mutex<HashMap<Whose, usize>>>,
    stop: Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    Token(ProjectId, TokenId),
    Project(ProjectId),
}

/// Leave to have a stream, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    streams: Streams,
    whose: [Whose; 2],
}

impl Streams {
    /// They all end with `stop`.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self {
            open: Arc::default(),
            stop,
        }
    }

    /// How many there are now.
    #[must_use]
    pub fn count(&self) -> usize {
        let open = self.lock();
        let of_projects = open
            .iter()
            .filter(|(whose, _)| matches!(whose, Whose::Project(_)));
        of_projects.map(|(_, count)| count).sum()
    }

    /// One more.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`]
    pub(super) fn enter(&self, project: ProjectId, token: TokenId) -> Result<Slot, ApiError> {
        let limits = [
            (Whose::Token(project, token), MOST_OF_TOKEN, "token"),
            (Whose::Project(project), MOST_OF_PROJECT, "project"),
        ];
        let mut open = self.lock();
        for (whose, limit, name) in limits {
            if open.get(&whose).is_some_and(|count| *count >= limit) {
                return Err(ApiError::TooManyStreams { whose: name, limit });
            }
        }
        for (whose, ..) in limits {
            *open.entry(whose).or_default() += 1;
        }
        drop(open);
        Ok(Slot {
            streams: self.clone(),
            whose: limits.map(|(whose, ..)| whose),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        for whose in self.whose {
            if let Some(count) = open.get_mut(&whose) {
                *count -= 1;
                if *count == 0 {
                    open.remove(&whose);
                }
            }
        }
    }
}

/// What is wanted, and of whom.
pub(super) struct Following {
    pub(super) of: EventsOf,
    pub(super) after: Cursor,
    pub(super) kinds: Vec<EventKind>,
    pub(super) presented: Presented,
}

/// Why a stream is over.
enum Over {
    /// Nobody reads, or may read, or the server stops.
    Left,
    /// The job has ended.
    Ended(Status),
}

/// Answers with a stream.
pub(super) fn follow(state: ApiState, following: Following, slot: Slot) -> Response {
    let (frames, taken) = mpsc::channel(QUEUE);
    let writer = Writer {
        frames,
        following,
        state,
    };
    tokio::spawn(async move {
        writer.run().await;
        drop(slot);
    });
    let body = stream::unfold(taken, async |mut taken| {
        let frame: Bytes = taken.recv().await?;
        Some((Ok::<_, Infallible>(frame), taken))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (NO_BUFFER, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

struct Writer {
    frames: mpsc::Sender<Bytes>,
    following: Following,
    state: ApiState,
}

impl Writer {
    async fn run(mut self) {
        if let Over::Ended(status) = self.write().await {
            let data = format!(
                "event: end\ndata: {{\"status\":\"{}\"}}\n\n",
                status.as_str()
            );
            self.send(data.into()).await;
        }
    }

    async fn write(&mut self) -> Over {
        // Before the first look, so that nothing falls between them.
        let mut watch = self.state.events.watch();
        if !self.send(GREETING.into()).await {
            return Over::Left;
        }
        let clock = self.state.clock.clone();
        let mut beat_at = clock.now().plus(HEARTBEAT);
        loop {
            let looked_at = clock.now();
            if let Some(over) = self.send_news().await {
                return over;
            }
            if clock.now() >= beat_at {
                if !self.may_read().await || !self.send(BEAT.into()).await {
                    return Over::Left;
                }
                beat_at = clock.now().plus(HEARTBEAT);
            }
            let next = looked_at.plus(LONGEST_WAIT).min(beat_at);
            tokio::select! {
                () = self.state.streams.stop.stopped() => return Over::Left,
                () = self.frames.closed() => return Over::Left,
                () = clock.sleep_until(next) => {}
                () = poked(&mut watch, &clock, looked_at) => {}
            }
        }
    }

    /// Sends all that there is; tells if nothing will come any more.
    async fn send_news(&mut self) -> Option<Over> {
        loop {
            let (of, after) = (self.following.of, self.following.after);
            let events = match self.state.store.list_job_events(of, after, PAGE).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends: they cannot be read");
                    return Some(Over::Left);
                }
            };
            if events.is_empty() {
                return self.end().await;
            }
            if !self.may_read().await {
                return Some(Over::Left);
            }
            for event in events {
                self.following.after = event.cursor;
                let is_wanted = self.following.kinds.contains(&event.kind);
                if is_wanted && !self.send(print_frame(&event).into()).await {
                    return Some(Over::Left);
                }
            }
        }
    }

    /// Whether the one job that is followed has ended, and all of it was read.
    async fn end(&self) -> Option<Over> {
        let EventsOf::Job(project, job) = self.following.of else {
            return None;
        };
        let after = self.following.after;
        match self
            .state
            .store
            .find_end_of_events(project, job, after)
            .await
        {
            Ok(Some(end)) => end.map(Over::Ended),
            // It was deleted with its project.
            Ok(None) => Some(Over::Left),
            Err(_) => None,
        }
    }

    /// Whether the reader's token is still one. Where nobody can say, it is.
    async fn may_read(&self) -> bool {
        let found = self.following.presented.authenticate(&self.state).await;
        !matches!(
            found,
            Ok(None) | Err(ApiError::Unauthorized | ApiError::ProjectDisabled)
        )
    }

    /// `false`: the reader is gone, or too slow.
    async fn send(&self, frame: Bytes) -> bool {
        let Err(mpsc::error::TrySendError::Full(frame)) = self.frames.try_send(frame) else {
            return !self.frames.is_closed();
        };
        tokio::select! {
            sent = self.frames.send(frame) => sent.is_ok(),
            () = self.state.streams.stop.stopped() => false,
            () = self.state.clock.sleep(PATIENCE) => false,
        }
    }
}

async fn poked(watch: &mut crate::wake::Watch, clock: &crate::clock::Clock, looked_at: Timestamp) {
    watch.poked().await;
    clock.sleep_until(looked_at.plus(GATHER)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_for_tokens_and_projects_and_make_room_when_they_end() {
        let streams = Streams::new(Stop::default());
        let enter = |project, token| streams.enter(ProjectId(project), TokenId(token));
        let mut slots: Vec<_> = (0..100)
            .map(|number| enter(1, number / 20).expect("room"))
            .collect();

        let refusal = |project, token| match enter(project, token) {
            Err(ApiError::TooManyStreams { whose, limit }) => Some((whose, limit)),
            _ => None,
        };
        assert_eq!(refusal(1, 4), Some(("token", 20)));
        assert_eq!(refusal(1, 5), Some(("project", 100)));
        assert_eq!(refusal(2, 5), None);
        slots.pop();
        assert_eq!(refusal(1, 4), None);
    }
}
