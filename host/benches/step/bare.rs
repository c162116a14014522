//! The least that runs a component: the same pooling, WASI linked, no limits. The templates of JavaScript and Python import
//! the network, too; the guests measured here do not call it.

use wasmtime::component::{Component, HasSelf, InstancePre, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

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

pub struct Bare {
    engine: Engine,
    linked: contract::ResumableTaskPre<State>,
}

pub struct State {
    table: ResourceTable,
    wasi: WasiCtx,
}

/// An instance and all that it holds.
pub struct Instance {
    _store: Store<State>,
    _plugin: contract::ResumableTask,
}

impl Bare {
    /// With room for so many instances at once.
    pub fn new(component: &[u8], instances: u32) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(32))
            .max_core_instances_per_component(32)
            .total_memories(instances.saturating_mul(2))
            .max_memories_per_component(2)
            .total_tables(instances.saturating_mul(8))
            .max_tables_per_component(8)
            .total_stacks(instances)
            .table_elements(100_000)
            .max_memory_size(128 << 20);
        let mut config = Config::new();
        config
            .concurrency_support(false)
            .memory_reservation(128 << 20)
            .memory_guard_size(64 << 10)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        log::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        checkpoints::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        let mut http = linker.instance("orchestrator:host/http@0.1.0")?;
        http.func_new("send", |_, _, _, _| Err(wasmtime::Error::msg("no network")))?;
        let mut credentials = linker.instance("orchestrator:host/credentials@0.1.0")?;
        credentials.func_new("sign", |_, _, _, _| Err(wasmtime::Error::msg("no keys")))?;
        let linked: InstancePre<State> = linker.instantiate_pre(&component)?;
        Ok(Self {
            linked: contract::ResumableTaskPre::new(linked)?,
            engine,
        })
    }

    /// Store, instance, call, drop.
    pub async fn step(&self) -> wasmtime::Result<()> {
        self.hold().await.map(drop)
    }

    /// An instance that has run its first step and stays.
    pub async fn hold(&self) -> wasmtime::Result<Instance> {
        let mut store = self.store();
        let plugin = self.linked.instantiate_async(&mut store).await?;
        let task = plugin.orchestrator_task_task();
        let answered = task.call_start(&mut store, &context()).await?;
        answered.map_err(|failure| wasmtime::Error::msg(failure.message))?;
        Ok(Instance {
            _store: store,
            _plugin: plugin,
        })
    }

    fn store(&self) -> Store<State> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().build(),
        };
        Store::new(&self.engine, state)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for State {
    fn write(&mut self, _: log::Level, _: String) {}
}

impl checkpoints::Host for State {
    fn save(&mut self, _: checkpoints::Checkpoint) -> Result<(), checkpoints::SaveError> {
        Ok(())
    }
}

fn context() -> Context {
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
