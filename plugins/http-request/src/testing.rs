//! A task's context and answers, for the tests.

use orchestrator_sdk::http::{Error, Response};
use orchestrator_sdk::task::{Certainty, Context, Failure, Outcome, Step};

pub fn context(parameters: &str) -> Context {
    Context {
        orchestration_id: 3,
        job_id: 7,
        run_id: "7.1".into(),
        task_id: "t1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key-1".into(),
        certainty: Certainty::Fresh,
        component: Some("http-request".into()),
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        parameters: parameters.into(),
        config: "{}".into(),
        remaining_ms: None,
        extra: Vec::new(),
    }
}

pub fn answer(status: u16, body: &str) -> Result<Response, Error> {
    Ok(Response::new(status, Vec::new(), body.into()))
}

#[track_caller]
pub fn done(step: Result<Step, Failure>) -> Outcome {
    match step.unwrap() {
        Step::Done(outcome) => outcome,
        Step::Wait(wait) => panic!("the task waits: {wait:?}"),
    }
}
