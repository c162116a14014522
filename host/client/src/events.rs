//! What happens to a job, live: server-sent events that go on where they were cut off.
//!
//! A stream that breaks off, falls silent or is turned away for now is asked for again with the id of the last event, so
//! its reader sees everything once. It is over when the server says that the job has ended.

use crate::error::{ClientError, Remedy};
use crate::nouns::{Event, Status};
use crate::request::{Call, Client, Method, pause};
use reqwest::header::HeaderValue;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use std::collections::VecDeque;
use std::time::Duration;

/// The server shows every 15 seconds that it lives.
const LONGEST_SILENCE: Duration = Duration::from_secs(45);
/// Ways to a server that lead nowhere, one after the other, before the reader is told.
const MOST_FAILURES: u32 = 10;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// More than the largest event has.
const MOST_BYTES: usize = 4 << 20;

/// The events of one job, to its end.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    path: String,
    last_id: Option<String>,
    response: Option<Response>,
    frames: Frames,
    read: VecDeque<Frame>,
    failures: u32,
    is_over: bool,
    outcome: Option<Status>,
}

#[derive(Deserialize)]
struct End {
    status: Status,
}

impl EventStream {
    pub(crate) fn new(client: Client, path: String, after: Option<&str>) -> Self {
        Self {
            client,
            path,
            last_id: after.map(str::to_owned),
            response: None,
            frames: Frames::default(),
            read: VecDeque::new(),
            failures: 0,
            is_over: false,
            outcome: None,
        }
    }

    /// How the job ended, once [`EventStream::next`] has answered `None`; unknown where the stream was continued after that.
    #[must_use]
    pub fn outcome(&self) -> Option<&Status> {
        self.outcome.as_ref()
    }

    /// The next event, once there is one; `None` when the job has ended and everything was read. May be dropped while it waits.
    ///
    /// # Errors
    /// [`ClientError`]: the server refuses, or could not be reached for a while.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(frame) = self.read.pop_front() {
                if let Some(event) = self.take(frame)? {
                    return Ok(Some(event));
                }
                continue;
            }
            if self.is_over {
                return Ok(None);
            }
            if let Err(error) = self.read_more().await {
                self.response = None;
                self.failures += 1;
                let may_go_on = matches!(error, ClientError::Unanswered { .. })
                    || matches!(error.remedy(), Remedy::TryAgain { .. });
                if !may_go_on || self.failures > MOST_FAILURES {
                    return Err(error);
                }
                let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures - 1);
                pause(wait.min(LONGEST_WAIT)).await;
            }
        }
    }

    /// `None`: it was the end.
    fn take(&mut self, frame: Frame) -> Result<Option<Event>, ClientError> {
        if frame.name == "end" {
            self.is_over = true;
            let end = serde_json::from_str::<End>(&frame.data).ok();
            self.outcome = end.map(|end| end.status);
            self.response = None;
            return Ok(None);
        }
        if let Some(id) = frame.id {
            self.last_id = Some(id);
        }
        let event = serde_json::from_str(&frame.data);
        event
            .map(Some)
            .map_err(|error| self.odd(&error.to_string()))
    }

    async fn read_more(&mut self) -> Result<(), ClientError> {
        let silent = |base: &str| ClientError::Unanswered {
            base: base.to_owned(),
            reason: "the stream of events fell silent".to_owned(),
            was_sent: true,
        };
        if self.response.is_none() {
            self.frames = Frames::default();
            let begun = tokio::time::timeout(LONGEST_SILENCE, self.begin()).await;
            self.response = begun.map_err(|_| silent(self.client.base()))??;
        }
        // Stays in its place, so that a reader who drops this call and makes another one goes on with it.
        let Some(response) = &mut self.response else {
            self.is_over = true;
            return Ok(());
        };
        let chunk = tokio::time::timeout(LONGEST_SILENCE, response.chunk()).await;
        let chunk = chunk.map_err(|_| silent(self.client.base()))?;
        let chunk = chunk.map_err(|error| self.client.unanswered(&error))?;
        let Some(chunk) = chunk else {
            // The server stops, or lets go of a slow reader: there is more to come.
            return Err(ClientError::Unanswered {
                base: self.client.base().to_owned(),
                reason: "the stream of events broke off".to_owned(),
                was_sent: true,
            });
        };
        self.read.extend(self.frames.feed(&chunk));
        if self.frames.len() > MOST_BYTES {
            return Err(self.odd("an event without an end"));
        }
        if !self.read.is_empty() {
            self.failures = 0;
        }
        Ok(())
    }

    /// `None`: the job has ended, and all of it was read before.
    async fn begin(&self) -> Result<Option<Response>, ClientError> {
        let mut call = Call::new(Method::GET, self.path.clone());
        call = call.header("accept", HeaderValue::from_static("text/event-stream"));
        let last = self.last_id.as_deref();
        if let Some(id) = last.and_then(|id| HeaderValue::from_str(id).ok()) {
            call = call.header("Last-Event-ID", id);
        }
        let response = self.client.begin(&call, None).await?;
        Ok((response.status() != StatusCode::NO_CONTENT).then_some(response))
    }

    fn odd(&self, reason: &str) -> ClientError {
        ClientError::NotUnderstood {
            url: format!("{}{}", self.client.base(), self.path),
            reason: reason.to_owned(),
        }
    }
}

/// What is between two empty lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Frame {
    id: Option<String>,
    name: String,
    data: String,
}

/// Reads frames out of bytes that come in any pieces.
#[derive(Debug, Default)]
struct Frames {
    pending: Vec<u8>,
    frame: Frame,
}

impl Frames {
    fn len(&self) -> usize {
        self.pending.len() + self.frame.data.len()
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.pending.extend_from_slice(bytes);
        let mut whole = Vec::new();
        let mut lines = self.pending.split_inclusive(|byte| *byte == b'\n');
        let mut read = 0;
        for line in &mut lines {
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            read += line.len() + 1;
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
            if line.is_empty() {
                let frame = std::mem::take(&mut self.frame);
                if !frame.data.is_empty() {
                    whole.push(frame);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.frame.id = Some(value.to_owned()),
                "event" => value.clone_into(&mut self.frame.name),
                "data" => {
                    if !self.frame.data.is_empty() {
                        self.frame.data.push('\n');
                    }
                    self.frame.data.push_str(value);
                }
                // A comment, or `retry`.
                _ => {}
            }
        }
        self.pending.drain(..read);
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whatever_pieces_they_come_in() {
        let text = "retry: 2000\n\n:\n\nid: 0-1\nevent: job\ndata: {\"a\":\"ž\"}\n\nevent: end\r\ndata: {}\r\n\r\n";
        let expected = [
            Frame {
                id: Some("0-1".into()),
                name: "job".into(),
                data: "{\"a\":\"ž\"}".into(),
            },
            Frame {
                id: None,
                name: "end".into(),
                data: "{}".into(),
            },
        ];
        for size in 1..text.len() {
            let mut frames = Frames::default();
            let read: Vec<Frame> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| frames.feed(chunk))
                .collect();
            assert_eq!(read, expected, "in pieces of {size}");
            assert_eq!(frames.len(), 0);
        }
    }
}
