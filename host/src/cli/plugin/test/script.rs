//! The world of a scenario: answers requests from its list, and notes what was wrong with them.
//!
//! After a crash a call is repeated. What it asks for again gets the same answer again, as from a peer that heeds the
//! `Idempotency-Key`; a task's repeated request that may change something and has no such key is a fault, because a real peer
//! would do it twice. A delivery may: it is made at least once.

use super::scenario::{Answer, Fails, holds};
use crate::domain::plugin::Usage;
use crate::plugins::{LogLevel, NoAnswer, World};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Characters of a body that are shown.
const SHOWN: usize = 300;

pub(super) struct Script(Mutex<State>);

/// Which requests may be made again after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// Those that change nothing or have an `Idempotency-Key`.
    Keyed,
    Any,
}

struct State {
    repeats: Repeats,
    /// Of the present attempt at a delivery.
    delivery: NotedDelivery,
    answers: Vec<(Answer, u32)>,
    /// Of the present attempt at a step.
    exchanges: Vec<Exchange>,
    /// Of the attempt that a crash took, and what of it has not been asked again.
    lost: Vec<Exchange>,
    faults: Vec<String>,
}

/// What a delivery tells: a task has its services for that.
#[derive(Default)]
pub(super) struct NotedDelivery {
    pub(super) usage: Usage,
    pub(super) memory_bytes: u64,
    /// Its mails and its log.
    pub(super) lines: Vec<String>,
}

/// A request, and the number of the answer that it got.
#[derive(Clone)]
pub(super) struct Exchange {
    method: Method,
    url: String,
    body: Bytes,
    answer: usize,
    ended: String,
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} → {}", self.method, self.url, self.ended)
    }
}

impl Script {
    pub(super) fn new(answers: &[Answer], repeats: Repeats) -> Self {
        Self(Mutex::new(State {
            repeats,
            delivery: NotedDelivery::default(),
            answers: answers.iter().map(|answer| (answer.clone(), 0)).collect(),
            exchanges: Vec::new(),
            lost: Vec::new(),
            faults: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked since the last call of this function.
    pub(super) fn take_exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.lock().exchanges)
    }

    /// How many requests the present attempt has made.
    pub(super) fn exchanges_so_far(&self) -> usize {
        self.lock().exchanges.len()
    }

    /// The host died before these were asked: their answers are there again.
    pub(super) fn forget(&self, exchanges: Vec<Exchange>) {
        let mut state = self.lock();
        for exchange in exchanges {
            if let Some((_, used)) = state.answers.get_mut(exchange.answer) {
                *used = used.saturating_sub(1);
            }
        }
    }

    /// The host dies: what was asked in this attempt may be asked again.
    pub(super) fn crash(&self, exchanges: Vec<Exchange>) {
        self.lock().lost = exchanges;
    }

    /// The step is recorded: nothing of it comes again.
    pub(super) fn record(&self) {
        self.lock().lost.clear();
    }

    pub(super) fn has_faults(&self) -> bool {
        !self.lock().faults.is_empty()
    }

    /// What an attempt at a delivery did beside its requests, since the last call of this function.
    pub(super) fn take_delivery(&self) -> NotedDelivery {
        std::mem::take(&mut self.lock().delivery)
    }

    pub(super) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().faults)
    }

    /// Answers that nobody asked for.
    pub(super) fn unused(&self) -> Vec<String> {
        let state = self.lock();
        let left = state.answers.iter();
        left.filter(|(answer, used)| {
            !answer.optional && *used < answer.times.max(u32::from(answer.times == 0))
        })
        .map(|(answer, used)| {
            let (method, url, times) = (&answer.method, &answer.url, answer.times.max(1));
            format!("{method} {url} was asked for {used} of {times} times")
        })
        .collect()
    }
}

