//! What a plugin may use of the host, one module each of the same shape: the interface's functions on [`CallState`].
//!
//! A plugin is linked with an interface only where its kind or its manifest entitles it to it: [`link`] is the whole rule.
//! What its project grants it is judged when it makes use of one: a plugin runs with less than it asks for.

mod checkpoints;
mod credentials;
mod http;
mod log;
mod mail;

use super::contract::v0_1;
use super::manifest::{Kind, Manifest};
use super::state::CallState;
use crate::domain::plugin::Capability;
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

/// On which condition the plugin might import this interface, where that is all that it lacks.
pub(super) fn denial(interface: &str, manifest: &Manifest) -> Option<&'static str> {
    let is = |prefix: &str| interface.starts_with(prefix);
    let is_http = is("wasi:http/") || is("orchestrator:host/http@");
    if is_http && !manifest.asks_for(Capability::Http) {
        Some("only where the manifest asks for the capability http")
    } else if is("orchestrator:host/mail@") && !manifest.asks_for(Capability::Mail) {
        Some("only where the manifest asks for the capability mail")
    } else if is("orchestrator:host/checkpoints@") && manifest.kind != Kind::Task {
        Some("only to plugins of the kind task")
    } else {
        None
    }
}
