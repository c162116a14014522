//! A task's context and a scripted component, for the tests of the steps.

use std::time::Duration;

use orchestrator_sdk::http::{Error, Request, Response};
use orchestrator_sdk::task::{Certainty, Context, Outcome, Step, Wait};

use crate::state::State;

pub fn context() -> Context {
    Context {
        orchestration_id: 3,
        job_id: 7,
        run_id: "7.1".into(),
        task_id: "t1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key-1".into(),
        certainty: Certainty::Fresh,
        component: Some("ex-db".into()),
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        parameters: r#"{"config":1}"#.into(),
        config: "{}".into(),
        remaining_ms: None,
        extra: Vec::new(),
    }
}

pub fn answer(status: u16, body: &str) -> Result<Response, Error> {
    Ok(Response::new(status, Vec::new(), body.into()))
}

pub fn answer_with(status: u16, header: (&str, &str), body: &str) -> Result<Response, Error> {
    Ok(Response::new(
        status,
        vec![(header.0.into(), header.1.into())],
        body.into(),
    ))
}

/// A component that gives one answer after the other and remembers the requests.
pub struct Script {
    pub answers: Vec<Result<Response, Error>>,
    pub requests: Vec<Request>,
}

impl Script {
    pub fn new(answers: impl IntoIterator<Item = Result<Response, Error>>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self {
            answers,
            requests: Vec::new(),
        }
    }

    pub fn exchange(&mut self, request: Request) -> Result<Response, Error> {
        self.requests.push(request);
        self.answers
            .pop()
            .expect("a request that the script does not expect")
    }
}

#[track_caller]
pub fn done(step: Step) -> Outcome {
    match step {
        Step::Done(outcome) => outcome,
        Step::Wait(wait) => panic!("the task waits: {wait:?}"),
    }
}

#[track_caller]
pub fn waits(step: Step) -> (State, Duration, Wait) {
    match step {
        Step::Wait(wait) => (
            State::decode(&wait.state).unwrap(),
            Duration::from_millis(wait.after_ms),
            wait,
        ),
        Step::Done(outcome) => panic!("the task is done: {outcome:?}"),
    }
}
