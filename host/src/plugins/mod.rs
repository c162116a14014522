//! Plugins: the only room that knows WebAssembly, and the only way from a plugin to the world.
//!
//! Owns: the engine and its limits, the compiled components, the contract's lines, the capabilities that a plugin is given,
//! its network ([`outbound`]) and its mail ([`mailer`]). Does not decide what a result means: the runner and the notifier do,
//! its only callers, and [`StepServices`] is all that it knows of them.
//!
//! A call is: wait for a slot → a fresh store and instance → the plugin's function within its budgets → the answer, checked
//! and in the domain's words. Nothing of it outlives the call. Plugins run on runtimes of their own ([`lanes`]), so
//! that a busy one slows neither the API nor the others; dropping the future of a call ends the call.

mod anatomy;
mod cache;
mod call;
mod capabilities;
mod compiler;
mod component;
mod contract;
mod credentials;
mod engine;
mod error;
mod hosts;
mod lanes;
mod limits;
mod mailer;
mod manifest;
mod outbound;
mod output;
mod prepare;
mod rehearsal;
mod remedy;
mod schema;
mod section;
mod services;
mod settings;
mod shelf;
mod state;

pub use anatomy::{Anatomy, NoComponent};
pub use compiler::{COMPILE_COMMAND, CompilerSettings, EXIT_INVALID, compile_limited};
pub use component::Plugin;
pub use credentials::fault_of_credential_host;
pub use error::PluginError;
pub use manifest::{
    AskedLimits, CONTRACT, Kind, MANIFEST_SECTION, Manifest, ManifestError, NAMED, is_plugin_id,
};
pub use outbound::{BadOutboundAllow, OutboundAllow};
pub use rehearsal::{NoAnswer, World};
pub use section::SectionError;
pub use services::{
    BegunCall, BoxFuture, LogLevel, MailThread, SaveError, StepError, StepServices, TokenRefusal,
};
pub use settings::{MailSettings, OutboundSettings, PluginSettings, StepLimits};

use crate::clock::Clock;
use crate::domain::credential::Credential;
use crate::domain::event::Event;
use crate::domain::faults::Faults;
use crate::domain::step::{Checkpoint, Step, StepCall, StepContext};
use crate::domain::time::Timestamp;
use cache::Cache;
use component::Exports;
use engine::Ticker;
use lanes::{AbortOnDrop, Lanes};
use mailer::Mailer;
use outbound::Outbound;
use rehearsal::Rehearsal;
use remedy::Limit;
use shelf::Shelf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fmt, io};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use wasmtime::Engine;

/// Each may use as much memory as its settings say.
const COMPILATIONS_AT_ONCE: usize = 2;

/// Every plugin of this server; cloning it is cheap.
#[derive(Clone)]
pub struct Plugins(Arc<Inner>);

struct Inner {
    engine: Engine,
    cache: Cache,
    ticker: Ticker,
    shelf: Shelf,
    limits: StepLimits,
    compiler: CompilerSettings,
    /// Compilations at a time.
    compiling: Semaphore,
    outbound: Arc<Outbound>,
    rehearsal: Option<Rehearsal>,
    mailer: Arc<Mailer>,
    slots: Arc<Semaphore>,
    http_component: Plugin,
    lanes: Lanes,
}

impl Plugins {
    /// Starts the engine and loads the built-in plugins: compiled once per data directory and version, mapped later.
    /// Blocks; call it at start or from a blocking task.
    ///
    /// # Errors
    /// A setting is not usable, the data directory is not writable, or a built-in plugin does not load.
    pub fn open(settings: PluginSettings, clock: Clock) -> Result<Self, PluginError> {
        Self::assemble(settings, clock, None)
    }

    /// The same, but for an author: `world` answers all requests, and plugins see `clock` only.
    ///
    /// # Errors
    /// As for [`Plugins::open`].
    pub fn rehearse(
        settings: PluginSettings,
        clock: Clock,
        world: Arc<dyn World>,
    ) -> Result<Self, PluginError> {
        let rehearsal = Rehearsal {
            world,
            clock: clock.clone(),
        };
        Self::assemble(settings, clock, Some(rehearsal))
    }