impl World for Script {
    fn answer(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let mut state = self.lock();
        let url = request.uri().to_string();
        let again = state.lost.iter().position(|lost| {
            lost.method == *request.method() && lost.url == url && lost.body == *request.body()
        });
        let number = match again {
            Some(at) => {
                let changes_something = !matches!(*request.method(), Method::GET | Method::HEAD);
                let has_to_be_keyed = changes_something && state.repeats == Repeats::Keyed;
                if has_to_be_keyed && !request.headers().contains_key("idempotency-key") {
                    let method = request.method();
                    state.faults.push(format!(
                        "{method} {url} was sent again after a crash, without an Idempotency-Key: the other side would do it twice"
                    ));
                }
                Some(state.lost.remove(at).answer)
            }
            None => {
                let found = state.answers.iter_mut().position(|(answer, used)| {
                    (answer.times == 0 || *used < answer.times) && is_for(answer, &request, &url)
                });
                if let Some((_, used)) = found.and_then(|at| state.answers.get_mut(at)) {
                    *used += 1;
                }
                found
            }
        };
        let answered = number.and_then(|number| state.answers.get(number));
        let Some(answer) = answered.map(|(answer, _)| answer.clone()) else {
            let fault = unmatched(&request, &url, &state.answers);
            state.faults.push(fault);
            return Err(NoAnswer::Refused);
        };
        let (response, ended) = match answer.fails {
            Some(Fails::Refused) => (Err(NoAnswer::Refused), "refused".to_owned()),
            Some(Fails::Lost) => (Err(NoAnswer::Lost), "lost".to_owned()),
            None => (Ok(response(&answer)), answer.status.to_string()),
        };
        let (head, body) = request.into_parts();
        state.exchanges.push(Exchange {
            method: head.method,
            url,
            body,
            answer: number.unwrap_or_default(),
            ended,
        });
        response
    }

    fn take_mail(&self, to: &str, subject: &str) {
        let line = format!("mail to {to}: {subject}");
        self.lock().delivery.lines.push(line);
    }

    fn log_delivery(&self, level: LogLevel, line: &str) {
        let line = format!("{}: {line}", level.as_str());
        self.lock().delivery.lines.push(line);
    }

    fn delivery_used(&self, usage: Usage, memory_bytes: u64) {
        let noted = &mut self.lock().delivery;
        (noted.usage, noted.memory_bytes) = (usage, memory_bytes);
    }
}

fn is_for(answer: &Answer, request: &Request<Bytes>, url: &str) -> bool {
    let has_headers = answer.with_headers.iter().all(|(name, value)| {
        let found = request.headers().get(name);
        found.is_some_and(|found| found.as_bytes() == value.as_bytes())
    });
    let has_body = answer.body.as_ref().is_none_or(|wanted| {
        serde_json::from_slice::<Value>(request.body()).is_ok_and(|body| holds(&body, wanted))
    });
    // The plugin's address has been through a parser, which adds the slash of an empty path.
    let same_url = url == answer.url || url == format!("{}/", answer.url);
    same_url && request.method().as_str() == answer.method && has_headers && has_body
}

fn response(answer: &Answer) -> Response<Bytes> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = match &answer.json {
        Some(json) => {
            response = response.header("content-type", "application/json");
            json.to_string()
        }
        None => answer.text.clone(),
    };
    // A header that cannot be sent makes an answer without any: the plugin sees that something is amiss.
    response.body(Bytes::from(body)).unwrap_or_default()
}

fn unmatched(request: &Request<Bytes>, url: &str, answers: &[(Answer, u32)]) -> String {
    let body = String::from_utf8_lossy(request.body());
    let mut text = format!("no answer is left for {} {url}", request.method());
    for (name, value) in request.headers() {
        if name != "x-storageapi-token" {
            let value = String::from_utf8_lossy(value.as_bytes());
            text.push_str(&format!("\n    {name}: {value}"));
        }
    }
    if !body.is_empty() {
        let shown: String = body.chars().take(SHOWN).collect();
        text.push_str(&format!("\n    {shown}"));
    }
    for (answer, used) in answers {
        if answer.times == 0 || *used < answer.times {
            let mut wanted = format!("{} {}", answer.method, answer.url);
            if let Some(body) = &answer.body {
                wanted.push_str(&format!(" with {body}"));
            }
            for (name, value) in &answer.with_headers {
                wanted.push_str(&format!(" with {name}: {value}"));
            }
            text.push_str(&format!("\n  left is {wanted}"));
        }
    }
    text
}
