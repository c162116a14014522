//! `orchestrator orchestrations …`: what a project has, made, changed and kept as files.
//!
//! An orchestration is named by its id or its name; a name that is a number counts as an id first.

mod apply;
mod create;
mod export;
mod find;
mod list;
mod remove;

pub(super) use apply::differences_of;
pub(super) use find::find;

use crate::cli::caller::ServerArgs;
use std::io::Write;
use std::process::ExitCode;

/// List, make, change and delete orchestrations, also as files
#[derive(Clone, Debug, clap::Args)]
pub struct OrchestrationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Print all of the project
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Print one, with its tasks and notifications
    Show {
        /// Its id or name
        #[arg(value_name = "ID|NAME")]
        which: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make one
    Create(create::CreateArgs),
    /// Make and change orchestrations as files say; the plan is shown first
    Apply(apply::ApplyArgs),
    /// Write orchestrations as files that `apply` takes
    Export(export::ExportArgs),
    /// Delete some; their jobs stay
    Delete(remove::DeleteArgs),
    /// Let their schedules run
    Enable(remove::EnableArgs),
    /// Hold their schedules
    Disable(remove::EnableArgs),
}

/// What every command has: which server, and how its answer is printed.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Output {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Runs `orchestrator orchestrations`.
///
/// # Errors
/// The server refuses or does not answer, files cannot be used, or nobody confirms.
pub async fn run(args: OrchestrationsArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::List { output } => list::list(&output, out).await?,
        Command::Show { which, output } => list::show(&which, &output, out).await?,
        Command::Create(args) => create::create(args, out).await?,
        Command::Apply(args) => return apply::apply(args, out).await,
        Command::Export(args) => export::export(args, out).await?,
        Command::Delete(args) => remove::delete(args, out).await?,
        Command::Enable(args) => remove::set_active(args, true, out).await?,
        Command::Disable(args) => remove::set_active(args, false, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}