    fn assemble(
        settings: PluginSettings,
        clock: Clock,
        rehearsal: Option<Rehearsal>,
    ) -> Result<Self, PluginError> {
        // Two crates could bring a provider for TLS; whoever asks for the default gets this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let engine = engine::build(&settings)?;
        let cache = Cache::open(&settings.data_dir, settings.cache_key, &engine)?;
        let lanes = Lanes::start()?;
        let mailer = {
            let _within = lanes.quick().enter();
            Mailer::new(settings.mail.as_ref(), clock, rehearsal.clone())?
        };
        let shelf = Shelf::default();
        for component in shelf::builtin_components() {
            let compile = |bytes: &[u8]| compiler::compile_here(&engine, bytes);
            let limits = &settings.limits;
            shelf.add_builtin(&Plugin::load(&engine, &cache, limits, component, compile)?);
        }
        let http_component = shelf.builtin(shelf::HTTP_COMPONENT)?;
        Ok(Self(Arc::new(Inner {
            ticker: Ticker::start(&engine)?,
            engine,
            cache,
            shelf,
            limits: settings.limits,
            compiler: settings.compiler,
            compiling: Semaphore::new(COMPILATIONS_AT_ONCE),
            outbound: Arc::new(Outbound::new(
                &settings.outbound,
                rehearsal.clone(),
                lanes.quick().clone(),
            )?),
            rehearsal,
            mailer: Arc::new(mailer),
            slots: Arc::new(Semaphore::new(settings.concurrent_steps.max(1))),
            http_component,
            lanes,
        })))
    }

    /// Takes a trusted component in, compiled in this process unless it is in the cache: manifest, contract and imports are
    /// checked. It stays as long as the process lives. Blocks.
    ///
    /// # Errors
    /// The component is not a valid plugin; the message names the plugin and the interface, function or key at fault.
    pub fn add_component(&self, bytes: &[u8]) -> Result<Plugin, PluginError> {
        let inner = &self.0;
        let compile = |bytes: &[u8]| compiler::compile_here(&inner.engine, bytes);
        let plugin = Plugin::load(&inner.engine, &inner.cache, &inner.limits, bytes, compile)?;
        inner.shelf.add(&plugin);
        Ok(plugin)
    }

    /// Takes a component in that comes from outside: compiled in a child process with limits unless it is in the cache. None of
    /// its code runs.
    ///
    /// # Errors
    /// As for [`Self::add_component`], or it takes too much to compile.
    pub async fn add_upload(&self, bytes: Vec<u8>) -> Result<Plugin, PluginError> {
        // A file of somebody else's choice is not compiled in vain.
        let (digest, inner) = (cache::digest(&bytes), Arc::clone(&self.0));
        Manifest::of_component(&bytes)?;
        let _turn = match inner.cache.has(&digest) {
            true => None,
            false => inner.compiling.acquire().await.ok(),
        };
        if let Some(plugin) = self.plugin(&digest) {
            return Ok(plugin);
        }
        let loading = Arc::clone(&self.0);
        let loaded = tokio::task::spawn_blocking(move || {
            let inner = &loading;
            let compile = |bytes: &[u8]| compiler::compile_apart(&inner.compiler, bytes);
            let plugin = Plugin::load(&inner.engine, &inner.cache, &inner.limits, &bytes, compile)?;
            inner.shelf.add_upload(&plugin);
            Ok(plugin)
        });
        let failed = |error: tokio::task::JoinError| PluginError::Compiler(error.to_string());
        loaded.await.map_err(failed)?
    }

    /// The plugin that was built with the server under that id.
    #[must_use]
    pub fn builtin(&self, id: &str) -> Option<Plugin> {
        self.0.shelf.builtin(id).ok()
    }

    /// All that were built with the server, by id.
    #[must_use]
    pub fn builtins(&self) -> Vec<Plugin> {
        self.0.shelf.builtins()
    }

