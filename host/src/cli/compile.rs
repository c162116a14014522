//! `orchestrator compile-plugin`: the child process in which the server compiles a stranger's component.
//!
//! Not for people, hence hidden. It reads a component, limits itself before that, and writes machine code, or says what is
//! wrong with the component.

use crate::plugins::{EXIT_INVALID, compile_limited};
use std::io;
use std::process::ExitCode;

#[derive(Clone, Debug, clap::Args)]
pub struct CompileArgs {
    /// Address space that may be used
    #[arg(long, value_name = "N")]
    memory_bytes: u64,
    /// CPU time that may be used
    #[arg(long, value_name = "N")]
    cpu_seconds: u64,
}

/// Runs the subcommand.
pub fn run(args: &CompileArgs) -> ExitCode {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    match compile_limited(args.memory_bytes, args.cpu_seconds, &mut input, &mut output) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => {
            eprintln!("{why}");
            u8::try_from(EXIT_INVALID).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
