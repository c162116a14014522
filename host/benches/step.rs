//! What the host adds to a step: one step of the guest `noop` through [`Plugins`], against a bare wasmtime that does the
//! least for the same component (store, instance, call, drop). Both run in turns in one process, so that a noisy
//! machine troubles both alike; what counts is the ratio. The aim is at most 1.5.
//!
//! `cargo bench --bench step` prints medians and minima in microseconds, and the ratios.

use orchestrator::clock::Clock;
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId};
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::step::{Checkpoint, StepCall, StepContext};
use orchestrator::plugins::{
    BoxFuture, CompilerSettings, LogLevel, OutboundSettings, Plugin, PluginSettings, Plugins,
    SaveError, StepLimits, StepServices, TokenRefusal,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const ROUNDS: usize = 2_000;
const WARM_UP: usize = 200;

mod contract {
    wasmtime::component::bindgen!({
        path: ["../wit/types/v0.1", "../wit/host/v0.1", "../wit/task/v0.1"],
        world: "orchestrator:task/resumable-task@0.1.0",
        exports: { default: async },
    });
}

use contract::exports::orchestrator::task::task::Context;
use contract::orchestrator::host::{checkpoints, log};
use contract::orchestrator::task::types::Certainty;

fn main() -> Result<(), Failure> {
    let component = noop()?;
    let bare = Bare::new(&component)?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    drop(Plugins::open(settings(&dir), Clock::system())?);
    let start = Instant::now();
    let plugins = Plugins::open(settings(&dir), Clock::system())?;
    let second_start = start.elapsed();
    let plugin = plugins.add_component(&component)?;
    let runtime = plugins.runtime().clone();

    // Where the runner's tasks run as well.
    let measured = runtime.spawn(async move {
        let (mut bare_times, mut host_times) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS + WARM_UP {
            let bare_time = time(bare.step()).await?;
            let host_time = time(step(&plugins, &plugin)).await?;
            if round >= WARM_UP {
                bare_times.push(bare_time);
                host_times.push(host_time);
            }
        }
        Ok::<_, Failure>((bare_times, host_times))
    });
    let waiting = tokio::runtime::Builder::new_current_thread().build()?;
    let (bare_times, host_times) = waiting.block_on(measured)??;

    let (bare, host) = (Summary::of(bare_times), Summary::of(host_times));
    println!(
        "second start of the plugins: {:.1} ms",
        second_start.as_secs_f64() * 1e3
    );
    println!(
        "bare wasmtime    median {:>7.1} µs   minimum {:>7.1} µs",
        bare.median, bare.minimum
    );
    println!(
        "through the host median {:>7.1} µs   minimum {:>7.1} µs",
        host.median, host.minimum
    );
    println!(
        "ratio            median {:>7.2}      minimum {:>7.2}      (aim: at most 1.5)",
        host.median / bare.median,
        host.minimum / bare.minimum
    );
    Ok(())
}

fn noop() -> Result<Vec<u8>, Failure> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let guests = guest_build::build_guests(&workspace, &target)?;
    let noop = guests
        .iter()
        .find(|guest| guest.name == "noop")
        .ok_or("there is no guest noop")?;
    Ok(std::fs::read(&noop.component_path)?)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn time<T, E: Into<Failure>>(
    step: impl Future<Output = Result<T, E>>,
) -> Result<Duration, Failure> {
    let start = Instant::now();
    step.await.map_err(Into::into)?;
    Ok(start.elapsed())
}

/// In microseconds.
struct Summary {
    median: f64,
    minimum: f64,
}

impl Summary {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let micros =
            |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6);
        Self {
            median: micros(times.get(times.len() / 2)),
            minimum: micros(times.first()),
        }
    }
}

/// The least that runs the component: the same pooling, WASI linked, no limits.
struct Bare {
    engine: Engine,
    linked: contract::ResumableTaskPre<BareState>,
}

struct BareState {
    table: ResourceTable,
    wasi: WasiCtx,
}

impl Bare {
    fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(20)
            .total_stacks(20)
            .max_memory_size(128 << 20);
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        log::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state)?;
        checkpoints::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| {
            state
        })?;
        let linked: InstancePre<BareState> =
            linker.instantiate_pre(&Component::new(&engine, component)?)?;
        Ok(Self {
            linked: contract::ResumableTaskPre::new(linked)?,
            engine,
        })
    }

    async fn step(&self) -> wasmtime::Result<()> {
        let state = BareState {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().build(),
        };
        let mut store = Store::new(&self.engine, state);
        let plugin = self.linked.instantiate_async(&mut store).await?;
        let answered = plugin
            .orchestrator_task_task()
            .call_start(&mut store, &bare_context())
            .await?;
        answered
            .map(drop)
            .map_err(|failure| wasmtime::Error::msg(failure.message))
    }
}

impl WasiView for BareState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for BareState {
    fn write(&mut self, _: log::Level, _: String) {}
}

impl checkpoints::Host for BareState {
    fn save(&mut self, _: checkpoints::Checkpoint) -> Result<(), checkpoints::SaveError> {
        Ok(())
    }
}

fn bare_context() -> Context {
    Context {
        orchestration_id: 1,
        job_id: 12,
        run_id: "12.34".into(),
        task_id: "1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key".into(),
        certainty: Certainty::Fresh,
        component: Some("ex-db".into()),
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        parameters: "{}".into(),
        config: "{}".into(),
        remaining_ms: None,
        extra: Vec::new(),
    }
}

fn settings(dir: &Path) -> PluginSettings {
    PluginSettings {
        data_dir: dir.to_owned(),
        cache_key: [1; 32],
        concurrent_steps: 16,
        limits: StepLimits::default(),
        outbound: OutboundSettings::default(),
        compiler: CompilerSettings::default(),
        mail: None,
    }
}

async fn step(plugins: &Plugins, plugin: &Plugin) -> Result<(), orchestrator::plugins::StepError> {
    let context = StepContext {
        project_id: ProjectId(1),
        orchestration_id: OrchestrationId(1),
        job_id: JobId(12),
        task_run_id: TaskRunId(34),
        run_id: "12.34".into(),
        task_id: "1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key".into(),
        is_in_doubt: false,
        component: Some("ex-db".into()),
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        public_url: Some("https://orchestrator.example".into()),
        parameters: "{}".into(),
        config: "{}".into(),
        deadline: None,
    };
    plugins
        .run_step(plugin, context, StepCall::Start, Arc::new(Nothing))
        .await
        .map(drop)
}

/// A runner that is asked for nothing.
struct Nothing;

impl StepServices for Nothing {
    fn save_checkpoint(&self, _: Checkpoint) -> BoxFuture<'_, Result<(), SaveError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn mark_sent(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn token(&self) -> BoxFuture<'_, Result<String, TokenRefusal>> {
        let refusal = TokenRefusal::Unusable("there is none".to_owned());
        Box::pin(std::future::ready(Err(refusal)))
    }

    fn used(&self, _: Usage) {}

    fn log(&self, _: LogLevel, _: &str) {}
}
