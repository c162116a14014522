//! The WebAssembly engine and its ticking.
//!
//! Instances come from a pool where the address space allows it: taking one is then a matter of microseconds. Nothing of a
//! slot stays resident after its instance is gone. The pool is larger than the number of steps that may run at once, so
//! that it never runs out.

use super::error::PluginError;
use super::remedy::{FIXED, Limit, Sayings};
use super::settings::{PluginSettings, StepLimits};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often computing plugins are looked at.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Core instances, memories and tables of one component. Rust needs 4, 1 and 2; JavaScript and Python somewhat more.
pub(super) const MOST_CORE_INSTANCES: u32 = 32;
pub(super) const MOST_MEMORIES: u32 = 2;
pub(super) const MOST_TABLES: u32 = 8;
pub(super) const MOST_TABLE_ELEMENTS: usize = 100_000;
/// The engine's own stack of one call, which is not the one in a guest's memory.
pub(super) const MOST_STACK_BYTES: usize = 512 << 10;

/// What the engine refused a component for, where that is the number or size of its parts; reads on from the plugin's
/// name. The engine has no other way to say so than its words: a pool refuses the whole component, without one each
/// instance is counted as it is made.
pub(super) fn too_many_parts(said: &str) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let (most, what, limit) = if has(&["core module instances", "instance count too high"]) {
        (u64::from(MOST_CORE_INSTANCES), "core instances", "instance")
    } else if has(&["linear memories", "memories count", "memory count too high"]) {
        (u64::from(MOST_MEMORIES), "memories", "memory count")
    } else if has(&[" tables, which", "tables count", "table count too high"]) {
        (u64::from(MOST_TABLES), "tables", "table count")
    } else if has(&["minimum element size", "initial table size"]) {
        let most = u64::try_from(MOST_TABLE_ELEMENTS).unwrap_or(u64::MAX);
        (most, "elements in a table", "table")
    } else if has(&["memory has a minimum byte size"]) {
        let raise = Sayings::default().remedy(Limit::Memory, &StepLimits::default());
        return Some(format!(
            "begins with more memory than a call may have ({raise}): {said}"
        ));
    } else if has(&["component instance size", "exceeds the configured maximum"]) {
        return Some(format!(
            "has instances that take too much of the engine's own memory ({FIXED}): {said}"
        ));
    } else {
        return None;
    };
    Some(format!(
        "is made of more than {most} {what}, the {limit} limit ({FIXED})"
    ))
}

pub(super) fn build(settings: &PluginSettings) -> Result<Engine, PluginError> {
    let steps = u32::try_from(settings.concurrent_steps.max(1)).unwrap_or(u32::MAX);
    let memory_bytes = settings.limits.memory_bytes;
    // An instance that has just been dropped may still hold its slot.
    let pooled =
        Engine::new(config().allocation_strategy(pool(steps.saturating_add(4), memory_bytes)));
    match pooled {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(%error, "no pool for plugin instances: each step allocates its own memory");
            Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand))
                .map_err(|error| PluginError::Engine(format!("{error:#}")))
        }
    }
}

/// An engine whose code runs in the engine of [`build`], and that holds no memory for instances.
pub(super) fn build_for_compiling() -> Result<Engine, PluginError> {
    Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand))
        .map_err(|error| PluginError::Engine(format!("{error:#}")))
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(MOST_STACK_BYTES)
        .concurrency_support(false)
        .wasm_memory64(false);
    config
}

fn pool(steps: u32, memory_bytes: usize) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(steps)
        .total_core_instances(steps.saturating_mul(MOST_CORE_INSTANCES))
        .max_core_instances_per_component(MOST_CORE_INSTANCES)
        .total_memories(steps.saturating_mul(MOST_MEMORIES))
        .max_memories_per_component(MOST_MEMORIES)
        .total_tables(steps.saturating_mul(MOST_TABLES))
        .max_tables_per_component(MOST_TABLES)
        .total_stacks(steps)
        .table_elements(MOST_TABLE_ELEMENTS)
        .max_memory_size(memory_bytes)
        .linear_memory_keep_resident(0)
        .table_keep_resident(0)
        .async_stack_keep_resident(0);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Advances the engine's epoch every [`TICK`] while something runs, and sleeps while nothing does.
pub(super) struct Ticker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    running: usize,
    /// The thread sleeps until it is woken. Only then is it: steps that follow closely upon one another cost no wake-up.
    is_parked: bool,
    is_closed: bool,
}

/// As long as one of these lives, the engine ticks.
pub(super) struct Ticking(Arc<Shared>);

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Result<Self, PluginError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                running: 0,
                is_parked: false,
                is_closed: false,
            }),
            changed: Condvar::new(),
        });
        let (ticking, engine) = (Arc::clone(&shared), engine.weak());
        thread::Builder::new()
            .name("plugin-ticks".to_owned())
            .spawn(move || ticking.tick(&engine))
            .map_err(PluginError::Runtime)?;
        Ok(Self { shared })
    }

    pub(super) fn run(&self) -> Ticking {
        self.shared.update(|state| state.running += 1);
        Ticking(Arc::clone(&self.shared))
    }
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.is_parked && (state.running > 0 || state.is_closed) {
            state.is_parked = false;
            self.changed.notify_one();
        }
    }

    fn tick(&self, engine: &EngineWeak) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.is_closed {
            if state.running == 0 {
                state.is_parked = true;
                while state.is_parked {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                continue;
            }
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        }
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0
            .update(|state| state.running = state.running.saturating_sub(1));
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.update(|state| state.is_closed = true);
    }
}
