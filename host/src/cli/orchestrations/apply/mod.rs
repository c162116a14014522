//! `orchestrations apply`: files are how it is to be.
//!
//! All files are read and judged before anything is asked of the server, the plan is shown before anything is done, and a second
//! `apply` of the same files has nothing to do. An orchestration is what its name says; what fails does not keep the
//! others from being done.

mod diff;
mod plan;

pub(in crate::cli) use plan::differences_of;

use super::Output;
use crate::cli::definition::{Definition, Problems, read_files};
use crate::cli::print::{clean, confirm, print_json};
use crate::domain::faults::Fault;
use anyhow::bail;
use orchestrator_client::{Client, ClientError};
use plan::{Step, make_plan};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ApplyArgs {
    /// A file, or a folder with files *.yaml, *.yml and *.json; `-` is standard input; repeatable
    #[arg(short, long = "file", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Without being asked
    #[arg(long)]
    yes: bool,
    /// Show the plan and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Delete what the project has and no file names
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn apply(args: ApplyArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let definitions = read_files(&args.files)?;
    if definitions.is_empty() && args.prune {
        bail!("there is nothing in the files: with --prune everything would be deleted");
    }
    let client = args.output.server.client()?;
    let steps = make_plan(&client, definitions, args.prune).await?;
    let is_json = args.output.json;
    if !is_json {
        for step in &steps {
            out.write_all(step.describe().as_bytes())?;
        }
        writeln!(out, "{}", summary(&steps))?;
    }
    let is_done = steps.iter().all(Step::is_nothing);
    let is_wanted = args.yes || (!args.dry_run && !is_done && confirmed(&steps, is_json)?);
    let failures = if is_wanted && !is_done {
        carry_out(&client, &steps, is_json, out).await?
    } else {
        Vec::new()
    };
    if is_json {
        let plan: Vec<_> = steps.iter().map(Step::to_json).collect();
        let failed = failures.iter();
        let failed: Vec<_> = failed
            .map(|(name, error)| json!({"name": name, "message": error.to_string()}))
            .collect();
        let report = json!({"plan": plan, "applied": is_wanted && !is_done, "failed": failed});
        print_json(&report, out)?;
    }
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if !is_json {
        for (name, error) in &failures {
            eprintln!("error: {}: {error:#}", clean(name));
        }
    }
    Ok(ExitCode::FAILURE)
}

fn confirmed(steps: &[Step], is_json: bool) -> anyhow::Result<bool> {
    if is_json {
        bail!("--json asks nobody: say --yes or --dry-run");
    }
    let deletes = steps.iter().any(|step| matches!(step, Step::Delete { .. }));
    // A person sees the plan on the terminal where the answer is given.
    if !std::io::stdout().is_terminal() {
        bail!("nobody is there to confirm the plan: say --yes");
    }
    confirm(if deletes {
        "Do this, deletions included?"
    } else {
        "Do this?"
    })
}

fn summary(steps: &[Step]) -> String {
    let count = |is: fn(&Step) -> bool| steps.iter().filter(|step| is(step)).count();
    let nothing = count(Step::is_nothing);
    if nothing == steps.len() {
        return format!("Nothing to do: {nothing} as wanted");
    }
    let create = count(|step| matches!(step, Step::Create { .. }));
    let change = count(|step| matches!(step, Step::Change { .. }));
    let delete = count(|step| matches!(step, Step::Delete { .. }));
    format!("Plan: {create} to create, {change} to change, {delete} to delete, {nothing} as wanted")
}

async fn carry_out(
    client: &Client,
    steps: &[Step],
    is_quiet: bool,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<(String, anyhow::Error)>> {
    let mut failures = Vec::new();
    for step in steps.iter().filter(|step| !step.is_nothing()) {
        match carry_out_one(client, step).await {
            Ok(done) if is_quiet => drop(done),
            Ok(done) => writeln!(out, "{done}")?,
            Err(error) => failures.push((step.name().to_owned(), error)),
        }
    }
    Ok(failures)
}

async fn carry_out_one(client: &Client, step: &Step) -> anyhow::Result<String> {
    let name = clean(step.name());
    Ok(match step {
        Step::Create { definition } => {
            let made = client.create_orchestration(&definition.body()).await;
            let made = made.map_err(|error| with_lines(error, definition))?;
            format!("created {}  {name}", made.id)
        }
        Step::Change {
            definition,
            id,
            body,
            ..
        } => {
            let changed = client.update_orchestration(*id, body).await;
            changed.map_err(|error| with_lines(error, definition))?;
            format!("changed {id}  {name}")
        }
        Step::Delete { id, .. } => {
            client.delete_orchestration(*id).await?;
            format!("deleted {id}  {name}")
        }
        Step::Keep { .. } => String::new(),
    })
}

/// What the server finds wrong with a body is told with its line in the file.
fn with_lines(error: ClientError, definition: &Definition) -> anyhow::Error {
    let faults = error.refusal().map(|refusal| &refusal.faults);
    let faults: Vec<_> = faults
        .into_iter()
        .flatten()
        .map(|fault| Fault {
            path: fault.path.clone(),
            message: fault.message.clone(),
        })
        .collect();
    if faults.is_empty() {
        error.into()
    } else {
        Problems::of(&definition.document, &faults).into()
    }
}
