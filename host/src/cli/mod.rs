//! The commands of the binary, one file each. Without a command it serves.

pub mod cron;
pub mod doctor;
pub mod key;
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
                  TOML file of --config (data-dir = \"…\"). The master key and the first master token are given as \
                  ORCHESTRATOR_MASTER_KEY and ORCHESTRATOR_MASTER_TOKEN only, or as master-key and master-token in \
                  the file."
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
    /// Look at what a server needs, and say what to mend
    Doctor(Box<Settings>),
    /// Change the master key under which secrets are sealed
    Key(key::KeyArgs),
    /// Explain crontab expressions
    Cron(cron::CronArgs),
}

/// Does what the process's arguments ask for.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve::run(arguments.settings),
        Some(Command::Serve(settings)) => serve::run(*settings),
        Some(Command::Doctor(settings)) => {
            let mut out = io::stdout();
            let done = in_runtime(doctor::run(*settings, &mut out));
            done.and_then(|code| Ok(code?))
                .unwrap_or_else(|error| failed(&error))
        }
        Some(Command::Key(args)) => match in_runtime(key::run(args)) {
            Ok(Ok(())) => ExitCode::SUCCESS,
            Ok(Err(error)) | Err(error) => failed(&error),
        },
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

/// Runs a command that waits for others to its end.
fn in_runtime<T>(command: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build()?.block_on(command))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
