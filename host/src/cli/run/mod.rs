//! `orchestrator run`: one job by hand, and how it ends.
//!
//! The job is made under an idempotency key of this call's own, so that a request that has to be repeated makes one job. Progress goes to
//! standard error, what became of the job to standard output, and how it ended to the exit code.

mod progress;
mod wait;

pub(super) use wait::{Wait, WaitArgs};

use super::orchestrations::{Output, find};
use crate::clock::Random;
use anyhow::{Context, bail};
use orchestrator_client::{Client, Job, Orchestration, RunWish, Task};
use std::io::Write;
use std::process::ExitCode;

/// Run an orchestration now
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the job was made, or with --wait ended in success; 3 it ended in error; 4 in warning; 5 it was \
                  cancelled; 130 Ctrl-C, after which the job goes on; 1 anything else; 2 wrong arguments."
)]
pub struct RunArgs {
    /// Its id or name
    #[arg(value_name = "ID|NAME")]
    which: String,
    /// Run this task and no others: its id or component; repeatable
    #[arg(long = "task", value_name = "ID|COMPONENT")]
    tasks: Vec<String>,
    /// Mail these, and not the orchestration's subscribers, when it fails; repeatable
    #[arg(long = "notify", value_name = "EMAIL")]
    emails: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    output: Output,
}

/// Runs `orchestrator run`.
///
/// # Errors
/// The server refuses or does not answer.
pub async fn run(args: RunArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let client = args.output.server.client()?;
    let of = find(&client, &args.which).await?;
    let wish = RunWish {
        notifications_emails: Some(args.emails).filter(|emails| !emails.is_empty()),
        tasks: chosen(&of, &args.tasks)?,
    };
    let job = make_job(&client, of.id, &wish).await?;
    Wait::new(client, of.name, args.wait, args.output.json)
        .end(job, out)
        .await
}

/// One job, however often the request has to be made.
pub(super) async fn make_job(
    client: &Client,
    orchestration: i64,
    wish: &RunWish,
) -> anyhow::Result<Job> {
    let key = Random::system().text(32);
    let key = key.context("no idempotency key can be made")?;
    Ok(client.run(orchestration, wish, &key).await?)
}

/// All tasks, of which the named ones alone are active; `None` where none is named.
fn chosen(of: &Orchestration, names: &[String]) -> anyhow::Result<Option<Vec<Task>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut tasks = of.tasks.clone().unwrap_or_default();
    let is_meant =
        |task: &Task, name: &str| task.id.as_deref() == Some(name) || task.target() == name;
    for name in names {
        if !tasks.iter().any(|task| is_meant(task, name)) {
            let there: Vec<_> = tasks
                .iter()
                .map(|task| {
                    let id = task.id.as_deref().unwrap_or_default();
                    format!("\n  {id}  {}", task.target())
                })
                .collect();
            bail!("there is no task {name:?}, but{}", there.concat());
        }
    }
    for task in &mut tasks {
        task.active = names.iter().any(|name| is_meant(task, name));
    }
    Ok(Some(tasks))
}
