//! `orchestrator plugin inspect`: what a component is, imports, exports and asks for. Nothing of it is compiled or run, and it
//! need not fit this server.

use super::project::Component;
use crate::plugins::{Anatomy, Manifest};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// A component, or the folder of a plugin that was built
    #[arg(default_value = ".")]
    plugin: PathBuf,
}

pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let component = Component::find(&args.plugin)?;
    let anatomy = Anatomy::of(&component.bytes)?;
    writeln!(out, "component  {}", component.path.display())?;
    writeln!(out, "size       {} bytes", anatomy.bytes)?;
    writeln!(out, "digest     {}", anatomy.digest)?;
    let manifest = Manifest::of_component(&component.bytes);
    match &manifest {
        Ok(manifest) => writeln!(out, "kind       {}", manifest.kind.as_str())?,
        Err(error) => writeln!(out, "kind       unknown to this version: {error}")?,
    }
    match &anatomy.manifest {
        Ok(json) => writeln!(out, "manifest   {}", indented(json))?,
        Err(error) => writeln!(out, "manifest   none: {error}")?,
    }
    list("imports", &anatomy.imports, out)?;
    list("exports", &anatomy.exports, out)?;
    Ok(ExitCode::SUCCESS)
}

fn list(title: &str, names: &[String], out: &mut dyn Write) -> std::io::Result<()> {
    let mut title = title;
    for name in names {
        writeln!(out, "{title:<10} {name}")?;
        title = "";
    }
    Ok(())
}

/// Readable where it is JSON, else as it stands.
fn indented(json: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(json);
    let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value));
    let text = pretty.unwrap_or_else(|_| json.escape_debug().to_string());
    text.replace('\n', "\n           ")
}
