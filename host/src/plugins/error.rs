//! Why the plugins room cannot be opened, or a component not be taken.

use super::manifest::ManifestError;
use std::io;
use std::path::PathBuf;

/// What can go wrong outside of a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    #[error("{}", not_readable(.0))]
    Manifest(#[from] ManifestError),
    /// Each reason reads on from the plugin's name.
    #[error("plugin {plugin} {}", reasons.join("; it "))]
    Contract {
        plugin: String,
        reasons: Vec<String>,
    },
    #[error(
        "plugin {plugin} needs asynchronous functions of the component model, which contract 0.1 does not have: build it with synchronous exports and WASI 0.2"
    )]
    NeedsAsync { plugin: String },
    #[error("plugin {plugin} does not compile: {reason}")]
    Compile { plugin: String, reason: String },
    #[error("plugin {plugin} is not compiled: {reason}")]
    CompileLimit { plugin: String, reason: String },
    /// The reason reads on from the plugin's name.
    #[error("plugin {plugin} {reason}")]
    Parts { plugin: String, reason: String },
    #[error("the compiler of plugins does not work: {0}")]
    Compiler(String),
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    #[error("could not {action} {}", path.display())]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the plugins' runtime does not start")]
    Runtime(#[source] io::Error),
    #[error("the extra certificate authority cannot be used: {0}")]
    ExtraAuthority(String),
    #[error("the client for outgoing requests cannot be made: {0}")]
    HttpClient(String),
    #[error("smtp-url is not usable: {0}")]
    SmtpUrl(String),
    #[error("mail-from {0:?} is not an address")]
    MailFrom(String),
    #[error("the built-in plugin {0} is missing from this build")]
    BuiltinMissing(String),
}

/// What is no component at all has no manifest that could be wrong.
fn not_readable(error: &ManifestError) -> String {
    match error {
        ManifestError::Section(error) => error.to_string(),
        error => format!("the component's manifest is not valid: {error}"),
    }
}