    /// The bytes of those.
    pub fn builtin_components() -> impl Iterator<Item = (String, &'static [u8])> {
        shelf::builtin_components().map(|component| (cache::digest(component), component))
    }

    /// The one that runs tasks of components for which there is no other plugin.
    #[must_use]
    pub fn http_component(&self) -> Plugin {
        self.0.http_component.clone()
    }

    /// A plugin that is loaded, with all that it asks for.
    #[must_use]
    pub fn plugin(&self, digest: &str) -> Option<Plugin> {
        self.0.shelf.by_digest(digest)
    }

    /// Whether that is the digest of a component that was built with this server.
    #[must_use]
    pub fn is_builtin(&self, digest: &str) -> bool {
        let mut builtins = self.0.shelf.builtins().into_iter();
        builtins.any(|plugin| plugin.digest() == digest)
    }

    /// What is wrong with a grant that a project gives: of each host, by its place.
    ///
    /// A project grants hosts that it names: not the whole network, and no private address that the operator has not opened.
    pub fn check_granted_hosts(&self, hosts: &[String], path: &str, faults: &mut Faults) {
        for (at, host) in hosts.iter().enumerate() {
            if let Err(why) = self.0.outbound.check_granted(host) {
                faults.add(format!("{path}[{at}]"), why);
            }
        }
    }

