//! The server's own binary, once more: what the end-to-end tests start, stop and kill.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::run()
}
