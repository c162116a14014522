//! A plugin as it is loaded: its manifest, and its component checked against the contract and linked with what it may use.

use super::cache::{self, Cache};
use super::capabilities;
use super::compiler::CompileError;
use super::contract::v0_1::{DeliveryExports, TaskExports};
use super::error::PluginError;
use super::hosts::HostPattern;
use super::limits;
use super::manifest::{Kind, Manifest};
use super::remedy::{Limit, Sayings};
use super::settings::StepLimits;
use crate::domain::plugin::{Capability, Grant, GrantedLimits};
use crate::domain::step::Restart;
use std::fmt;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// What plugins may import, told where one wants something else.
const PROVIDED: &str =
    "contract 0.1, WASI 0.2 and, where the manifest asks for http, wasi:http 0.2";

/// A loaded plugin and what it may use; cloning it is cheap.
#[derive(Clone)]
pub struct Plugin(Arc<Loaded>);

pub(super) struct Loaded {
    pub(super) manifest: Arc<Manifest>,
    digest: Arc<str>,
    size_bytes: usize,
    pub(super) exports: Arc<Exports>,
    pub(super) limits: StepLimits,
    pub(super) hosts: Arc<[HostPattern]>,
    /// `None`: all that the manifest asks for is granted.
    pub(super) granted: Option<Granted>,
}

/// What the plugin's project allows of what the manifest asks for.
pub(super) struct Granted {
    pub(super) hosts: Arc<[HostPattern]>,
    pub(super) has_mail: bool,
    pub(super) limits: GrantedLimits,
    /// Entries of the manifest's list.
    pub(super) credentials: Vec<String>,
}

pub(super) enum Exports {
    Task(TaskExports),
    Delivery(DeliveryExports),
}

impl Loaded {
    pub(super) fn sayings(&self) -> Sayings {
        let granted = self.granted.as_ref().map(|granted| granted.limits);
        Sayings {
            asked: self.manifest.limits,
            granted: granted.unwrap_or_default(),
        }
    }

    /// Who set this limit, or how it is raised.
    pub(super) fn remedy(&self, limit: Limit) -> String {
        self.sayings().remedy(limit, &self.limits)
    }
}

impl Plugin {
    /// Checks the manifest, then has the component compiled or takes it from the cache, then checks what it imports and
    /// exports.
    pub(super) fn load(
        engine: &Engine,
        cache: &Cache,
        limits: &StepLimits,
        bytes: &[u8],
        compile: impl FnOnce(&[u8]) -> Result<Vec<u8>, CompileError>,
    ) -> Result<Self, PluginError> {
        let manifest = Manifest::of_component(bytes)?;
        let digest = cache::digest(bytes);
        let component = cache
            .load(engine, &digest, || compile(bytes))
            .map_err(|error| not_compiled(&manifest.id, error))?;
        let exports = link(engine, &manifest, &component)?;
        let hosts = manifest.hosts.clone().into();
        Ok(Self(Arc::new(Loaded {
            limits: limits::effective(limits, &manifest),
            manifest: Arc::new(manifest),
            digest: digest.into(),
            size_bytes: bytes.len(),
            exports: Arc::new(exports),
            hosts,
            granted: None,
        })))
    }

    /// The same plugin with no more than `grant` allows it.
    #[must_use]
    pub fn with_grant(&self, grant: &Grant) -> Self {
        let has = |capability| grant.capabilities.contains(&capability);
        let hosts = has(Capability::Http).then_some(grant.hosts.as_slice());
        let hosts = hosts.unwrap_or_default().iter();
        let loaded = self.loaded();
        Self(Arc::new(Loaded {
            manifest: Arc::clone(&loaded.manifest),
            digest: Arc::clone(&loaded.digest),
            size_bytes: loaded.size_bytes,
            exports: Arc::clone(&loaded.exports),
            limits: limits::granted(&loaded.limits, &grant.limits),
            hosts: Arc::clone(&loaded.hosts),
            granted: Some(Granted {
                // What is no pattern was kept by another version of the server: it allows nothing here.
                hosts: hosts
                    .filter_map(|text| HostPattern::parse(text).ok())
                    .collect(),
                has_mail: has(Capability::Mail),
                limits: grant.limits,
                credentials: grant.credentials.clone(),
            }),
        }))
    }

    pub(super) fn loaded(&self) -> &Loaded {
        &self.0
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.manifest.id
    }

    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The names of the credentials that a call may use, where the task or the notification names this one: what the manifest
    /// asks for and the project grants.
    #[must_use]
    pub fn credentials_wanted(&self, named: Option<&str>) -> Vec<String> {
        let granted = self.0.granted.as_ref().map(|granted| &granted.credentials);
        let is_granted = |asked: &String| granted.is_none_or(|granted| granted.contains(asked));
        self.manifest().credentials_wanted(named, is_granted)
    }

    /// What a crash in the middle of a step means.
    #[must_use]
    pub fn restart(&self) -> Restart {
        self.0.manifest.restart
    }

    /// SHA-256 of the component in hexadecimal digits: what a run pins.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Size of the component.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes
    }

    /// Whether tasks of this plugin may wait; deliveries never do.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        matches!(&*self.0.exports, Exports::Task(task) if task.is_resumable())
    }
}

fn link(
    engine: &Engine,
    manifest: &Manifest,
    component: &Component,
) -> Result<Exports, PluginError> {
    let broken = |reasons: Vec<String>| PluginError::Contract {
        plugin: manifest.id.clone(),
        reasons,
    };
    let kind = component.component_type();
    let denied = kind.imports(engine).filter_map(|(interface, _)| {
        let condition = capabilities::denial(interface, manifest)?;
        Some(format!(
            "requires {interface}, this host provides that {condition}"
        ))
    });
    let denied: Vec<String> = denied.collect();
    if !denied.is_empty() {
        return Err(broken(denied));
    }
    // The engine's own words name the interface and the function that do not match.
    let unlinked = |error: wasmtime::Error| {
        broken(vec![format!(
            "requires what this host does not provide: {error:#}; this host provides {PROVIDED}"
        )])
    };
    let mismatch = |error: wasmtime::Error| broken(vec![format!("does not fit: {error:#}")]);
    let linked = capabilities::link(engine, manifest)
        .and_then(|linker| linker.instantiate_pre(component))
        .map_err(unlinked)?;
    match manifest.kind {
        Kind::Task => TaskExports::check(engine, component, linked).map(Exports::Task),
        Kind::Delivery => DeliveryExports::check(engine, component, linked).map(Exports::Delivery),
    }
    .map_err(mismatch)
}

fn not_compiled(plugin: &str, error: CompileError) -> PluginError {
    let plugin = plugin.to_owned();
    let reason = match error {
        CompileError::Invalid(reason) => reason,
        CompileError::Limit(reason) => return PluginError::CompileLimit { plugin, reason },
        CompileError::Parts(reason) => return PluginError::Parts { plugin, reason },
        CompileError::Failed(reason) => return PluginError::Compiler(reason),
    };
    if reason.contains("component model async") {
        PluginError::NeedsAsync { plugin }
    } else {
        PluginError::Compile { plugin, reason }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("id", &self.id())
            .field("version", &self.manifest().version)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}
