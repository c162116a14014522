//! The commands of the binary, one file each. Without a command it serves.

pub mod cron;
pub mod operator;
pub mod serve;

use crate::clock::Clock;
use crate::config::Settings;
use clap::Parser;
use std::io;
use std::process::ExitCode;

/// Schedules and runs orchestrations: ordered tasks on a crontab, each in a WebAssembly sandbox.
#[derive(Parser)]
#[command(
    name = "orchestrator",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Settings may also be given in the environment (--data-dir is ORCHESTRATOR_DATA_DIR) and in the \
                  TOML file of --config (data-dir = \"…\"). The master key, the first master token and the \
                  operator's token are given as ORCHESTRATOR_MASTER_KEY, ORCHESTRATOR_MASTER_TOKEN and \
                  ORCHESTRATOR_OPERATOR_TOKEN only, or as master-key, master-token and operator-token in the file."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve(Box<Settings>),
    /// Explain crontab expressions
    Cron(cron::CronArgs),
    /// Manage the projects of a running server
    Project(operator::ProjectArgs),
    /// Manage the tokens of a project of a running server
    Token(operator::TokenArgs),
}

/// Does what the process's arguments ask for.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve::run(arguments.settings),
        Some(Command::Serve(settings)) => serve::run(*settings),
        Some(Command::Project(args)) => operator::run_project(args),
        Some(Command::Token(args)) => operator::run_token(args),
        Some(Command::Cron(args)) => {
            let now = Clock::system().now().to_datetime();
            let done = cron::run(
                args,
                now,
                &mut io::stdout().lock(),
                &mut io::stderr().lock(),
            );
            // A reader that went away (`| head -1`) is no failure.
            done.unwrap_or(ExitCode::SUCCESS)
        }
    }
}
