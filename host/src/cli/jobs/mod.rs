//! `orchestrator jobs …`: what ran, what it said, and once more.

mod list;
mod logs;
mod show;

pub(super) use logs::log_line;
pub(super) use show::print_job;

use super::orchestrations::{Output, find};
use super::print::print_json;
use super::run::{Wait, WaitArgs, make_job};
use anyhow::bail;
use orchestrator_client::{RunWish, Status};
use std::collections::HashSet;
use std::io::Write;
use std::process::ExitCode;

/// List, show and cancel jobs, read their logs and run them once more
#[derive(Clone, Debug, clap::Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Print the jobs of an orchestration, newest first
    List(list::ListArgs),
    /// Print one, with what became of its tasks
    Show {
        /// Its id
        id: i64,
        #[command(flatten)]
        output: Output,
    },
    /// Print what its tasks have logged
    Logs(logs::LogsArgs),
    /// Cancel one that waits
    Cancel {
        /// Its id
        id: i64,
        #[command(flatten)]
        output: Output,
    },
    /// Run its orchestration with the tasks of this job once more
    Retry {
        /// Its id
        id: i64,
        /// Only the tasks that did not end in success
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        wait: WaitArgs,
        #[command(flatten)]
        output: Output,
    },
}

/// Runs `orchestrator jobs`.
///
/// # Errors
/// The server refuses or does not answer.
pub async fn run(args: JobsArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List(args) => list::list(args, out).await?,
        Command::Show { id, output } => {
            let job = output.server.client()?.job(id).await?;
            if output.json {
                print_json(&job, out)?;
            } else {
                print_job(&job, out)?;
            }
        }
        Command::Logs(args) => logs::logs(args, out).await?,
        Command::Cancel { id, output } => {
            let client = output.server.client()?;
            client.cancel_job(id).await?;
            if output.json {
                print_json(&client.job(id).await?, out)?;
            } else {
                writeln!(out, "cancelled {id}")?;
            }
        }
        Command::Retry {
            id,
            failed,
            wait,
            output,
        } => return retry(id, failed, wait, output, out).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// A new job of the same orchestration. The server refuses where its tasks are others by now.
async fn retry(
    id: i64,
    only_failed: bool,
    wait: WaitArgs,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let client = output.server.client()?;
    let job = client.job(id).await?;
    if !job.is_finished {
        bail!("job {id} is {}: it has not ended yet", job.status);
    }
    let mut tasks = job.tasks.unwrap_or_default();
    if only_failed {
        let results = job.results.iter().flat_map(|results| &results.tasks);
        let succeeded: HashSet<_> = results
            .filter(|task| task.status == Status::Success)
            .map(|task| task.id.as_str())
            .collect();
        for task in &mut tasks {
            let id = task.id.as_deref().unwrap_or_default();
            task.active &= !succeeded.contains(id);
        }
        if tasks.iter().all(|task| !task.active) {
            bail!("every task of job {id} ended in success");
        }
    }
    let emails = Some(job.notifications_emails).filter(|emails| !emails.is_empty());
    let wish = RunWish {
        notifications_emails: emails,
        tasks: Some(tasks),
    };
    let of = client.orchestration(job.orchestration_id).await?;
    let made = make_job(&client, of.id, &wish).await?;
    Wait::new(client, of.name, wait, output.json)
        .end(made, out)
        .await
}

/// The orchestration whose jobs are meant.
async fn id_of(client: &orchestrator_client::Client, which: &str) -> anyhow::Result<i64> {
    Ok(find(client, which).await?.id)
}
