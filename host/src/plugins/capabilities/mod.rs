//! What a plugin may use of the host, one module each of the same shape: the interface's functions on [`CallState`].
//!
//! A plugin is linked with an interface only where its kind or its manifest entitles it to it: [`link`] is the whole rule.
//! Projects have no grants of their own yet: the plugins are the operator's, and what they ask for is granted.

mod checkpoints;
mod credentials;
mod http;
mod log;
mod mail;

use super::contract::v0_1;
use super::manifest::{Capability, Kind, Manifest};
use super::state::CallState;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

/// Everything that the plugin may import.
pub(super) fn link(engine: &Engine, manifest: &Manifest) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    v0_1::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    v0_1::credentials::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    if manifest.kind == Kind::Task {
        v0_1::checkpoints::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    }
    if manifest.asks_for(Capability::Http) {
        http::add_to_linker(&mut linker)?;
    }
    if manifest.asks_for(Capability::Mail) {
        v0_1::mail::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    }
    Ok(linker)
}

/// Why the plugin may not import this interface, where there is more to say than that it does not exist.
pub(super) fn denial(interface: &str, manifest: &Manifest) -> Option<&'static str> {
    let is = |prefix: &str| interface.starts_with(prefix);
    if is("wasi:http/") && !manifest.asks_for(Capability::Http) {
        Some("its manifest does not ask for the capability http")
    } else if is("orchestrator:host/mail@") && !manifest.asks_for(Capability::Mail) {
        Some("its manifest does not ask for the capability mail")
    } else if is("orchestrator:host/checkpoints@") && manifest.kind != Kind::Task {
        Some("checkpoints are for tasks only")
    } else {
        None
    }
}
