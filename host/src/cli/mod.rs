//! The commands of the binary, one file each. Without a command it serves.

pub mod backup;
pub mod caller;
mod compile;
pub mod completions;
pub mod cron;
mod definition;
mod demo;
pub mod doctor;
pub mod health;
pub mod import;
pub mod jobs;
pub mod key;
pub mod operator;
pub mod orchestrations;
pub mod plugin;
mod print;
pub mod run;
pub mod serve;
pub mod torture;

use crate::clock::Clock;
use crate::config::Settings;
use crate::plugins::COMPILE_COMMAND;
use clap::{CommandFactory, Parser};
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
    Serve(Box<serve::ServeArgs>),
    /// Look at what a server needs, and say what to mend
    Doctor(Box<Settings>),
    /// Change the master key under which secrets are sealed
    Key(key::KeyArgs),
    /// Copy a server's embedded database and its master key, while it runs
    Backup(backup::BackupArgs),
    /// Ask a running server whether it is well
    Health(health::HealthArgs),
    /// Explain crontab expressions
    Cron(cron::CronArgs),
    /// Keep the address of a server and a token for the commands that call it
    Login(caller::LoginArgs),
    /// Forget what `login` kept
    Logout(caller::LogoutArgs),
    /// List, make, change and delete orchestrations, also as files
    #[command(alias = "orchestration")]
    Orchestrations(Box<orchestrations::OrchestrationsArgs>),
    /// Run an orchestration now
    Run(Box<run::RunArgs>),
    /// List, show and cancel jobs, read their logs and run them once more
    #[command(alias = "job")]
    Jobs(Box<jobs::JobsArgs>),
    /// Take over orchestrations from another service
    Import(Box<import::ImportArgs>),
    /// Print the completions of a shell
    Completions(completions::CompletionsArgs),
    /// Write, build, check, test and publish plugins
    Plugin(plugin::PluginArgs),
    /// Compile a component from standard input to standard output, as the server asks of itself
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompilePlugin(compile::CompileArgs),
    /// Kill, suspend and cut off servers under load, and check that nothing was lost or doubled
    Torture(torture::TortureArgs),
    /// Manage the projects of a running server
    Project(operator::ProjectArgs),
    /// Manage the tokens of a project of a running server
    Token(operator::TokenArgs),
}

/// Does what the process's arguments ask for.
#[must_use]
pub fn run() -> ExitCode {
    run_as(true)
}

/// The same commands of a server that accepts late results: what the torture has to notice. For the tests' binary only.
#[doc(hidden)]
#[must_use]
pub fn run_without_fencing() -> ExitCode {
    run_as(false)
}

fn run_as(is_fenced: bool) -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve::run(arguments.settings, is_fenced),
        Some(Command::Serve(args)) => serve::run_or_show(*args, is_fenced),
        Some(Command::CompilePlugin(args)) => compile::run(&args),
        Some(Command::Torture(args)) => torture::run(&args),
        Some(Command::Project(args)) => operator::run_project(args),
        Some(Command::Token(args)) => operator::run_token(args),
        Some(Command::Doctor(settings)) => {
            let mut out = io::stdout();
            let done = in_runtime(doctor::run(*settings, &mut out));
            done.and_then(|code| Ok(code?))
                .unwrap_or_else(|error| failed(&error))
        }
        Some(Command::Key(args)) => told(in_runtime(key::run(args))),
        Some(Command::Health(args)) => told(in_runtime(health::run(args))),
        Some(Command::Backup(args)) => {
            let mut out = io::stdout();
            told(in_runtime(backup::run(args, &mut out)))
        }
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
        Some(Command::Login(args)) => ended(in_runtime(async {
            caller::run_login(args, &mut io::stdout()).await?;
            Ok(ExitCode::SUCCESS)
        })),
        Some(Command::Logout(args)) => {
            let done = caller::run_logout(&args, &mut io::stdout());
            ended(Ok(done.map(|()| ExitCode::SUCCESS)))
        }
        Some(Command::Orchestrations(args)) => {
            ended(in_runtime(orchestrations::run(*args, &mut io::stdout())))
        }
        Some(Command::Run(args)) => ended(in_runtime(run::run(*args, &mut io::stdout()))),
        Some(Command::Jobs(args)) => ended(in_runtime(jobs::run(*args, &mut io::stdout()))),
        Some(Command::Import(args)) => ended(in_runtime(import::run(*args, &mut io::stdout()))),
        Some(Command::Completions(args)) => {
            let done = completions::run(&args, Arguments::command(), &mut io::stdout());
            ended(Ok(done.map(|()| ExitCode::SUCCESS)))
        }
        Some(Command::Plugin(args)) => {
            plugin::run(args, &mut io::stdout().lock(), &mut io::stderr().lock())
        }
    }
}

/// Runs a command that waits for others to its end.
fn in_runtime<T>(command: impl Future<Output = T>) -> anyhow::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Ok(runtime.enable_all().build()?.block_on(command))
}

/// How a command that says why it failed ends.
fn told(done: anyhow::Result<anyhow::Result<()>>) -> ExitCode {
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) | Err(error) => failed(&error),
    }
}

/// The end of a command that calls a server.
fn ended(done: anyhow::Result<anyhow::Result<ExitCode>>) -> ExitCode {
    match done.and_then(|done| done) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A reader that went away (`| head -1`) is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let of_json = cause.downcast_ref::<serde_json::Error>();
        let of_json = of_json.and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref().is_some_and(kind) || of_json == Some(io::ErrorKind::BrokenPipe)
    })
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    if let Some(advice) = caller::explain(error) {
        eprintln!("{advice}");
    }
    ExitCode::FAILURE
}