    /// The uploaded components that have been kept compiled on this host for at least `age`, by digest. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn compiled_uploads(&self, age: Duration, now: Timestamp) -> io::Result<Vec<String>> {
        let micros = u64::try_from(now.0).unwrap_or_default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
        let mut digests = self.0.cache.older_than(age, now)?;
        digests.retain(|digest| !self.0.shelf.stays(digest));
        Ok(digests)
    }

    /// Gives up the compiled form of an uploaded component, and its files. Who runs it goes on; who wants it again has it
    /// compiled. Blocks.
    pub fn forget_compiled(&self, digest: &str) {
        self.0.shelf.forget_upload(digest);
        self.0.cache.forget(digest);
    }

    /// How many components had to be compiled since the start, rather than taken from the cache.
    #[must_use]
    pub fn compiled_components(&self) -> u64 {
        self.0.cache.compiled()
    }

    /// Runs one step of a task. Waits for a slot first; the step's time begins after that.
    ///
    /// # Errors
    /// [`StepError::Failed`] ends the task, [`StepError::Abandoned`] repeats the step.
    pub async fn run_step(
        &self,
        plugin: &Plugin,
        context: StepContext,
        call: StepCall,
        services: Arc<dyn StepServices>,
    ) -> Result<Step, StepError> {
        self.run(plugin, move |inner, plugin, home| async move {
            let loaded = plugin.loaded();
            let Exports::Task(task) = &*loaded.exports else {
                return Err(call::wrong_kind(loaded, "task"));
            };
            let told = Arc::clone(&services);
            let prepared = prepare::task(&inner, loaded, &context, services, home);
            let (signals, output) = (Arc::clone(&prepared.signals), prepared.output.clone());
            let mut store = call::store(&inner.engine, loaded, prepared);
            let response_bytes = loaded.limits.response_bytes;
            let answering = task.step(&mut store, &context, call, response_bytes);
            let tail = || output.error_tail();
            // Also where nobody waits for the end of the call.
            let _used = call::TellUsage::of(told, Arc::clone(&signals));
            let answer = call::bounded(loaded, &signals, Limit::Wall, tail, answering).await?;
            answer
                .map_err(|broken| call::bad_answer(loaded, broken))?
                .map_err(StepError::Failed)
        })
        .await
    }

    /// Lets a task stop what it left running elsewhere; best effort, for [`StepLimits::cancel_wall`] at most.
    ///
    /// # Errors
    /// As for [`Plugins::run_step`]; the task has ended whatever the answer.
    pub async fn cancel(
        &self,
        plugin: &Plugin,
        context: StepContext,
        state: Checkpoint,
        services: Arc<dyn StepServices>,
    ) -> Result<(), StepError> {
        self.run(plugin, move |inner, plugin, home| async move {
            let loaded = plugin.loaded();
            let Exports::Task(task) = &*loaded.exports else {
                return Err(call::wrong_kind(loaded, "task"));
            };
            let prepared = prepare::task(&inner, loaded, &context, services, home);
            let (signals, output) = (Arc::clone(&prepared.signals), prepared.output.clone());
            let mut store = call::store(&inner.engine, loaded, prepared);
            let answering = task.cancel(&mut store, &context, state);
            let tail = || output.error_tail();
            let wall = Limit::CancelWall;
            let answer = call::bounded(loaded, &signals, wall, tail, answering).await?;
            answer.map_err(StepError::Failed)
        })
        .await
    }

    /// Makes one attempt to deliver an event, with credentials that [`Plugin::credentials_wanted`] names, and answers with
    /// the receipt where there is one.
    ///
    /// # Errors
    /// [`StepError::Failed`] of the kinds `Transient` and `RateLimit` is worth another attempt, as is
    /// [`StepError::Abandoned`].
    pub async fn deliver(
        &self,
        plugin: &Plugin,
        event: Event,
        thread: MailThread,
        credentials: Vec<Credential>,
    ) -> Result<Option<String>, StepError> {
        self.run(plugin, move |inner, plugin, _| async move {
            let loaded = plugin.loaded();
            let Exports::Delivery(delivery) = &*loaded.exports else {
                return Err(call::wrong_kind(loaded, "delivery"));
            };
            let prepared = prepare::delivery(&inner, loaded, &event, thread, &credentials);
            let (signals, output) = (Arc::clone(&prepared.signals), prepared.output.clone());
            let mut store = call::store(&inner.engine, loaded, prepared);
            let answering = delivery.deliver(&mut store, &event);
            let tail = || output.error_tail();
            let _used = inner.rehearsal.as_ref().map(|rehearsal| {
                call::TellUsage::of(Arc::clone(&rehearsal.world), Arc::clone(&signals))
            });
            let wall = Limit::DeliveryWall;
            let answer = call::bounded(loaded, &signals, wall, tail, answering).await?;
            answer.map_err(StepError::Failed)
        })
        .await
    }

    /// The runtime on which plugins run. Whoever makes many calls does well to spawn its own tasks there: a call from a task
    /// of this runtime goes on in that task, while one from elsewhere costs two changes of thread.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        self.0.lanes.quick()
    }

    /// Runs a call on the plugins' runtime, in a slot, while the engine ticks.
    async fn run<T, F, R>(&self, plugin: &Plugin, call: F) -> Result<T, StepError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Inner>, Plugin, Handle) -> R + Send + 'static,
        R: Future<Output = Result<T, StepError>> + Send + 'static,
    {
        let abandoned = |why: &str| StepError::Abandoned(why.to_owned());
        let slot = Arc::clone(&self.0.slots).acquire_owned().await;
        let slot = slot.map_err(|_| abandoned("the server is stopping"))?;
        let (inner, plugin, home) = (Arc::clone(&self.0), plugin.clone(), Handle::current());
        let is_at_home = home.id() == self.runtime().id();
        let lanes = Arc::clone(&self.0);
        let running = Box::pin(async move {
            let _slot = slot;
            let _ticking = inner.ticker.run();
            call(Arc::clone(&inner), plugin, home).await
        });
        let running = async move { lanes.lanes.run(running).await };
        // A call whose result nobody waits for any more is ended.
        let ended = if is_at_home {
            running.await
        } else {
            let spawned = AbortOnDrop(self.runtime().spawn(running));
            spawned.joined().await.and_then(std::convert::identity)
        };
        match ended {
            Ok(result) => result,
            Err(error) if error.is_panic() => {
                Err(abandoned("the host failed in the middle of a call"))
            }
            Err(_) => Err(abandoned("the server is stopping")),
        }
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
