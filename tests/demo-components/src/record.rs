//! The requests that reached the service, in the order in which their bodies were complete.
//!
//! Headers are kept as they came, the token included: tests have to see what was sent. The newest
//! 10,000 are kept. A request is recorded before it is answered, so one that is never answered is
//! here all the same.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

const KEPT: usize = 10_000;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Counts from 1 and goes on after a clearing.
    pub order: u64,
    /// Time since the service started.
    pub after: Duration,
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case; a name may occur more than once.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RecordedRequest {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// The body, where it is JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Headers of one name are joined by a comma; a body that is not JSON is shown as text.
    pub(crate) fn shown(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            match headers.get_mut(name) {
                Some(Value::String(before)) => before.extend([", ", value]),
                _ => drop(headers.insert(name.clone(), value.clone().into())),
            }
        }
        let body = match self.json() {
            Some(json) => json,
            None if self.body.is_empty() => Value::Null,
            None => String::from_utf8_lossy(&self.body).into(),
        };
        json!({
            "order": self.order,
            "afterMilliseconds": u64::try_from(self.after.as_millis()).unwrap_or(u64::MAX),
            "method": self.method,
            "path": self.path,
            "headers": headers,
            "body": body,
        })
    }
}

/// `DemoServer::wait_for` gave up; `seen` is what had arrived.
#[derive(Debug, thiserror::Error)]
#[error("the awaited requests did not arrive within {waited:?}; {} arrived: {}", seen.len(), listed(seen))]
pub struct WaitedTooLong {
    pub waited: Duration,
    pub seen: Vec<RecordedRequest>,
}

fn listed(requests: &[RecordedRequest]) -> String {
    let lines: Vec<_> = requests
        .iter()
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    lines.join(", ")
}

pub(crate) struct RequestLog {
    started: Instant,
    kept: Mutex<VecDeque<RecordedRequest>>,
    /// How many were ever recorded; those who wait subscribe to it.
    recorded: watch::Sender<u64>,
}

impl RequestLog {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            kept: Mutex::default(),
            recorded: watch::Sender::new(0),
        }
    }

    pub(crate) fn record(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) {
        let mut kept = self.lock();
        let order = *self.recorded.borrow() + 1;
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(RecordedRequest {
            order,
            after: self.started.elapsed(),
            method: method.to_string(),
            path: uri
                .path_and_query()
                .map_or_else(|| uri.to_string(), ToString::to_string),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
            body: body.to_vec(),
        });
        self.recorded.send_replace(order);
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        self.lock().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Subscribes before it looks, so that no request slips in between.
    pub(crate) async fn wait_for(
        &self,
        enough: impl Fn(&[RecordedRequest]) -> bool,
        at_most: Duration,
    ) -> Result<Vec<RecordedRequest>, WaitedTooLong> {
        let mut recorded = self.recorded.subscribe();
        let deadline = Instant::now() + at_most;
        loop {
            let seen = self.all();
            if enough(&seen) {
                return Ok(seen);
            }
            if !matches!(
                tokio::time::timeout_at(deadline, recorded.changed()).await,
                Ok(Ok(()))
            ) {
                return Err(WaitedTooLong {
                    waited: at_most,
                    seen,
                });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RecordedRequest>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_requests_make_room_and_the_count_goes_on() {
        let log = RequestLog::new();
        for number in 0..KEPT + 5 {
            let uri = Uri::try_from(format!("/sync/{number}")).unwrap_or_default();
            log.record(&Method::POST, &uri, &HeaderMap::new(), &Bytes::new());
        }

        let all = log.all();

        assert_eq!(all.len(), KEPT);
        assert_eq!(
            all.first().map(|r| (r.order, r.path.as_str())),
            Some((6, "/sync/5"))
        );
        assert_eq!(all.last().map(|r| r.order), Some(10_005));
    }

    #[tokio::test]
    async fn waiting_for_what_never_comes_says_what_came() {
        let log = RequestLog::new();
        log.record(
            &Method::GET,
            &Uri::from_static("/jobs/1?x=1"),
            &HeaderMap::new(),
            &Bytes::new(),
        );

        let waited = log
            .wait_for(|seen| seen.len() == 2, Duration::from_millis(5))
            .await;

        assert!(
            waited.is_err_and(|error| error.to_string().ends_with("1 arrived: GET /jobs/1?x=1"))
        );
    }
}
