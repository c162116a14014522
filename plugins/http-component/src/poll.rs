//! The polls of a component's job. They change nothing, so they are repeated for as long as the task has time.

use std::time::Duration;

use orchestrator_sdk::http::{Address, Error, Request, Response};
use orchestrator_sdk::task::{Context, Failure, FailureKind, Step, Verdict, Wait};

use crate::Exchange;
use crate::address::next_address;
use crate::answer::{Answer, Job, status_line};
use crate::delays::before_poll;
use crate::start::{job_ended, waiting_for};
use crate::state::{Poll, State};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 5;

/// So many polls in a row may fail where the task has no time limit of its own.
const MAX_FAILURES: u32 = 200;

/// So many polls may be refused: a job that was only just made is not always there for every server yet.
const MAX_REFUSALS: u32 = 3;

/// A poll that brought no news.
enum NoNews {
    /// Another one could.
    TryAgain(String),
    /// The task ends.
    GiveUp(Failure),
}

pub fn poll(context: &Context, mut poll: Poll, exchange: Exchange) -> Result<Step, Failure> {
    poll.polls = poll.polls.saturating_add(1);
    let response = match fetch(context, &poll.url, exchange) {
        Ok(response) => response,
        Err(NoNews::TryAgain(why)) => return failed(context, poll, None, &why),
        Err(NoNews::GiveUp(failure)) => return Err(failure),
    };
    let asked = response.retry_after();
    let status = response.status();
    let answer = Answer::read(&response);
    let sentence = format!(
        "component answered {} to the poll of its job",
        status_line(status)
    );
    match status {
        200..=299 if answer.json.is_none() => {
            failed(context, poll, asked, "the answer to the poll is not JSON")
        }
        200..=299 => match answer.job() {
            Job::Running => Ok(goes_on(poll, asked, answer)),
            Job::Ended(verdict) => Ok(job_ended(verdict, answer)),
            Job::Unknown => failed(
                context,
                poll,
                asked,
                "the answer to the poll has neither isFinished nor status",
            ),
        },
        // The server is at fault or busy; 408 is its word for a request that came too slowly.
        408 | 429 => failed(context, poll, asked, &answer.explain(&sentence)),
        400..=499 => Ok(refused(poll, asked, answer, &sentence)),
        _ => failed(context, poll, asked, &answer.explain(&sentence)),
    }
}

/// Gets the job's description, over redirects. The host keeps the token from origins that it does not belong to.
fn fetch(context: &Context, url: &str, exchange: Exchange) -> Result<Response, NoNews> {
    let mut address = Address::parse(url).map_err(|error| {
        let message = format!("the task's state holds no address to poll: {error}");
        NoNews::GiveUp(Failure::new(FailureKind::Internal, "BAD_STATE", message))
    })?;
    for _ in 0..=MAX_REDIRECTS {
        let response =
            exchange(request("GET", &address, context)).map_err(|error| match error {
                Error::NotSent(why) | Error::NoAnswer(why) => NoNews::TryAgain(why),
                Error::Denied(_) | Error::Invalid(_) | Error::TooLarge => {
                    NoNews::GiveUp(error.ends_task(&address))
                }
            })?;
        match (response.status(), response.header("location")) {
            (301 | 302 | 303 | 307 | 308, Some(location)) => {
                address = next_address(&address, location).map_err(NoNews::GiveUp)?;
            }
            _ => return Ok(response),
        }
    }
    Err(NoNews::TryAgain(format!(
        "the poll was redirected more than {MAX_REDIRECTS} times"
    )))
}

fn request(method: &str, address: &Address, context: &Context) -> Request {
    Request::new(method, address.to_string())
        .header("Accept", "application/json")
        .header("X-KBC-RunId", &context.run_id)
        .answer_timeout(ANSWER_TIMEOUT)
}

fn goes_on(mut poll: Poll, asked: Option<Duration>, answer: Answer) -> Step {
    poll.failures = 0;
    poll.refusals = 0;
    poll.keep_response(answer.json.as_ref());
    let delay = before_poll(poll.polls, asked);
    Wait::new(State::Poll(poll).encode(), delay)
        .progress(waiting_for(&answer))
        .response(answer.json)
        .into()
}

fn failed(
    context: &Context,
    mut poll: Poll,
    asked: Option<Duration>,
    why: &str,
) -> Result<Step, Failure> {
    poll.failures = poll.failures.saturating_add(1);
    if context.remaining_ms.is_none() && poll.failures >= MAX_FAILURES {
        let message = format!(
            "{} polls of the component's job in a row failed; at last, {why}",
            poll.failures
        );
        return Err(Failure::new(
            FailureKind::Transient,
            "COMPONENT_UNAVAILABLE",
            message,
        ));
    }
    let progress = format!(
        "polling again, {} polls failed so far: {why}",
        poll.failures
    );
    Ok(wait_on(poll, asked, progress))
}

fn refused(mut poll: Poll, asked: Option<Duration>, answer: Answer, sentence: &str) -> Step {
    poll.refusals = poll.refusals.saturating_add(1);
    let why = answer.explain(sentence);
    if poll.refusals >= MAX_REFUSALS {
        let response = answer
            .json
            .or(poll.response)
            .unwrap_or_else(|| "null".to_owned());
        return Step::ended(Verdict::Error, response, why);
    }
    wait_on(poll, asked, why)
}

fn wait_on(poll: Poll, asked: Option<Duration>, progress: String) -> Step {
    let delay = before_poll(poll.polls, asked);
    let response = poll.response.clone();
    Wait::new(State::Poll(poll).encode(), delay)
        .progress(progress)
        .response(response)
        .into()
}

/// Tries to stop the job. The protocol has no call for it, but jobs at addresses like `…/jobs/123` are commonly
/// cancelled by `DELETE`; whatever the answer, the task has ended.
pub fn cancel(context: &Context, poll: &Poll, exchange: Exchange) {
    let Ok(address) = Address::parse(&poll.url) else {
        return;
    };
    if is_a_jobs_address(address.path()) {
        let _ =
            exchange(request("DELETE", &address, context).answer_timeout(Duration::from_secs(3)));
    }
}

fn is_a_jobs_address(path: &str) -> bool {
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let id = segments.next().unwrap_or_default();
    let has_digit = id.contains(|c: char| c.is_ascii_digit());
    has_digit && matches!(segments.next(), Some("job" | "jobs"))
}

#[cfg(test)]
mod tests;
