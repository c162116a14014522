//! The task type `{{id}}`: starts an export with one POST, then asks every half minute whether it is ready.
//!
//! Each function below is one step. Between two steps nothing of the task exists but its [`State`]: the server may have
//! been restarted, or another one may go on. So a task never sleeps, it answers [`Next::wait`].

use std::time::Duration;

use orchestrator_sdk::flow::Next;
use orchestrator_sdk::http::{Error, Request, Response};
use orchestrator_sdk::log;
use orchestrator_sdk::serde_json::{Value, json};
use orchestrator_sdk::task::{Context, Failure, FailureKind};
use serde::{Deserialize, Serialize};

const API: &str = "https://api.example.com/exports";

/// The task's `actionParameters`.
#[derive(Deserialize)]
struct Parameters {
    table: String,
}

/// What is left of the task between two steps.
#[derive(Serialize, Deserialize)]
enum State {
    /// The API was busy, or away: nothing has begun.
    NotStarted,
    /// The export runs at the API, under this id.
    Running { export: String },
}

fn start(context: &Context) -> Result<Next<State>, Failure> {
    let parameters: Parameters = context.parameters_as()?;
    let request = Request::new("POST", API)
        // The same key in every attempt at this task: the export is started once, whatever happens.
        .header("Idempotency-Key", &context.idempotency_key)
        .with_json(&json!({"table": parameters.table}));
    let response = match request.send() {
        Ok(response) => response,
        Err(Error::NotSent(why)) => return Ok(later(&why)),
        Err(error) => return Err(failure("NO_ANSWER", error.to_string())),
    };
    match response.status() {
        200..=299 => {
            let answer = body(&response)?;
            let Some(export) = answer["id"].as_str().map(str::to_owned) else {
                return Err(failure(
                    "BAD_ANSWER",
                    format!("the API gave no id: {answer}"),
                ));
            };
            log::info(&format!(
                "export {export} of {} is running",
                parameters.table
            ));
            let message = format!("export {export} is running");
            Ok(Next::wait(
                State::Running { export },
                Duration::from_secs(10),
                message,
            ))
        }
        429 | 503 => Ok(later("the API is busy")),
        status => Err(failure("REFUSED", format!("the API answered {status}"))),
    }
}

fn resume(context: &Context, state: State) -> Result<Next<State>, Failure> {
    let State::Running { export } = state else {
        return start(context);
    };
    let answer = match Request::new("GET", &format!("{API}/{export}")).send() {
        Ok(response) if response.status() == 200 => body(&response)?,
        // Asking again does no harm.
        Ok(response) => {
            return Ok(again(
                export,
                &format!("the API answered {}", response.status()),
            ));
        }
        Err(error) => return Ok(again(export, &error.to_string())),
    };
    match answer["status"].as_str() {
        Some("ready") => Next::success(&json!({"export": export, "rows": answer["rows"]})),
        Some("failed") => Next::error(&answer, format!("export {export} failed")),
        _ => {
            let message = format!("export {export} is running");
            Ok(again(export, &message))
        }
    }
}

/// The task's time is up: whatever this answers, it has ended.
fn cancel(_: &Context, state: State) -> Result<(), Failure> {
    if let State::Running { export } = state {
        let _ = Request::new("DELETE", &format!("{API}/{export}")).send();
    }
    Ok(())
}

orchestrator_sdk::state_task!(start, resume, cancel);

fn later(why: &str) -> Next<State> {
    Next::wait(State::NotStarted, Duration::from_secs(60), why)
}

fn again(export: String, why: &str) -> Next<State> {
    Next::wait(State::Running { export }, Duration::from_secs(30), why)
}

fn body(response: &Response) -> Result<Value, Failure> {
    let why = |error| {
        failure(
            "BAD_ANSWER",
            format!("the API's answer is no JSON: {error}"),
        )
    };
    response.json().map_err(why)
}

fn failure(code: &str, message: String) -> Failure {
    Failure::new(FailureKind::Remote, code, message)
}
