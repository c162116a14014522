//! `orchestrator project …` and `orchestrator token …`: the operator's calls to a running server.
//!
//! The operator's token comes from the environment and is never an argument, because arguments show in the list of
//! processes. What the server answers is printed for people, or as it came with `--json`. A refusal ends the command
//! with 1 and says what the server said.

mod client;
mod project;
mod token;

pub use project::ProjectArgs;
pub use token::TokenArgs;

use client::{OperatorClient, ServerArgs};
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

/// One call: what is asked for and how its answer is shown.
struct Call {
    server: ServerArgs,
    method: reqwest::Method,
    path: String,
    body: Option<Value>,
    show: fn(&Value, &mut dyn Write) -> io::Result<()>,
}

/// Runs `orchestrator project`.
#[must_use]
pub fn run_project(args: ProjectArgs) -> ExitCode {
    report(args.into_call())
}

/// Runs `orchestrator token`.
#[must_use]
pub fn run_token(args: TokenArgs) -> ExitCode {
    report(args.into_call())
}

fn report(call: Call) -> ExitCode {
    match perform(call) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(call: Call) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let client = OperatorClient::new(&call.server)?;
    let answer = runtime.block_on(client.call(call.method, &call.path, call.body))?;
    let mut out = io::stdout().lock();
    let shown = if call.server.json {
        writeln!(out, "{answer:#}")
    } else {
        (call.show)(&answer, &mut out)
    };
    match shown {
        // A reader that went away (`| head -1`) is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => Ok(shown?),
    }
}

/// A value as a column of a list.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
        other => other.to_string(),
    }
}

/// Shows nothing: the call has no answer.
fn show_done(_: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "done")
}
