//! The binary `orchestrator`: parses arguments, calls a command, prints why it failed.

use std::process::ExitCode;

/// Rows, answers and steps are many small values of short lives, made on one thread and dropped on another: measured in
/// `host/docs/performance.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    orchestrator::cli::run()
}
