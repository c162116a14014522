//! The components: what they are called, what they take and what they answer.
//!
//! `CATALOG` is the one list of them; the binary prints it and the README repeats it (a test
//! compares the two). Those that answer at once are in `direct`, those that start a job in `started`.

mod direct;
mod parameters;
mod started;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;

pub(crate) use direct::{Attempts, problem};
pub(crate) use parameters::BadParameters;

use crate::routes::Demo;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    Echo,
    EchoToken,
    Sync,
    Empty,
    Async,
    AsyncNoFlag,
    Status,
    Flaky,
    FlakyPoll,
    Slow,
    Hang,
    Redirect,
    RedirectPoll,
    Elsewhere,
    Huge,
    NotJson,
    Close,
    Receiver,
}

/// A row of the catalog.
#[derive(Debug)]
pub struct Entry {
    pub component: Component,
    pub name: &'static str,
    pub parameters: &'static str,
    pub answers: &'static str,
}

const fn entry(
    component: Component,
    name: &'static str,
    parameters: &'static str,
    answers: &'static str,
) -> Entry {
    Entry {
        component,
        name,
        parameters,
        answers,
    }
}

const JOB: &str = "result, seconds, polls, answerAfter, idempotent";

#[rustfmt::skip]
pub const CATALOG: &[Entry] = &[
    entry(Component::Echo, "echo", "any", "200 with the parameters and headers it got, the token masked"),
    entry(Component::EchoToken, "echo-token", "any", "200 with the token's value in its JSON (misbehaves)"),
    entry(Component::Sync, "sync", "any", "200 with a small JSON that is not a job"),
    entry(Component::Empty, "empty", "any", "204 without a body"),
    entry(Component::Async, "async", JOB, "202 with a job to poll"),
    entry(Component::AsyncNoFlag, "async-no-flag", JOB, "like async, but no answer has isFinished"),
    entry(Component::Status, "status", "code, message, retryAfter", "that status code (default 400) with a JSON message"),
    entry(Component::Flaky, "flaky", "failures, code, name, retryAfter", "code (default 503) that many times for one name or Idempotency-Key, then 200"),
    entry(Component::FlakyPoll, "flaky-poll", "failures, code + those of async", "a job whose first polls answer code (default 500)"),
    entry(Component::Slow, "slow", "seconds", "200 after that time"),
    entry(Component::Hang, "hang", "any", "nothing, ever; the connection stays open"),
    entry(Component::Redirect, "redirect", "to", "307 to that address (default: the component sync)"),
    entry(Component::RedirectPoll, "redirect-poll", "to + those of async", "a job whose polls answer 302 to that address (default: its true one)"),
    entry(Component::Elsewhere, "elsewhere", "url + those of async", "202 with a job whose address is that url, unchecked"),
    entry(Component::Huge, "huge", "megabytes", "200 with a JSON of that many megabytes (default 64)"),
    entry(Component::NotJson, "not-json", "any", "200 with text/html"),
    entry(Component::Close, "close", "any", "nothing; reads the request and closes the connection"),
    entry(Component::Receiver, "receiver", "none: the action", "a webhook's receiver: `receiver/500,429-2,204` answers its first three calls so, then always as the last; `-2` is Retry-After, 3xx lead to a private address"),
];

pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|entry| entry.name == name)
}

/// One POST to a component.
pub(crate) struct Call {
    pub demo: Arc<Demo>,
    pub entry: &'static Entry,
    /// What stands behind the component's name in the path.
    pub action: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Scheme, host and port by which the caller reached the service: addresses it is given start so.
    pub origin: String,
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.header("idempotency-key")
    }

    pub(crate) async fn answer(self) -> Result<Response, BadParameters> {
        match self.entry.component {
            Component::Echo => direct::echo(&self),
            Component::EchoToken => Ok(direct::echo_token(&self)),
            Component::Sync => Ok(direct::rows()),
            Component::Empty => Ok(direct::empty()),
            Component::Status => direct::status(&self),
            Component::Flaky => direct::flaky(&self),
            Component::Slow => direct::slow(&self).await,
            Component::Hang => std::future::pending().await,
            Component::Redirect => direct::redirect(&self),
            Component::Huge => direct::huge(&self),
            Component::NotJson => Ok(direct::not_json()),
            Component::Close => Ok(direct::close()),
            Component::Receiver => direct::receive(&self),
            Component::Async
            | Component::AsyncNoFlag
            | Component::FlakyPoll
            | Component::RedirectPoll
            | Component::Elsewhere => started::start_job(&self).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_the_catalog_as_it_is() {
        let readme = include_str!("../../README.md");
        for Entry {
            name,
            parameters,
            answers,
            ..
        } in CATALOG
        {
            let row = format!("| `{name}` | {parameters} | {answers} |");
            assert!(readme.contains(&row), "README.md lacks the row\n{row}");
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        for entry in CATALOG {
            assert_eq!(
                find(entry.name).map(|found| found.component),
                Some(entry.component)
            );
        }
    }
}
