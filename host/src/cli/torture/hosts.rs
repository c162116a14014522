//! The hosts under torture: child processes of this very executable, on one database, each with a data directory of its
//! own.
//!
//! A host that comes to its end without having been told to, or that says that it panicked, is noted. Dropping a host
//! kills it, suspended or not.

use super::proxy::{Proxy, Way};
use crate::clock::Clock;
use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a host may take to listen, and how long to stop when told to (it gives itself 20 s, and requests 10 s).
const LONGEST_START: Duration = Duration::from_secs(60);
const LONGEST_STOP: Duration = Duration::from_secs(45);
const GLANCE: Duration = Duration::from_millis(50);

/// What every host is given.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Name and value: what must not be seen among processes' arguments.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) work_dir: PathBuf,
}

/// One of the hosts, through its many lives.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) number: usize,
    installation: Installation,
    database_url: String,
    proxy: Option<Proxy>,
    clock: Clock,
    life: Mutex<Option<Life>>,
    /// Ends that nobody asked for.
    falls: Mutex<Vec<String>>,
}

/// One process.
#[derive(Debug)]
struct Life {
    child: Child,
    said: Arc<Mutex<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    base: Option<String>,
    panic: Option<String>,
}

impl Host {
    pub(super) fn new(
        number: usize,
        installation: Installation,
        database_url: &str,
        proxy: Option<Proxy>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let database_url = match &proxy {
            Some(proxy) => proxy.url(database_url)?,
            None => database_url.to_owned(),
        };
        Ok(Self {
            number,
            installation,
            database_url,
            proxy,
            clock,
            life: Mutex::default(),
            falls: Mutex::default(),
        })
    }

    /// Where its API is, while it has one.
    pub(super) fn base(&self) -> Option<String> {
        let life = self.lock();
        let said = life.as_ref()?.said.lock();
        said.unwrap_or_else(PoisonError::into_inner).base.clone()
    }

    pub(super) fn falls(&self) -> Vec<String> {
        self.falls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The file with all that it has said.
    pub(super) fn log_path(&self) -> PathBuf {
        self.installation
            .work_dir
            .join(format!("host-{}.log", self.number))
    }

    /// Starts it and waits until it listens. Where its database cannot be reached it ends at once, and is started again.
    ///
    /// # Errors
    /// It does not listen in time.
    pub(super) async fn start(&self) -> anyhow::Result<()> {
        let deadline = self.clock.now().plus(LONGEST_START);
        loop {
            *self.lock() = Some(self.spawn()?);
            while self.base().is_none() {
                if self.ended().is_some() {
                    break;
                }
                if self.clock.now() > deadline {
                    bail!(
                        "host {} did not listen within {LONGEST_START:?}: see {}",
                        self.number,
                        self.log_path().display()
                    );
                }
                self.clock.sleep(GLANCE).await;
            }
            if self.base().is_some() {
                return Ok(());
            }
            if self.clock.now() > deadline {
                bail!(
                    "host {} does not start: see {}",
                    self.number,
                    self.log_path().display()
                );
            }
            self.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    /// `kill -9`, also of a suspended one.
    pub(super) fn kill(&self) {
        self.note_a_fall();
        drop(self.lock().take());
    }

    /// SIGTERM, and its end.
    pub(super) async fn terminate(&self) {
        self.note_a_fall();
        self.signal(Signal::TERM);
        let deadline = self.clock.now().plus(LONGEST_STOP);
        let status = loop {
            if let Some(status) = self.ended() {
                break Some(status);
            }
            if self.clock.now() > deadline {
                break None;
            }
            self.clock.sleep(GLANCE).await;
        };
        match status {
            Some(status) if status.success() => {}
            Some(status) => self.fell(&format!("stopped with {status}")),
            None => self.fell(&format!("did not stop within {LONGEST_STOP:?}")),
        }
        drop(self.lock().take());
    }

    pub(super) fn suspend(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    pub(super) fn set_way(&self, way: Way) {
        if let Some(proxy) = &self.proxy {
            proxy.set(way);
        }
    }

    /// Notes whether it has come to its end without having been told to.
    pub(super) fn note_a_fall(&self) {
        let mut why = self
            .ended()
            .map(|status| format!("ended by itself with {status}"));
        if let Some(life) = self.lock().as_ref() {
            let said = life.said.lock().unwrap_or_else(PoisonError::into_inner);
            why = said.panic.clone().or(why.take());
        }
        if let Some(why) = why {
            drop(self.lock().take());
            self.fell(&why);
        }
    }

    fn fell(&self, why: &str) {
        let what = format!(
            "host {} {why} (see {})",
            self.number,
            self.log_path().display()
        );
        self.falls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what);
    }

    fn ended(&self) -> Option<ExitStatus> {
        let mut life = self.lock();
        life.as_mut()?.child.try_wait().ok().flatten()
    }

    fn signal(&self, signal: Signal) {
        let life = self.lock();
        let Some(life) = life.as_ref() else { return };
        // Nobody has waited for it yet, or its lock would be held: the number is still its own.
        if let Some(id) = i32::try_from(life.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Life>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> anyhow::Result<Life> {
        let installation = &self.installation;
        let data_dir = installation.work_dir.join(format!("host-{}", self.number));
        let mut child = Command::new(&installation.program)
            .arg("serve")
            .arg(format!("--data-dir={}", data_dir.display()))
            .arg("--listen=127.0.0.1:0")
            .args(&installation.arguments)
            .env_clear()
            .env("ORCHESTRATOR_DATABASE_URL", &self.database_url)
            .envs(
                installation
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("a host cannot be started")?;
        let said = Arc::<Mutex<Said>>::default();
        if let Some(stderr) = child.stderr.take() {
            let log = log_file(&self.log_path())?;
            let said = Arc::clone(&said);
            thread::spawn(move || listen_to(stderr, log, &said));
        }
        Ok(Life { child, said })
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_file(path: &Path) -> anyhow::Result<File> {
    let log = fs::OpenOptions::new().create(true).append(true).open(path);
    log.with_context(|| format!("cannot write {}", path.display()))
}

/// Reads what a host says to its end, keeps it, and picks out where it listens and whether it panicked.
fn listen_to(stderr: ChildStderr, mut log: File, said: &Mutex<Said>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        // A full disk costs the log, not the run.
        let _ = writeln!(log, "{line}");
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rest)) = line.split_once("listening on ") {
            said.base = rest.split_whitespace().next().map(str::to_owned);
        }
        if line.contains("panicked at") {
            said.panic = Some(line);
        }
    }
}
