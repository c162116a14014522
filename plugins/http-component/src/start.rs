//! The POST that starts the component. It is sent again only where it certainly did nothing: the connection was not
//! made, or the component itself asked to come back later (429, 503).

use std::time::Duration;

use orchestrator_sdk::http::{Address, Error, Request, Response};
use orchestrator_sdk::retry::Retry;
use orchestrator_sdk::task::{Certainty, Context, Failure, FailureKind, Step, Verdict, Wait};
use serde::Deserialize;

use crate::Exchange;
use crate::address::{next_address, start_address};
use crate::answer::{Answer, Job, status_line};
use crate::delays::before_poll;
use crate::state::{Poll, State};

#[derive(Deserialize)]
struct Config {
    /// The component does nothing twice for the same `Idempotency-Key`.
    idempotent: Option<bool>,
}

pub fn start(context: &Context, exchange: Exchange) -> Result<Step, Failure> {
    start_again(context, Retry::default(), exchange)
}

pub fn start_again(context: &Context, retry: Retry, exchange: Exchange) -> Result<Step, Failure> {
    let config: Config = context.config_as()?;
    if context.certainty == Certainty::InDoubt && config.idempotent != Some(true) {
        let message = "the host stopped while the component was being started: it may be running, so it is not started again";
        return Err(Failure::new(FailureKind::Transient, "IN_DOUBT", message));
    }
    let address = start_address(context)?;
    let request = Request::new("POST", address.to_string())
        .header("Content-Type", "application/json")
        .header("Accept", "application/json")
        .header("X-KBC-RunId", &context.run_id)
        .header("Idempotency-Key", &context.idempotency_key)
        .with_body(context.parameters.as_str());
    match exchange(request) {
        Ok(response) => answered(context, &address, retry, &response),
        Err(Error::NotSent(why)) => {
            let why = format!("{} could not be reached: {why}", address.without_query());
            wait_and_retry(context, retry, None, None, &why)
        }
        Err(error) => Err(error.ends_task(&address)),
    }
}

fn answered(
    context: &Context,
    address: &Address,
    retry: Retry,
    response: &Response,
) -> Result<Step, Failure> {
    let answer = Answer::read(response);
    let status = response.status();
    let sentence = format!("component answered {}", status_line(status));
    match status {
        200..=299 => accepted(address, answer, response),
        429 | 503 => wait_and_retry(
            context,
            retry,
            response.retry_after(),
            answer.json.clone(),
            &answer.explain(&sentence),
        ),
        300..=399 => {
            let summary = format!(
                "{sentence}: the request that starts a component is not sent on to another address"
            );
            Ok(ended(Verdict::Error, answer, summary))
        }
        _ => {
            let summary = answer.explain(&sentence);
            Ok(ended(Verdict::Error, answer, summary))
        }
    }
}

fn accepted(address: &Address, answer: Answer, response: &Response) -> Result<Step, Failure> {
    let url = match &answer.url {
        Some(url) if answer.names_a_job() => url,
        _ => return Ok(ended(Verdict::Success, answer, String::new())),
    };
    if let Job::Ended(verdict) = answer.job() {
        return Ok(job_ended(verdict, answer));
    }
    // There is nothing to save in mid-step: the answer below is the very next thing that is made durable.
    let mut poll = Poll {
        url: next_address(address, url)?.to_string(),
        ..Poll::default()
    };
    poll.keep_response(answer.json.as_ref());
    let wait = Wait::new(
        State::Poll(poll).encode(),
        before_poll(0, response.retry_after()),
    );
    Ok(wait
        .progress(waiting_for(&answer))
        .response(answer.json)
        .into())
}

fn wait_and_retry(
    context: &Context,
    retry: Retry,
    asked: Option<Duration>,
    response: Option<String>,
    why: &str,
) -> Result<Step, Failure> {
    let next = retry.again(context, asked, why).map_err(|tries| {
        let message = format!("the component was not started {tries}");
        Failure::new(FailureKind::Transient, "COMPONENT_UNAVAILABLE", message)
    })?;
    let state = State::Retry(next.retry.clone()).encode();
    Ok(next.wait(state).response(response).into())
}

/// The sentence that is shown while the component's job runs.
pub fn waiting_for(answer: &Answer) -> String {
    format!(
        "the component's job is {}",
        answer.status.as_deref().unwrap_or("running")
    )
}

/// The end of a task whose job has ended.
pub fn job_ended(verdict: Verdict, answer: Answer) -> Step {
    let summary = match verdict {
        Verdict::Success => String::new(),
        _ => {
            let status = answer.status.as_deref().unwrap_or("unknown");
            answer.explain(&format!("the component's job ended with status {status}"))
        }
    };
    ended(verdict, answer, summary)
}

fn ended(verdict: Verdict, answer: Answer, summary: String) -> Step {
    Step::ended(
        verdict,
        answer.json.unwrap_or_else(|| "null".to_owned()),
        summary,
    )
}

#[cfg(test)]
mod tests;
