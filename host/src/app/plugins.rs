//! The plugins of this host: opened beside what else the start has to do, and shared with all projects.

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::plugins::{CompilerSettings, OutboundSettings, PluginSettings, Plugins};
use crate::registry::Registry;
use crate::tokens::Keys;
use anyhow::Context;

/// Calls beside the runner's steps: deliveries and cancellations.
const CALLS_BESIDE_STEPS: usize = 32;

/// Compiles or maps the plugins beside what else the start has to do.
pub(super) fn open(
    config: &Config,
    keys: &Keys,
    clock: &Clock,
) -> tokio::task::JoinHandle<anyhow::Result<Plugins>> {
    let settings = PluginSettings {
        data_dir: config.data_dir.clone(),
        cache_key: keys.plugin_cache,
        concurrent_steps: config.workers + CALLS_BESIDE_STEPS,
        limits: config.step_limits.clone(),
        outbound: OutboundSettings {
            allow: config.outbound_allow.clone(),
            extra_ca_pem: config.outbound_ca_pem.clone(),
            ..OutboundSettings::default()
        },
        compiler: CompilerSettings::default(),
        mail: config.mail.clone(),
    };
    let clock = clock.clone();
    tokio::task::spawn_blocking(move || {
        Plugins::open(settings, clock).context("the plugins cannot be loaded")
    })
}

/// What this host brings for all: the plugins that are built in, and those of the operator's folder.
pub(super) async fn share(
    registry: &Registry,
    config: &Config,
    now: Timestamp,
) -> anyhow::Result<()> {
    registry.keep_builtins(now).await?;
    if let Some(folder) = &config.shared_plugins {
        let plugins = registry.share_folder(folder, now).await?;
        tracing::info!(plugins, folder = %folder.display(), "plugins are shared with all projects");
    }
    Ok(())
}
