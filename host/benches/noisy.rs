//! What a noisy project costs the others: the time from a job's creation until its first step runs, in a project of its
//! own, while another project has endless loops in all the steps that it may have at once, against the same without them.
//! One process with its database (SQLite), its runner and its plugins, as the server has them; quiet and noisy stretches
//! in turns. The median may rise by less than 20 %.
//!
//! `cargo bench --bench noisy` prints medians in milliseconds and the ratio. The machine may be noisy, too: where the bound
//! is broken all is measured once more, and the second measure counts. Ends with 1 where that breaks it as well.

use orchestrator::clock::{Clock, Random};
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId};
use orchestrator::domain::job::Initiator;
use orchestrator::lease::HostLease;
use orchestrator::metrics::Metrics;
use orchestrator::plugins::{
    CompilerSettings, OutboundSettings, PluginSettings, Plugins, StepLimits,
};
use orchestrator::registry::Registry;
use orchestrator::runner::{Runner, RunnerSettings, StepUses};
use orchestrator::store::{CreatedJob, NewJob, NewOrchestration, Store, TokenChoice};
use orchestrator::tokens::{Keys, Tokens};
use orchestrator::traces::Tracer;
use orchestrator::wake::{Pause, Stop, Wake};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tracing_subscriber::layer::{Context, SubscriberExt};

const MOST: f64 = 1.2;
/// Stretches of each kind, and jobs in each.
const ROUNDS: usize = 4;
const JOBS: usize = 30;
/// As the server's defaults.
const WORKERS: usize = 64;
const WORKERS_OF_A_PROJECT: usize = 32;
/// Computing time of each endless loop: all of them together take longer than a stretch.
const LOOP: Duration = Duration::from_millis(100);

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let (tell, told) = mpsc::unbounded_channel();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Starts(tell)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ratio = runtime.block_on(async {
        let mut installation = Installation::open(told).await?;
        let ratio = installation.measure().await?;
        if ratio < MOST {
            return Ok::<_, Failure>(ratio);
        }
        println!("  once more, which counts");
        installation.measure().await
    })?;
    runtime.shutdown_background();
    Ok(if ratio < MOST {
        ExitCode::SUCCESS
    } else {
        println!("the bound is broken");
        ExitCode::FAILURE
    })
}

/// Notes when a guest says its first word.
struct Starts(UnboundedSender<Instant>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Starts {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "plugin"
    }

    fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
        let _ = self.0.send(Instant::now());
    }
}

/// What a server has, but for the API.
struct Installation {
    store: Store,
    clock: Clock,
    runner: Wake,
    quiet: (ProjectId, OrchestrationId),
    noisy: (ProjectId, OrchestrationId),
    starts: UnboundedReceiver<Instant>,
    _dir: tempfile::TempDir,
}

impl Installation {
    async fn open(starts: UnboundedReceiver<Instant>) -> Result<Self, Failure> {
        let (clock, random, dir) = (Clock::system(), Random::system(), tempfile::tempdir()?);
        let store = Store::open(&Store::embedded_url(dir.path())).await?;
        let keys = Keys::load(None, dir.path(), &random)?;
        let tokens = Tokens::open(store.clone(), keys, clock.clone(), random).await?;
        let registry = Registry::new(store.clone(), plugins(&clock)?);
        share_guests(&registry, dir.path(), &clock).await?;
        let runner = Wake::default();
        let lease = HostLease::take(store.clone(), clock.clone(), true).await?;
        tokio::spawn({
            let (lease, runner) = (lease.clone(), runner.clone());
            async move { lease.keep(runner, Stop::default()).await }
        });
        tokio::spawn(
            Runner {
                store: store.clone(),
                tokens: tokens.clone(),
                plugins: registry.plugins().clone(),
                registry,
                lease,
                pause: Pause {
                    clock: clock.clone(),
                    wake: runner.clone(),
                    stop: Stop::default(),
                },
                notifier: Wake::default(),
                events: Wake::default(),
                used: StepUses::default(),
                metrics: Metrics::default(),
                tracer: Tracer::default(),
                settings: Arc::new(RunnerSettings {
                    workers: WORKERS,
                    project_workers: WORKERS_OF_A_PROJECT,
                    components_url: "https://components.example".into(),
                    public_url: None,
                    installation: "bench".into(),
                }),
            }
            .run(),
        );
        let speaks =
            r#"{"component": "many-host-calls", "actionParameters": {"what": "log", "calls": 1}}"#;
        let loops = r#"{"component": "never-returns", "phase": "all", "continueOnFailure": true}"#;
        Ok(Self {
            quiet: orchestration(&store, &tokens, &clock, &[speaks]).await?,
            noisy: orchestration(&store, &tokens, &clock, &[loops; WORKERS_OF_A_PROJECT]).await?,
            store,
            clock,
            runner,
            starts,
            _dir: dir,
        })
    }

