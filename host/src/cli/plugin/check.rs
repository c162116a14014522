//! `orchestrator plugin check`: whether a component fits this version of the server, judged by the code that a server loads it
//! with. Beyond that it names what the manifest asks for without need.

use super::compiled::CacheArgs;
use super::project::Component;
use crate::clock::Clock;
use crate::domain::plugin::{Capability, Usage};
use crate::plugins::{Anatomy, CONTRACT, Kind, LogLevel, NoAnswer, Plugin, World};
use bytes::Bytes;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// A component, or the folder of a plugin that was built
    #[arg(default_value = ".")]
    plugin: PathBuf,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    report(&Component::find(&args.plugin)?, &args.cache, out)
}

/// Says whether it fits; an error says why not.
pub(super) fn report(
    component: &Component,
    cache: &CacheArgs,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let anatomy = Anatomy::of(&component.bytes)?;
    let plugins = cache.rehearse(Clock::system(), Arc::new(NoWorld))?;
    let plugin = plugins.add_component(&component.bytes)?;
    let manifest = plugin.manifest();
    writeln!(
        out,
        "{}: plugin {} {}, {}, {} bytes: fits contract {CONTRACT} of orchestrator {}",
        component.path.display(),
        manifest.id,
        manifest.version,
        kind(&plugin),
        anatomy.bytes,
        env!("CARGO_PKG_VERSION"),
    )?;
    let imports = |names: &[&str]| {
        let mut imports = anatomy.imports.iter();
        imports.any(|import| names.iter().any(|name| import.starts_with(name)))
    };
    for (capability, name, interfaces) in [
        (
            Capability::Http,
            "http",
            &["wasi:http/", "orchestrator:host/http@"][..],
        ),
        (Capability::Mail, "mail", &["orchestrator:host/mail@"]),
    ] {
        if manifest.capabilities.contains(&capability) && !imports(interfaces) {
            writeln!(
                out,
                "note: the manifest asks for the capability {name}, which the component does not import"
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What sort of plugin it is, for people.
pub(super) fn kind(plugin: &Plugin) -> &'static str {
    match plugin.manifest().kind {
        Kind::Task if plugin.is_resumable() => "a task type that can wait",
        Kind::Task => "a task type of one step",
        Kind::Delivery => "a delivery",
    }
}

/// Nothing is called while a component is merely looked at.
struct NoWorld;

impl World for NoWorld {
    fn answer(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        Err(NoAnswer::Refused)
    }

    fn take_mail(&self, _: &str, _: &str) {}

    fn log_delivery(&self, _: LogLevel, _: &str) {}

    fn delivery_used(&self, _: Usage, _: u64) {}
}
