//! Plugins as the runner has them, and a stand-in for the runner that notes what is asked of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use demo_components::{Certificates, DemoServer, Options};
use orchestrator::clock::Clock;
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId, TaskRunId};
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::step::{Checkpoint, Failure, Step, StepCall, StepContext};
use orchestrator::domain::time::Timestamp;
use orchestrator::plugins::{
    BoxFuture, CompilerSettings, LogLevel, OutboundSettings, PluginSettings, Plugins, SaveError,
    StepError, StepLimits, StepServices, TokenRefusal,
};
use serde_json::Value;

use super::guests::guest;

pub const TOKEN: &str = "123-45678-abcdefghijklmnop";
pub const NOW: Timestamp = Timestamp(1_750_000_000_000_000);

/// Small enough that a test meets them at once.
pub fn limits() -> StepLimits {
    StepLimits {
        cpu: Duration::from_millis(300),
        wall: Duration::from_secs(20),
        delivery_wall: Duration::from_secs(20),
        cancel_wall: Duration::from_millis(300),
        memory_bytes: 32 << 20,
        log_bytes: 8 << 10,
        response_bytes: 128 << 10,
        http_response_bytes: 256 << 10,
        ..StepLimits::default()
    }
}

/// One authority for all demo servers of the tests, so that plugins opened early trust one that is started late.
pub fn certificates() -> Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES
        .get_or_init(|| Certificates::generate().expect("certificates"))
        .clone()
}

pub async fn demo() -> DemoServer {
    let options = Options {
        certificates: Some(certificates()),
        ..Options::default()
    };
    DemoServer::start(options).await.expect("a demo server")
}

/// A folder that all tests compile into, so that each component is compiled once.
fn shared_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("plugins")
}

pub fn settings() -> PluginSettings {
    PluginSettings {
        data_dir: shared_dir(),
        cache_key: [7; 32],
        concurrent_steps: 16,
        limits: limits(),
        outbound: OutboundSettings {
            allow: vec!["127.0.0.1/32".parse().expect("an address")],
            extra_ca_pem: Some(certificates().ca_pem().as_bytes().to_vec()),
            connect_timeout: Duration::from_secs(5),
        },
        compiler: compiler(),
        mail: None,
    }
}

/// Whoever runs the tests is not the server: it has a binary of its own.
pub fn compiler() -> CompilerSettings {
    CompilerSettings {
        executable: Some(env!("CARGO_BIN_EXE_server-under-test").into()),
        ..CompilerSettings::default()
    }
}

pub fn open(settings: PluginSettings) -> Plugins {
    Plugins::open(settings, Clock::manual(NOW)).expect("plugins")
}

/// The plugins with [`settings`], shared by the tests that change none of them.
pub fn plugins() -> &'static Plugins {
    static PLUGINS: OnceLock<Plugins> = OnceLock::new();
    PLUGINS.get_or_init(|| open(settings()))
}

pub fn context(parameters: &Value) -> StepContext {
    StepContext {
        project_id: ProjectId(1),
        orchestration_id: OrchestrationId(5),
        job_id: JobId(12),
        task_run_id: TaskRunId(34),
        run_id: "12.34".into(),
        task_id: "1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key-34".into(),
        is_in_doubt: false,
        component: None,
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        public_url: None,
        parameters: parameters.to_string(),
        config: "{}".into(),
        deadline: None,
    }
}

/// Runs one step of a guest with the shared plugins.
pub async fn start(name: &str, parameters: &Value) -> Result<Step, StepError> {
    start_with(
        plugins(),
        name,
        context(parameters),
        &Arc::new(Recorder::default()),
    )
    .await
}

pub async fn start_with(
    plugins: &Plugins,
    name: &str,
    context: StepContext,
    recorder: &Arc<Recorder>,
) -> Result<Step, StepError> {
    run(plugins, name, context, StepCall::Start, recorder).await
}

pub async fn run(
    plugins: &Plugins,
    name: &str,
    context: StepContext,
    call: StepCall,
    recorder: &Arc<Recorder>,
) -> Result<Step, StepError> {
    let plugin = plugins.add_component(guest(name)).expect("a valid guest");
    plugins
        .run_step(&plugin, context, call, recorder.clone())
        .await
}

/// The failure of a step that was expected to fail.
pub fn failure(result: Result<Step, StepError>) -> Failure {
    match result {
        Err(StepError::Failed(failure)) => failure,
        other => panic!("not a failure: {other:?}"),
    }
}

/// The response of a step that was expected to end well.
pub fn response(result: Result<Step, StepError>) -> Value {
    match result {
        Ok(Step::Done(outcome)) => outcome.response.map_or(Value::Null, |json| {
            serde_json::from_str(&json).expect("JSON")
        }),
        other => panic!("not done: {other:?}"),
    }
}

/// The runner's stand-in: grants what its fields say and notes what it was asked.
#[derive(Debug)]
pub struct Recorder {
    pub token: Result<String, TokenRefusal>,
    pub save: Result<(), SaveError>,
    pub mark: Result<(), String>,
    pub noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
pub struct Noted {
    pub saved: Vec<Checkpoint>,
    pub marks: usize,
    pub tokens: usize,
    pub used: Vec<Usage>,
    pub lines: Vec<(LogLevel, String)>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            token: Ok(TOKEN.to_owned()),
            save: Ok(()),
            mark: Ok(()),
            noted: Mutex::default(),
        }
    }
}

impl Recorder {
    pub fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().expect("unpoisoned")
    }
}

impl StepServices for Recorder {
    fn save_checkpoint(&self, state: Checkpoint) -> BoxFuture<'_, Result<(), SaveError>> {
        self.noted().saved.push(state);
        Box::pin(async { self.save.clone() })
    }

    fn mark_sent(&self) -> BoxFuture<'_, Result<(), String>> {
        self.noted().marks += 1;
        Box::pin(async { self.mark.clone() })
    }

    fn token(&self) -> BoxFuture<'_, Result<String, TokenRefusal>> {
        self.noted().tokens += 1;
        Box::pin(async { self.token.clone() })
    }

    fn used(&self, usage: Usage) {
        self.noted().used.push(usage);
    }

    fn log(&self, level: LogLevel, line: &str) {
        self.noted().lines.push((level, line.to_owned()));
    }
}
