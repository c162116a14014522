//! `orchestrator plugin …`: what authors of plugins need, from an empty folder to a running server. One file per command.
//!
//! No server and no network is needed but for `push`, and for what a language's own tools download in `build`. A component is
//! judged by the same code as in a server, so that what passes here passes there. The output goes to the writers that are
//! handed in; the exit code is 0, 1 where something does not fit or a scenario fails, and 2 for wrong arguments.

mod build;
mod check;
mod compiled;
mod files;
mod inspect;
mod new;
mod project;
mod push;
mod test;

use super::caller;
use std::io::Write;
use std::process::ExitCode;

/// Write, build, check, test and publish plugins
#[derive(Clone, Debug, clap::Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum PluginCommand {
    /// Make a folder with a small plugin that builds and passes its test
    New(new::NewArgs),
    /// Compile a plugin and put its manifest into the component
    Build(build::BuildArgs),
    /// Say whether a component fits this version of the server
    Check(check::CheckArgs),
    /// Play a plugin's scenarios through: scripted answers, a clock of their own, crashes
    Test(test::TestArgs),
    /// Show what a component is, imports, exports and asks for
    Inspect(inspect::InspectArgs),
    /// Upload a component to a server; the token comes from ORCHESTRATOR_TOKEN
    Push(push::PushArgs),
}

/// Runs the subcommand.
pub fn run(args: PluginArgs, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
    let done = match args.command {
        PluginCommand::New(args) => new::run(&args, out),
        PluginCommand::Build(args) => build::run(&args, out),
        PluginCommand::Check(args) => check::run(&args, out),
        PluginCommand::Test(args) => test::run(&args, out),
        PluginCommand::Inspect(args) => inspect::run(&args, out),
        PluginCommand::Push(args) => push::run(&args, out),
    };
    done.unwrap_or_else(|error| {
        // There is nobody left to tell where this cannot be written.
        let _ = writeln!(err, "error: {error:#}");
        if let Some(advice) = caller::explain(&error) {
            let _ = writeln!(err, "{advice}");
        }
        ExitCode::FAILURE
    })
}
