//! `orchestrator project …` and `orchestrator token …`: the operator's calls to a running server.
//!
//! The operator's token comes from the environment and is never an argument, because arguments show in the list of
//! processes. What the server answers is printed for people, or as it came with `--json`. A refusal ends the command
//! with 1 and says what the server said.

mod project;
mod token;

pub use project::ProjectArgs;
pub use token::TokenArgs;

use super::caller::{ConnectionArgs, DEFAULT_URL};
use super::{ended, in_runtime};
use crate::config::operator_token;
use anyhow::Context;
use orchestrator_client::{Access, ClientError, Method};
use serde_json::Value;
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Clone, Debug, clap::Args)]
struct ServerArgs {
    /// Address of a running server; the operator's token is read from ORCHESTRATOR_OPERATOR_TOKEN
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    url: String,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
}

/// One call: what is asked for and how its answer is shown.
struct Call {
    server: ServerArgs,
    method: Method,
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
    ended(in_runtime(perform(call)))
}

async fn perform(call: Call) -> anyhow::Result<ExitCode> {
    let token = operator_token().context(
        "the environment variable ORCHESTRATOR_OPERATOR_TOKEN must hold the operator's token",
    )?;
    let server = call.server;
    let builder = server
        .connection
        .builder(&server.url, Access::Operator(token))?;
    let client = builder.build()?;
    let answer = client.call(call.method, &call.path, call.body.as_ref());
    let answer = answer.await.map_err(told)?;
    let mut out = io::stdout();
    if server.json {
        writeln!(out, "{answer:#}")?;
    } else {
        (call.show)(&answer, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// That there is nothing has two reasons here.
fn told(error: ClientError) -> anyhow::Error {
    if error.is_not_found() {
        return anyhow::anyhow!(
            "{error}: no such project or token, or the server has no operator-token"
        );
    }
    error.into()
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
