//! The task type `http-component`: starts a component with one POST and polls the job that it answers with.
//!
//! The protocol is in the modules below, as functions from what is known to what to do next, so that all of it is
//! tested without a network. This file joins them to the host. What they agree on:
//!
//! - a POST that may have reached the component is never sent again ([`start`]);
//! - polls may fail for as long as the task has time ([`poll`]);
//! - between two steps only [`state::State`] exists.

mod address;
mod answer;
mod delays;
mod poll;
mod start;
mod state;
#[cfg(test)]
mod testing;

use orchestrator_sdk::http::{Address, Error, Request, Response};
use orchestrator_sdk::log;
use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wake};

use state::State;

/// Sends a request and brings its answer: the host's HTTP here, a script in the tests.
type Exchange<'a> = &'a mut dyn FnMut(Request) -> Result<Response, Error>;

struct HttpComponent;

impl Task for HttpComponent {
    fn start(context: Context) -> Result<Step, Failure> {
        start::start(&context, &mut exchange)
    }

    // Whether the delay is over or the host recovers from a crash makes no difference: the state says what is next.
    fn resume(context: Context, state: Checkpoint, _: Wake) -> Result<Step, Failure> {
        match State::decode(&state)? {
            State::Retry(retry) => start::start_again(&context, retry, &mut exchange),
            State::Poll(poll) => poll::poll(&context, poll, &mut exchange),
        }
    }

    fn cancel(context: Context, state: Checkpoint) -> Result<(), Failure> {
        if let State::Poll(poll) = State::decode(&state)? {
            poll::cancel(&context, &poll, &mut exchange);
        }
        Ok(())
    }
}

orchestrator_sdk::export_task!(HttpComponent);

fn exchange(request: Request) -> Result<Response, Error> {
    let call = match Address::parse(request.url()) {
        Ok(address) => format!("{} {}", request.method(), address.without_query()),
        Err(_) => request.method().to_owned(),
    };
    let request_is_a_poll = request.method() == "GET";
    let result = request.send();
    match &result {
        // A job may be polled for days; only news is worth a line.
        Ok(response) if request_is_a_poll && response.status() == 200 => {}
        Ok(response) => log::debug(&format!("{call}: {}", response.status())),
        Err(error) => log::debug(&format!("{call}: {error}")),
    }
    result
}
