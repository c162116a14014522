//! What the host adds to a step: one step of a guest that ends at once through [`Plugins`], against a bare wasmtime that does the
//! least for the same component (store, instance, call, drop), in Rust, JavaScript and Python; and a step that makes one HTTP
//! call, against a client that makes it alone. What is compared runs in turns in one process, so that a noisy machine troubles
//! both alike; what counts is the ratio. The aims are at most 1.3, and 3 with the call.
//!
//! `cargo bench --bench step` prints medians and minima in microseconds, and the ratios. A language whose tools are not
//! installed is left out, with a line that begins with `skipped:`.

mod bare;
mod guests;
mod request;

use bare::Bare;
use guests::Guest;
use orchestrator::clock::Clock;
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId};
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::step::{Checkpoint, Step, StepCall, StepContext};
use orchestrator::plugins::{
    BoxFuture, CompilerSettings, LogLevel, OutboundSettings, Plugin, PluginSettings, Plugins,
    SaveError, StepError, StepLimits, StepServices, TokenRefusal,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most that the host may cost, against the bare runtime.
const MOST: f64 = 1.3;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    drop(Plugins::open(settings(&dir), Clock::system())?);
    let start = Instant::now();
    let plugins = Plugins::open(settings(&dir), Clock::system())?;
    println!(
        "second start of the plugins: {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    for guest in guests::all()? {
        measure(&plugins, &guest)?;
    }
    request::measure(&dir)
}

fn measure(plugins: &Plugins, guest: &Guest) -> Result<(), Failure> {
    let bare = Bare::new(&guest.component, 20)?;
    let step = HostStep {
        parameters: "{}".into(),
        plugins: plugins.clone(),
        plugin: plugins.add_component(&guest.component)?,
    };
    let (rounds, warm_up) = (guest.rounds, guest.rounds / 10);
    // Where the runner's tasks run as well.
    let measured = plugins.runtime().spawn(async move {
        let (mut bare_times, mut host_times) = (Vec::new(), Vec::new());
        for round in 0..rounds + warm_up {
            let bare_time = time(bare.step()).await?;
            let host_time = time(step.run()).await?;
            if round >= warm_up {
                bare_times.push(bare_time);
                host_times.push(host_time);
            }
        }
        Ok::<_, Failure>((bare_times, host_times))
    });
    let waiting = tokio::runtime::Builder::new_current_thread().build()?;
    let (bare_times, host_times) = waiting.block_on(measured)??;
    println!(
        "a step that ends at once, in {} ({:.1} MB)",
        guest.language,
        guest.component.len() as f64 / 1e6
    );
    Summary::of(host_times).print_against(&Summary::of(bare_times), "bare wasmtime", MOST);
    Ok(())
}

/// A step through the host.
struct HostStep {
    plugins: Plugins,
    plugin: Plugin,
    /// JSON object.
    parameters: String,
}

impl HostStep {
    /// An outcome other than success is a failure of the benchmark.
    async fn run(&self) -> Result<(), Failure> {
        let context = context(&self.parameters);
        let (call, services) = (StepCall::Start, Arc::new(Nothing));
        let run = self.plugins.run_step(&self.plugin, context, call, services);
        match run.await {
            Ok(Step::Done(outcome)) if outcome.summary.is_empty() => Ok(()),
            Ok(other) => Err(format!("{other:?}").into()),
            Err(StepError::Failed(failure)) => Err(failure.message.into()),
            Err(StepError::Abandoned(why)) => Err(why.into()),
        }
    }
}

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

    fn print_against(&self, baseline: &Self, name: &str, most: f64) {
        for (name, times) in [(name, baseline), ("through the host", self)] {
            println!(
                "  {name:<16} median {:>8.1} µs   minimum {:>8.1} µs",
                times.median, times.minimum
            );
        }
        println!(
            "  ratio            median {:>8.2}      minimum {:>8.2}      (aim: at most {most})",
            self.median / baseline.median,
            self.minimum / baseline.minimum
        );
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

fn context(parameters: &str) -> StepContext {
    StepContext {
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
        parameters: parameters.to_owned(),
        config: "{}".into(),
        deadline: None,
    }
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
