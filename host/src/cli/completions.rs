//! `orchestrator completions`: what a shell needs to complete the commands.

use clap::Command;
use clap_complete::{Shell, generate};
use std::io::Write;

/// Print the completions of a shell
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell that is to complete them
    shell: Shell,
}

pub(super) fn run(
    args: &CompletionsArgs,
    mut command: Command,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    // The generator panics where it cannot write; into memory it always can.
    let mut text = Vec::new();
    generate(args.shell, &mut command, "orchestrator", &mut text);
    out.write_all(&text)?;
    Ok(())
}
