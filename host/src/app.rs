//! The only wiring: configuration → store → tokens → plugins → loops → listener, and the orderly stop.
//!
//! On a stop the listener takes no more requests, loops begin nothing new and let running steps end; what is then still
//! in hand is given back, so that the next start goes on with it at once.

mod announce;
mod data_dir;
mod log;
mod log_lines;
mod metrics;
mod plugins;
mod signals;
mod traces;

pub use crate::tokens::MASTER_TOKEN_FILE;
pub use log::Log;

use crate::api::{self, Api, ApiParts, ApiSettings, ApiState, AuditKeeper, Limiter, Streams};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::domain::role::Role;
use crate::janitor::Janitor;
use crate::lease::HostLease;
use crate::metrics::Metrics;
use crate::notifier::decide::AlarmRaiser;
use crate::notifier::deliver::Deliverer;
use crate::registry::Registry;
use crate::relay::Relay;
use crate::rotation::KeyKeeper;
use crate::runner::{Runner, RunnerSettings, StepUses};
use crate::scheduler::Scheduler;
use crate::store::{Store, WakeChannel};
use crate::tokens::{Keys, OperatorToken, Tokens};
use crate::traces::Tracer;
use crate::wake::{LoopWakes, Outbox, Pause, Stop, Wake};
use announce::announce;
use anyhow::{Context, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How long open requests may take once the server stops.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// Files that are open beside clients' connections: the database, calls of plugins, logs.
const OTHER_FILES: u64 = 512;

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
/// What the server needs is missing, wrong or in use; the message says what.
pub async fn serve(config: Config, log: Log) -> anyhow::Result<()> {
    serve_and_tell(config, log, |_| {}).await
}

/// The same; `told` learns under which address, once the server answers there.
///
/// # Errors
/// As of [`serve`].
pub async fn serve_and_tell(
    config: Config,
    log: Log,
    told: impl FnOnce(&str),
) -> anyhow::Result<()> {
    let (clock, random) = (Clock::system(), Random::system());
    let config = within_open_files(config);
    data_dir::make(&config.data_dir)?;
    let _lock = data_dir::lock(&config.data_dir)?;
    let keys = Keys::from_source(config.master_key.clone(), &random)?;
    let plugins = plugins::open(&config, &keys, &clock);
    data_dir::make_private_database(&config)?;
    let store = Store::open(&config.database_url).await;
    let store = store
        .context("cannot open the database")?
        .with_limits(config.quotas.clone());
    let store = if config.is_fenced {
        store
    } else {
        store.without_fencing()
    };
    let metrics = Metrics::default();
    metrics.started(&config.roles, config.workers);
    let store = store.with_metrics(metrics.clone());
    let tokens = Tokens::open(store.clone(), keys, clock.clone(), random.clone()).await?;
    check_backend(&store, &config).await?;
    let given = config.master_token.as_deref();
    let (tokens, made) = match config.storage_api.clone() {
        // Its projects come with their tokens.
        Some(elsewhere) => (tokens.with_remote(elsewhere)?, None),
        None => {
            let made = tokens.make_first_project(given, &config.data_dir).await?;
            (tokens, made)
        }
    };
    let installation = installation_id(&store, &random).await?;
    let traces = traces::start(&config, &installation, &clock, &metrics)?;
    let registry = Registry::new(store.clone(), plugins.await??);
    let shared = plugins::share(&registry, &config, clock.now());
    shared
        .await
        .context("the shared plugins cannot be loaded")?;
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;

    let stop = Stop::default();
    let sender = random.text(8)?;
    let channel = WakeChannel::of(&config.database_url, &installation, sender)?;
    let outbox = channel.as_ref().map(|_| Outbox::default());
    let wakes = LoopWakes::new(outbox.as_ref());
    // An embedded database is in the data directory that this process has locked; a server's has other hosts.
    let is_alone = Store::is_embedded(&config.database_url);
    let lease = HostLease::take(store.clone(), clock.clone(), is_alone).await?;
    let server = Server {
        config,
        clock,
        random,
        store,
        tokens,
        registry,
        lease,
        metrics,
        tracer: traces.tracer.clone(),
        installation,
        address,
        stop: stop.clone(),
    };
    let mut loops = server.start_loops(&wakes);
    // Kept until the very end: what still runs after the stop must not be taken for a dead host's.
    let lease_stop = Stop::default();
    let (lease, runner) = (server.lease.clone(), wakes.runner.clone());
    let keeping = tokio::spawn({
        let stop = lease_stop.clone();
        async move { lease.keep(runner, stop).await }
    });
    // Until after the lease, which is given up with a message to the others.
    let relay_stop = Stop::default();
    let relaying = channel.zip(outbox).map(|(channel, outbox)| {
        let relay = Relay {
            channel,
            outbox,
            wakes: wakes.clone(),
            clock: server.clock.clone(),
        };
        tokio::spawn(relay.run(relay_stop.clone()))
    });
    let state = server.api_state(&wakes);
    loops.spawn(
        AuditKeeper {
            store: server.store.clone(),
            limiter: state.limiter.clone(),
            retention: server.config.audit_retention,
            pause: server.pause(&Wake::default()),
        }
        .run(),
    );
    let termination = signals::Termination::listen().context("signals cannot be received")?;
    if let Some(address) = server.config.metrics_listen {
        let listening = metrics::listen(address, state.clone(), stop.clone());
        loops.spawn(listening.await?);
    }
    announce(&server, made.as_deref());
    // It listens already: what is asked now is answered in a moment.
    told(&server.own_url());
    let all = stop.clone();
    loops.spawn(async move {
        termination.wait().await;
        tracing::info!("stopping: no new work is begun, running steps may end");
        all.stop();
    });
    loops.spawn(log.follow_file(stop.clone()));
    let listener_settings = server.config.listener.clone();
    if let Some(tls) = listener_settings.tls.clone() {
        let renewed = Wake::default();
        loops.spawn(tls.keep_fresh(server.pause(&renewed)));
        loops.spawn(signals::poke_on_hangup(renewed, stop.clone()));
    }
    let stopped = stop.clone();
    let serving = api::serve(listener, listener_settings, Api::new(state), async move {
        stopped.stopped().await;
    });
    let late = async {
        stop.stopped().await;
        server.clock.sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        () = serving => {}
        () = late => tracing::warn!("some requests did not end in time"),
    }
    while let Some(ended) = loops.join_next().await {
        ended.context("a loop failed")?;
    }
    traces.finish().await?;
    lease_stop.stop();
    keeping.await.context("the lease was not kept")?;
    match server.lease.give_up().await {
        Ok(0) => {}
        Ok(steps) => tracing::warn!(steps, "given back: the next start goes on with them"),
        Err(error) => tracing::warn!(%error, "the lease runs out by itself"),
    }
    relay_stop.stop();
    if let Some(relaying) = relaying {
        relaying.await.context("the relay failed")?;
    }
    server.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

struct Server {
    config: Config,
    clock: Clock,
    random: Random,
    store: Store,
    tokens: Tokens,
    registry: Registry,
    lease: HostLease,
    metrics: Metrics,
    tracer: Tracer,
    installation: String,
    address: SocketAddr,
    stop: Stop,
}

impl Server {
    /// Those of this host's roles.
    fn start_loops(&self, wakes: &LoopWakes) -> JoinSet<()> {
        let roles = &self.config.roles;
        let mut loops = JoinSet::new();
        if roles.has(Role::Scheduler) {
            loops.spawn(
                Scheduler {
                    store: self.store.clone(),
                    pause: self.pause(&wakes.scheduler),
                    runner: wakes.runner.clone(),
                    events: wakes.events.clone(),
                }
                .run(),
            );
        }
        if roles.has(Role::Runner) {
            loops.spawn(self.runner(wakes).run());
        }
        if roles.has(Role::Notifier) {
            loops.spawn(
                AlarmRaiser {
                    store: self.store.clone(),
                    pause: self.pause(&wakes.alarms),
                    deliverer: wakes.deliverer.here_only(),
                }
                .run(),
            );
            loops.spawn(self.deliverer(wakes).run());
        }
        loops.spawn(
            Janitor {
                store: self.store.clone(),
                registry: self.registry.clone(),
                pause: self.pause(&Wake::default()),
            }
            .run(),
        );
        loops.spawn(
            KeyKeeper {
                tokens: self.tokens.clone(),
                lease: self.lease.clone(),
                pause: self.pause(&Wake::default()),
            }
            .run(),
        );
        loops
    }

    fn runner(&self, wakes: &LoopWakes) -> Runner {
        Runner {
            store: self.store.clone(),
            tokens: self.tokens.clone(),
            plugins: self.registry.plugins().clone(),
            registry: self.registry.clone(),
            lease: self.lease.clone(),
            // What it leaves for its own next pass is for this host, which has just got room for it.
            pause: self.pause(&wakes.runner.here_only()),
            notifier: if self.config.roles.has(Role::Notifier) {
                wakes.deliverer.here_only()
            } else {
                wakes.deliverer.clone()
            },
            used: StepUses::default(),
            metrics: self.metrics.clone(),
            tracer: self.tracer.clone(),
            events: wakes.events.clone(),
            settings: Arc::new(RunnerSettings {
                workers: self.config.workers,
                project_workers: self.config.project_workers,
                components_url: self.config.components_url.clone(),
                public_url: self.config.public_url.clone(),
                installation: self.installation.clone(),
            }),
        }
    }

    fn deliverer(&self, wakes: &LoopWakes) -> Deliverer {
        Deliverer {
            store: self.store.clone(),
            tokens: self.tokens.clone(),
            plugins: self.registry.plugins().clone(),
            registry: self.registry.clone(),
            lease: self.lease.clone(),
            pause: self.pause(&wakes.deliverer),
            base_url: self.base_url(),
            installation: self.installation.clone(),
            metrics: self.metrics.clone(),
            tracer: self.tracer.clone(),
        }
    }

    fn pause(&self, wake: &Wake) -> Pause {
        Pause {
            clock: self.clock.clone(),
            wake: wake.clone(),
            stop: self.stop.clone(),
        }
    }

    fn api_state(&self, wakes: &LoopWakes) -> ApiState {
        let parts = ApiParts {
            store: self.store.clone(),
            tokens: self.tokens.clone(),
            registry: self.registry.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            settings: ApiSettings {
                roles: self.config.roles.clone(),
                public_url: self.config.public_url.clone(),
                trusted_proxies: self.config.trusted_proxies.clone(),
                body_limit: self.config.body_limit_bytes,
                plugin_limit: self.config.plugin_limit_bytes,
                operator_token: self
                    .config
                    .operator_token
                    .as_deref()
                    .map(OperatorToken::new),
            },
            limiter: Limiter::new(self.config.rate_limits),
            runner: wakes.runner.clone(),
            scheduler: wakes.scheduler.clone(),
            deliverer: wakes.deliverer.clone(),
            events: wakes.events.clone(),
            streams: Streams::new(self.stop.clone()),
            metrics: self.metrics.clone(),
            tracer: self.tracer.clone(),
        };
        parts.into()
    }

    fn scheme(&self) -> &'static str {
        if self.config.listener.tls.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// Base of the addresses in messages, which no request tells.
    fn base_url(&self) -> String {
        let public = self.config.public_url.clone();
        public.unwrap_or_else(|| self.own_url())
    }

    fn own_url(&self) -> String {
        format!("{}://{}", self.scheme(), self.address)
    }
}

/// The ids of tokens and projects are one backend's: a database does not change from one to the other.
async fn check_backend(store: &Store, config: &Config) -> anyhow::Result<()> {
    let name = |is_elsewhere| {
        if is_elsewhere {
            "storage-api"
        } else {
            "embedded"
        }
    };
    let wanted = name(config.storage_api.is_some());
    // What has projects and no note of a backend is older than the note.
    let noted = if store.has_projects().await? {
        name(false)
    } else {
        wanted
    };
    let noted = store.keep_setting("token-backend", noted.into()).await?;
    if noted != wanted.as_bytes() {
        let noted = String::from_utf8_lossy(&noted);
        bail!("token-backend is {wanted}, but this database was made with {noted}");
    }
    Ok(())
}

/// As many open files as this process may have, and no more connections than leave some for the rest.
fn within_open_files(mut config: Config) -> Config {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    let most = usize::try_from(files.saturating_sub(OTHER_FILES).max(16)).unwrap_or(usize::MAX);
    let wished = config.listener.most_connections;
    if wished > most {
        tracing::warn!(
            wished,
            most,
            "the limit of open files bounds max-connections"
        );
        config.listener.most_connections = most;
    }
    config
}

/// Distinguishes this installation's idempotency keys and message ids from those of others.
async fn installation_id(store: &Store, random: &Random) -> anyhow::Result<String> {
    let made = random.text(16)?.into_bytes();
    let kept = store.keep_setting("installation", made).await?;
    Ok(String::from_utf8(kept)?)
}
