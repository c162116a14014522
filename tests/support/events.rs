//! A reader of streams of events, as a browser's `EventSource` is one.

use super::client::Client;
use super::document::{Call, Document};
use super::process::PATIENCE;
use orchestrator::clock::Clock;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Empty in one that has none.
    pub id: String,
    pub event: String,
    pub data: Value,
}

impl Frame {
    /// The event and what it says, in short: `job processing`, `task 1 success`, `log 1 hello`.
    pub fn brief(&self) -> String {
        brief(&self.event, &self.data)
    }
}

/// The same of an event of a page.
pub fn brief_of(event: &Value) -> String {
    brief(event["event"].as_str().expect("a name"), event)
}

fn brief(event: &str, data: &Value) -> String {
    let told = match event {
        "log" | "limit" => &data["message"],
        _ => &data["status"],
    };
    let task = data["task"]["id"].as_str();
    let told = told.as_str().expect("a text");
    match task {
        Some(task) => format!("{event} {task} {told}"),
        None => format!("{event} {told}"),
    }
}

/// An open stream.
pub struct Events {
    response: Response,
    text: String,
    /// Moved along while waiting, where the server has one that stands still.
    clock: Option<Clock>,
}

impl Events {
    pub async fn open(client: &Client, path: &str, last: Option<&str>) -> Self {
        let response = Self::ask(client, path, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self {
            response,
            text: String::new(),
            clock: None,
        }
    }

    /// Whatever the answer is.
    pub async fn ask(client: &Client, path: &str, last: Option<&str>) -> Response {
        let mut request = client
            .request(Method::GET, path)
            .header("Accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let request = request.build().expect("a request");
        let call = Call::of(&request);
        let response = client.execute(request).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Document::get().check_head(&call, status, &headers);
        response
    }

    #[must_use]
    pub fn moving(self, clock: &Clock) -> Self {
        Self {
            clock: Some(clock.clone()),
            ..self
        }
    }

    /// The next event; `None` where the stream ends.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let frame = parse(frame);
                self.text = rest.to_owned();
                match frame {
                    Some(frame) => return Some(frame),
                    None => continue,
                }
            }
            let chunk = self.chunk().await?;
            self.text.push_str(&chunk);
        }
    }

    /// All that comes until the stream ends.
    pub async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    async fn chunk(&mut self) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut ticks = interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                biased;
                chunk = self.response.chunk() => {
                    let chunk = chunk.ok().flatten()?;
                    return Some(String::from_utf8(chunk.to_vec()).expect("text"));
                }
                _ = ticks.tick() => {
                    assert!(Instant::now() < deadline, "nothing came; last: {}", self.text);
                    if let Some(clock) = &self.clock {
                        clock.advance(Duration::from_millis(100));
                    }
                }
            }
        }
    }
}

/// `None`: nothing but a comment or a wish.
fn parse(frame: &str) -> Option<Frame> {
    let field = |name: &str| {
        let mut lines = frame.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let data = field("data")?;
    Some(Frame {
        id: field("id").unwrap_or_default().to_owned(),
        event: field("event").expect("a name").to_owned(),
        data: serde_json::from_str(data).expect("JSON"),
    })
}
