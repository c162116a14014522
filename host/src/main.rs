//! The binary `orchestrator`: parses arguments, calls a command, prints why it failed.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::run()
}
