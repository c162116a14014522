//! A server that is broken on purpose: it accepts a step's result from whoever brings it. The torture has to notice.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::run_without_fencing()
}
