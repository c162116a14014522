//! The server as a process: started as a user starts it, with the defaults, and what the kernel says of it.

use crate::Failure;
use crate::database::Database;
use crate::http::Client;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const MASTER: &str = "master-token-of-the-load-bench";

/// A data directory and a database; servers are started on it one after another.
pub struct Installation {
    dir: TempDir,
    /// Of the database.
    pub url: String,
}

/// A running server; dropping it kills it.
pub struct Server {
    child: Child,
    /// Host and port.
    pub address: String,
    /// From its start to the line that it listens.
    pub took: Duration,
}

impl Installation {
    /// The guest `noop` is shared with its projects as a task type.
    pub fn new(database: &Database, noop: &[u8]) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("shared"))?;
        fs::write(dir.path().join("shared/noop.wasm"), noop)?;
        let url = database.fresh_url(&dir.path().join("data"));
        Ok(Self { dir, url })
    }

    pub fn start(&self) -> Result<Server, Failure> {
        let dir = self.dir.path();
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(["serve", "--listen=127.0.0.1:0"])
            .arg(format!("--data-dir={}", dir.join("data").display()))
            .arg(format!("--shared-plugins={}", dir.join("shared").display()))
            .env_clear()
            .env("ORCHESTRATOR_MASTER_TOKEN", MASTER)
            .env("ORCHESTRATOR_DATABASE_URL", &self.url)
            // However many requests the load is.
            .env("ORCHESTRATOR_TOKEN_RATE", "0")
            .env("ORCHESTRATOR_ADDRESS_RATE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no log")?);
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if log.read_line(&mut line)? == 0 {
                return Err(format!("the server did not start: {said}").into());
            }
            if let Some((_, address)) = line.split_once("listening on http://") {
                let end = address.find(|c: char| c.is_whitespace() || c == '\u{1b}');
                break address[..end.unwrap_or(address.len())].to_owned();
            }
            said.push_str(&line);
        };
        let took = begun.elapsed();
        // Warnings are shown: a run that makes any measures something else.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if line.contains("WARN") || line.contains("ERROR") {
                    println!("    {line}");
                }
            }
        });
        Ok(Server {
            child,
            address,
            took,
        })
    }
}

impl Server {
    pub async fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.address).await
    }

    /// Resident memory, in bytes.
    pub fn memory(&self) -> Result<u64, Failure> {
        self.status("VmRSS:")
    }

    /// The most resident memory since its start, in bytes.
    pub fn peak_memory(&self) -> Result<u64, Failure> {
        self.status("VmHWM:")
    }

    /// Computing time of all its threads.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(')').ok_or("no name in stat")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        // Hundredths of a second, whatever the machine.
        Ok(Duration::from_millis(ticks * 10))
    }

    fn status(&self, key: &str) -> Result<u64, Failure> {
        status_of(Path::new(&format!("/proc/{}/status", self.child.id())), key)
    }

    /// Stops it in order.
    pub fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        self.child.wait()?;
        Ok(())
    }
}

/// A value of a process's status, in bytes.
pub fn status_of(file: &Path, key: &str) -> Result<u64, Failure> {
    let status = fs::read_to_string(file)?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
    Ok(kilobytes.ok_or("no such value")?.parse::<u64>()? * 1024)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
