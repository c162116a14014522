//! PostgreSQL servers of the tests' own: made in a temporary folder, reached by a Unix socket, gone with the test run.
//!
//! They run as the user `postgres` where the tests run as root, because PostgreSQL refuses to run as root. Each has a
//! watchman, a shell that waits for the end of its standard input: it stops the server and removes the folder also when
//! the tests are killed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A running server. Dropping it stops it.
pub struct Cluster {
    programs: PathBuf,
    dir: PathBuf,
    /// Its end is the watchman's sign.
    sign: Option<ChildStdin>,
    watchman: Child,
}

/// Settings for speed: what these databases hold need not outlive the machine.
const SETTINGS: &str = "fsync = off
full_page_writes = off
max_connections = 400
shared_buffers = 64MB
listen_addresses = ''
autovacuum_naptime = 10min
";

impl Cluster {
    /// One for all tests of a run; `None`, and a line that says so, where PostgreSQL is not installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// One that a test may stop and start.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            // Not by a macro: what those print is shown of failed tests only.
            let line = b"\nskipped: tests on PostgreSQL, because it is not installed (apt-get install postgresql)\n";
            std::io::stderr().write_all(line).unwrap();
            return None;
        };
        let dir = answer(&mut as_owner(
            "mktemp",
            &["-d", "-t", "orchestrator-pg-XXXXXX"],
        ));
        let dir = PathBuf::from(dir.trim());
        let data = dir.join("data").display().to_string();
        let initdb = programs.join("initdb").display().to_string();
        let options = ["-D", &data, "-A", "trust", "-U", "postgres", "-E", "UTF8"];
        answer(&mut as_owner(
            &initdb,
            &[&options[..], &["--no-locale", "-N"]].concat(),
        ));
        let settings = format!("{SETTINGS}unix_socket_directories = '{}'\n", dir.display());
        let append = format!("cat >> {data}/postgresql.conf");
        let mut writing = as_owner("sh", &["-c", &append]);
        let mut writing = writing.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = writing.stdin.take().unwrap();
        input.write_all(settings.as_bytes()).unwrap();
        drop(input);
        assert!(writing.wait().unwrap().success());
        let script = format!(
            "cat > /dev/null; {}/pg_ctl stop -s -m immediate -D {data}; rm -rf {}",
            programs.display(),
            dir.display()
        );
        // In a session of its own: what kills the tests by their process group does not reach it.
        let mut watchman = as_owner("setsid", &["sh", "-c", &script]);
        let mut watchman = watchman.stdin(Stdio::piped()).spawn().unwrap();
        let cluster = Self {
            programs,
            dir,
            sign: watchman.stdin.take(),
            watchman,
        };
        cluster.control(&["start", "-w"]);
        Some(cluster)
    }

    /// As if its machine had lost power, and up again at once.
    pub fn restart_hard(&self) {
        self.stop_hard();
        self.start_again();
    }

    /// As if its machine had lost power.
    pub fn stop_hard(&self) {
        self.control(&["stop", "-m", "immediate"]);
    }

    pub fn start_again(&self) {
        self.control(&["start", "-w"]);
    }

    fn control(&self, arguments: &[&str]) {
        let program = self.programs.join("pg_ctl").display().to_string();
        let data = self.dir.join("data").display().to_string();
        let log = self.dir.join("log").display().to_string();
        let own = ["-s", "-D", &data, "-l", &log];
        answer(&mut as_owner(&program, &[arguments, &own[..]].concat()));
    }

    /// The address of a schema of its own, made on first use: tests share one database, where making a schema is quick.
    pub fn fresh_url(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {schema}"));
        format!("{}&options[search_path]={schema}", self.url())
    }

    fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost/postgres?host={}",
            self.dir.display()
        )
    }

    fn sql(&self, statement: &str) {
        let program = self.programs.join("psql").display().to_string();
        let dir = self.dir.display().to_string();
        answer(&mut as_owner(
            &program,
            &["-q", "-h", &dir, "-c", statement],
        ));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.sign.take());
        let _ = self.watchman.wait();
    }
}

/// The folder of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/initdb").is_file())
        .max_by_key(|path| version(path))?;
    Some(newest.join("bin"))
}

/// The command as the user who owns the server.
fn as_owner(program: &str, arguments: &[&str]) -> Command {
    let is_root = answer(Command::new("id").arg("-u")).trim() == "0";
    let mut command = if is_root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command
        .args(arguments)
        .current_dir("/")
        .env_remove("TMPDIR");
    command
}

/// Runs it and returns what it prints. Its streams are files, because a server that it starts keeps them open.
fn answer(command: &mut Command) -> String {
    let mut out = tempfile::tempfile().unwrap();
    let err = out.try_clone().unwrap();
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(err);
    let status = command.status();
    let mut text = String::new();
    std::io::Seek::rewind(&mut out).unwrap();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    assert!(status.unwrap().success(), "{command:?}: {text}");
    text
}