    /// The noisy median over the quiet one.
    async fn measure(&mut self) -> Result<f64, Failure> {
        let (mut quiet, mut noisy) = (Vec::new(), Vec::new());
        // Warm.
        self.stretch().await?;
        for _ in 0..ROUNDS {
            quiet.extend(self.stretch().await?);
            let noise = self.create_job(self.noisy).await?;
            // Until the loops run.
            self.stretch().await?;
            noisy.extend(self.stretch().await?);
            if self.is_finished(self.noisy.0, noise).await? {
                return Err("the noise was over before the measure was".into());
            }
            self.finished(self.noisy.0, noise).await?;
        }
        let (quiet, noisy) = (median(quiet), median(noisy));
        let ratio = noisy / quiet;
        println!(
            "  from a job's creation to its first step   quiet {quiet:.2} ms   beside endless loops {noisy:.2} ms   ratio {ratio:.2} (less than {MOST})"
        );
        Ok(ratio)
    }

    /// Jobs one after another.
    async fn stretch(&mut self) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::with_capacity(JOBS);
        for _ in 0..JOBS {
            let created = Instant::now();
            let job = self.create_job(self.quiet).await?;
            let started = self.starts.recv().await.ok_or("nobody listens")?;
            times.push(started.duration_since(created));
            self.finished(self.quiet.0, job).await?;
        }
        Ok(times)
    }

    async fn create_job(
        &self,
        (project, of): (ProjectId, OrchestrationId),
    ) -> Result<JobId, Failure> {
        let new = NewJob {
            project_id: project,
            orchestration_id: of,
            initialized_by: Initiator::Manually,
            initiator: None,
            notifications_emails: None,
            tasks: None,
            parent_run_id: None,
            trace: None,
        };
        let created = self.store.create_job(new, self.clock.now()).await?;
        self.runner.poke();
        match created {
            CreatedJob::Created(job) => Ok(job.id),
            other => Err(format!("no job: {other:?}").into()),
        }
    }

    async fn is_finished(&self, project: ProjectId, job: JobId) -> Result<bool, Failure> {
        let job = self.store.read_job(project, job).await?;
        Ok(job.ok_or("the job is gone")?.status.is_finished())
    }

    async fn finished(&self, project: ProjectId, job: JobId) -> Result<(), Failure> {
        while !self.is_finished(project, job).await? {
            self.clock.sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

fn plugins(clock: &Clock) -> Result<Plugins, Failure> {
    let settings = PluginSettings {
        data_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-noisy"),
        cache_key: [7; 32],
        concurrent_steps: WORKERS + 32,
        limits: StepLimits {
            cpu: LOOP,
            ..StepLimits::default()
        },
        outbound: OutboundSettings::default(),
        compiler: CompilerSettings::default(),
        mail: None,
    };
    Ok(Plugins::open(settings, clock.clone())?)
}

/// Lets every project have the test guests that compute and that speak.
async fn share_guests(registry: &Registry, dir: &Path, clock: &Clock) -> Result<(), Failure> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let folder = dir.join("shared");
    std::fs::create_dir(&folder)?;
    for guest in guest_build::build_guests(&workspace, &target)? {
        if ["never-returns", "many-host-calls"].contains(&guest.name.as_str()) {
            // Compiled here: this is not the server's executable.
            registry
                .plugins()
                .add_component(&std::fs::read(&guest.component_path)?)?;
            let to = folder.join(format!("{}.wasm", guest.name));
            std::fs::copy(&guest.component_path, to)?;
        }
    }
    registry.share_folder(&folder, clock.now()).await?;
    Ok(())
}

/// In a project of its own.
async fn orchestration(
    store: &Store,
    tokens: &Tokens,
    clock: &Clock,
    tasks: &[&str],
) -> Result<(ProjectId, OrchestrationId), Failure> {
    let token = || tokens.new_token("bench".into(), None);
    let project = store
        .create_project("bench".into(), token()?, clock.now())
        .await?;
    let defaults = r#"{"id": "", "actionParameters": {}, "timeoutMinutes": null, "active": true, "continueOnFailure": false, "phase": null}"#;
    let tasks = tasks.iter().map(|task| {
        let mut whole: serde_json::Map<String, serde_json::Value> = serde_json::from_str(defaults)?;
        whole.extend(serde_json::from_str::<serde_json::Map<_, _>>(task)?);
        serde_json::from_value(whole.into())
    });
    let new = NewOrchestration {
        project_id: project,
        name: "bench".into(),
        crontab_record: None,
        active: true,
        token: TokenChoice::Make(token()?),
        tasks: tasks.collect::<Result<_, serde_json::Error>>()?,
        notifications: Vec::new(),
    };
    let made = store.create_orchestration(new, clock.now()).await?;
    Ok((project, made.ok_or("its token exists")?.id))
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    let middle = times.get(times.len() / 2);
    middle.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
