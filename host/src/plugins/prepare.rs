//! What a call is given before it begins, by whom it is made for.

use super::Inner;
use super::component::Loaded;
use super::credentials::Credentials;
use super::hosts::HostPattern;
use super::limits::Signals;
use super::outbound::{self, Grant, secure_origins};
use super::output::{LogSink, Output};
use super::remedy::Limit;
use super::services::{LogLevel, MailThread, StepServices};
use super::state::{CallState, Caller};
use crate::domain::credential::Credential;
use crate::domain::event::Event;
use crate::domain::job_event::one_line;
use crate::domain::plugin::Capability;
use crate::domain::step::StepContext;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A step, or a cancellation: with the run's own origins, its token and its log.
pub(super) fn task(
    inner: &Inner,
    loaded: &Loaded,
    context: &StepContext,
    services: Arc<dyn StepServices>,
    home: Handle,
) -> CallState {
    let own = [
        Some(context.components_url.as_str()),
        context.component_url.as_deref(),
    ];
    let task_origins = secure_origins(own.into_iter().flatten());
    let mut token_origins = task_origins.clone();
    token_origins.extend(secure_origins(context.public_url.as_deref()));
    let grant = Grant {
        plugin: loaded.manifest.id.clone(),
        hosts: Arc::clone(&loaded.hosts),
        granted_hosts: granted_hosts(loaded),
        sayings: loaded.sayings(),
        task_origins,
        token_origins,
        credentials: Arc::new(Credentials::new(services.credentials())),
    };
    let lines = Arc::clone(&services);
    let log: LogSink = Arc::new(move |level, line: &str| lines.log(level, line));
    state(inner, loaded, Caller::Task { services, home }, grant, log)
}

/// A delivery: with its own recipient, and no token.
pub(super) fn delivery(
    inner: &Inner,
    loaded: &Loaded,
    event: &Event,
    thread: MailThread,
    credentials: &[Credential],
) -> CallState {
    let caller = Caller::Delivery {
        address: event.address.clone(),
        thread,
        mailer: Arc::clone(&inner.mailer),
        mail_is_granted: loaded
            .granted
            .as_ref()
            .is_none_or(|granted| granted.has_mail),
    };
    let grant = Grant {
        plugin: loaded.manifest.id.clone(),
        hosts: Arc::clone(&loaded.hosts),
        granted_hosts: granted_hosts(loaded),
        sayings: loaded.sayings(),
        task_origins: Vec::new(),
        token_origins: Vec::new(),
        credentials: Arc::new(Credentials::new(credentials)),
    };
    let (id, delivery_id) = (loaded.manifest.id.clone(), event.delivery_id);
    let log: LogSink = match &inner.rehearsal {
        Some(rehearsal) => {
            let world = Arc::clone(&rehearsal.world);
            Arc::new(move |level, line: &str| world.log_delivery(level, line))
        }
        None => Arc::new(move |level, line: &str| log_delivery(&id, delivery_id.0, level, line)),
    };
    state(inner, loaded, caller, grant, log)
}

fn granted_hosts(loaded: &Loaded) -> Option<Arc<[HostPattern]>> {
    let granted = loaded.granted.as_ref()?;
    Some(Arc::clone(&granted.hosts))
}

fn state(inner: &Inner, loaded: &Loaded, caller: Caller, grant: Grant, log: LogSink) -> CallState {
    let signals = Arc::new(Signals::default());
    let output = Output::new(loaded.limits.log_bytes, loaded.remedy(Limit::Log), log);
    let services = match &caller {
        Caller::Task { services, home } => Some((Arc::clone(services), home.clone())),
        Caller::Delivery { .. } => None,
    };
    let credentials = Arc::clone(&grant.credentials);
    let http_call = loaded.manifest.asks_for(Capability::Http).then(|| {
        outbound::Call::new(
            Arc::clone(&inner.outbound),
            grant,
            services,
            &loaded.limits,
            Arc::clone(&signals),
            output.clone(),
        )
    });
    CallState::new(
        caller,
        credentials,
        http_call,
        inner.rehearsal.as_ref(),
        loaded.limits.memory_bytes,
        output,
        signals,
    )
}

fn log_delivery(plugin: &str, delivery: i64, level: LogLevel, line: &str) {
    let line = one_line(line);
    match level {
        LogLevel::Debug | LogLevel::Stderr => {
            tracing::debug!(target: "plugin", plugin, delivery, "{line}");
        }
        LogLevel::Info => tracing::info!(target: "plugin", plugin, delivery, "{line}"),
        LogLevel::Warning => tracing::warn!(target: "plugin", plugin, delivery, "{line}"),
        LogLevel::Error => tracing::error!(target: "plugin", plugin, delivery, "{line}"),
    }
}
