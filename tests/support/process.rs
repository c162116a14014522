//! The server as a process: started as a user starts it, stopped or killed for real.

use super::client::Client;
use demo_components::DemoServer;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Longer than anything here takes on a busy machine: bounds a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const MASTER: &str = "master-token-of-the-process";

/// A data directory and what every start on it is given.
pub struct Installation {
    pub dir: TempDir,
    settings: Vec<String>,
}

impl Installation {
    /// Calls components at `demo` and trusts it.
    pub fn new(demo: &DemoServer) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let ca = dir.path().join("ca.pem");
        fs::write(&ca, demo.ca_pem()).expect("written");
        let settings = [
            format!("--components-url={}", demo.base_url()),
            "--outbound-allow=127.0.0.1/32".to_owned(),
            format!("--outbound-ca={}", ca.display()),
        ];
        Self {
            dir,
            settings: settings.to_vec(),
        }
    }

    /// Trusts nobody beyond what the whole world trusts.
    pub fn trusting_nobody() -> Self {
        Self {
            dir: tempfile::tempdir().expect("temporary directory"),
            settings: vec!["--components-url=https://components.example".to_owned()],
        }
    }

    /// For hosts that share a database: each has a data directory of its own, and all have the same key.
    pub fn shared(demo: &DemoServer, database_url: &str) -> Self {
        let installation = Self::new(demo);
        let file = installation.dir.path().join("shared.toml");
        let key = "5a".repeat(32);
        let text = format!("database-url = '{database_url}'\nmaster-key = '{key}'\n");
        fs::write(&file, text).expect("written");
        installation.with(format!("--config={}", file.display()))
    }

    /// The same with one more setting, such as `--workers=1`.
    pub fn with(mut self, setting: String) -> Self {
        self.settings.push(setting);
        self
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub async fn start(&self) -> Process {
        self.start_in(&self.data_dir()).await
    }

    /// One that a full disk can be played to: the limit of its files' size is an error to it, and no signal.
    pub async fn start_with_limits(&self) -> Process {
        let plain = command(&self.arguments(&self.data_dir()));
        let mut limited = Command::new("/usr/bin/env");
        limited
            .arg("--ignore-signal=XFSZ")
            .arg(plain.get_program())
            .args(plain.get_args())
            .env_clear()
            .envs(
                plain
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Process::start(limited).await
    }

    /// One of several hosts.
    pub async fn start_host(&self, number: usize) -> Process {
        let data_dir = self.dir.path().join(format!("host-{number}"));
        self.start_in(&data_dir).await
    }

    /// One of several hosts, of which each does its part.
    pub async fn start_host_as(&self, number: usize, roles: &str) -> Process {
        let data_dir = self.dir.path().join(format!("host-{number}"));
        let roles = format!("--roles={roles}");
        self.start_with(&data_dir, Some(roles)).await
    }

    async fn start_in(&self, data_dir: &Path) -> Process {
        self.start_with(data_dir, None).await
    }

    async fn start_with(&self, data_dir: &Path, setting: Option<String>) -> Process {
        let mut arguments = self.arguments(data_dir);
        arguments.extend(setting);
        Process::start(command(&arguments)).await
    }

    fn arguments(&self, data_dir: &Path) -> Vec<String> {
        let data_dir = format!("--data-dir={}", data_dir.display());
        let mut arguments = vec![
            "serve".to_owned(),
            data_dir,
            "--listen=127.0.0.1:0".to_owned(),
        ];
        arguments.extend(self.settings.iter().cloned());
        arguments
    }
}

/// The command with these arguments and a clean environment.
pub fn command(arguments: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server-under-test"));
    command
        .args(arguments)
        .env_clear()
        .env("ORCHESTRATOR_MASTER_TOKEN", MASTER)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running server; dropping it kills it.
pub struct Process {
    child: Child,
    pub base: String,
    log: watch::Receiver<String>,
}

impl Process {
    /// Waits until it listens.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("started");
        let (sender, mut log) = watch::channel(String::new());
        collect(child.stderr.take().expect("piped"), sender.clone());
        collect(child.stdout.take().expect("piped"), sender);
        let listening = log.wait_for(|text| address(text).is_some());
        let Ok(Ok(text)) = timeout(PATIENCE, listening).await else {
            panic!("the server did not start: {}", *log.borrow());
        };
        let base = address(&text).expect("just seen");
        drop(text);
        Self { child, base, log }
    }

    pub fn client(&self) -> Client {
        Client::new(self.base.clone(), Some(MASTER.to_owned()))
    }

    /// What it has printed so far, both streams.
    pub fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// What follows these words on their line, once they were printed.
    pub async fn has_said(&self, words: &str) -> String {
        until(words, || {
            let log = self.log();
            let line = log
                .split_once(words)
                .and_then(|(_, rest)| rest.split_once('\n'));
            std::future::ready(line.map(|(line, _)| line.to_owned()).ok_or(log.clone()))
        })
        .await
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("waited").is_none()
    }

    /// `kill -9`: no farewell.
    pub fn kill(self) {
        drop(self);
    }

    /// Such as `STOP`, which suspends it until a `CONT`.
    pub fn signal(&self, name: &str) {
        let (signal, id) = (format!("-{name}"), self.child.id().to_string());
        let told = Command::new("kill").args([signal, id]).status();
        assert!(told.expect("kill").success());
    }

    /// No file of it may grow beyond this; `unlimited` takes the limit away.
    pub fn limit_files(&self, bytes: &str) {
        let (pid, size) = (
            self.child.id().to_string(),
            format!("--fsize={bytes}:unlimited"),
        );
        let told = Command::new("prlimit")
            .args(["--pid", &pid, &size])
            .status();
        assert!(told.expect("prlimit").success());
    }

    /// SIGTERM, and the end.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        until("the server to stop", || {
            let ended = self.child.try_wait().expect("waited");
            std::future::ready(ended.ok_or_else(|| "it runs".to_owned()))
        })
        .await
    }

    /// Waits until the job satisfies `enough`.
    pub async fn job_when(&self, id: &Value, what: &str, enough: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/jobs/{id}");
        let client = self.client();
        until(what, || async {
            let job = client.get(&path).await.expect(200);
            if enough(&job) {
                Ok(job)
            } else {
                Err(job.to_string())
            }
        })
        .await
    }

    pub async fn finished(&self, id: &Value) -> Value {
        self.job_when(id, "the job to finish", |job| job["isFinished"] == true)
            .await
    }

    /// Creates an orchestration of these tasks and runs it by hand; returns the job's id.
    pub async fn run(&self, orchestration: Value) -> Value {
        let client = self.client();
        let made = client
            .post("/orchestrations", orchestration)
            .await
            .expect(201);
        let path = format!("/orchestrations/{}/jobs", made["id"]);
        client.post(&path, serde_json::json!({})).await.expect(201)["id"].clone()
    }
}

/// Asks again and again until the answer is Ok; panics with the last Err when patience is over.
pub async fn until<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    until_within(PATIENCE, what, ask).await
}

pub async fn until_within<T, F>(patience: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + patience;
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match ask().await {
            Ok(answer) => return answer,
            Err(last) if Instant::now() > deadline => {
                panic!("waited {patience:?} for {what}; last: {last}")
            }
            Err(_) => {}
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that ends by itself.
pub async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("run"))
        .await
        .expect("ended")
}

/// Reads a stream to its end, on a thread of its own.
fn collect(stream: impl Read + Send + 'static, log: watch::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            log.send_modify(|text| {
                text.push_str(&line);
                text.push('\n');
            });
        }
    });
}

/// From the line that says where the server listens.
fn address(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on ")?;
    let end = rest.find([' ', '"', '\n', '\u{1b}'])?;
    Some(rest[..end].to_owned())
}

/// Every file below a folder with its bytes.
pub fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            files.push((path, bytes));
        }
    }
    files
}
