//! Compilation of components that come from outside: in a child process with limits of its own.
//!
//! A component is validated by compiling it, and what a stranger hands to a compiler may want any amount of memory and
//! time. So the server calls its own executable with `compile-plugin`: bytes in, machine code out, nothing else, in an
//! empty environment. The child limits itself before it reads, and the parent does not wait for longer. What was built
//! with the server is compiled in the server.

use super::engine;
use super::error::PluginError;
use rlimit::Resource;
use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use wasmtime::Engine;

/// The hidden subcommand of the server's executable.
pub const COMPILE_COMMAND: &str = "compile-plugin";
/// More of what the child says is not shown.
const MOST_REASON_BYTES: u64 = 2_000;
/// Machine code is a few times larger than the component; much more is nothing to be kept.
const MOST_CODE_BYTES: u64 = 1 << 30;
/// Signals by which the system ends a process that is over its CPU limit.
const CPU_SIGNALS: [i32; 2] = [24, 9];

/// Who compiles what comes from outside, and with what.
#[derive(Clone, Debug)]
pub struct CompilerSettings {
    /// The server's executable; `None`: the one of this process.
    pub executable: Option<PathBuf>,
    /// Address space of the child.
    pub memory_bytes: u64,
    /// CPU time of the child, and half of the time that is waited for it.
    pub time: Duration,
}

impl Default for CompilerSettings {
    /// This process's executable, 2 GiB, 2 minutes.
    fn default() -> Self {
        Self {
            executable: None,
            memory_bytes: 2 << 30,
            time: Duration::from_secs(120),
        }
    }
}

/// Why there is no machine code.
#[derive(Debug)]
pub(super) enum CompileError {
    /// The component is at fault; in the compiler's words.
    Invalid(String),
    /// It took more than it may.
    Limit(String),
    /// It compiles, and is made of more or larger parts than an instance may have; reads on from the plugin's name.
    Parts(String),
    /// The server is at fault.
    Failed(String),
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::Limit(why) | Self::Parts(why) | Self::Failed(why) => {
                f.write_str(why)
            }
        }
    }
}

/// Compiles in this process.
pub(super) fn compile_here(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    engine
        .precompile_component(component)
        .map_err(|error| CompileError::Invalid(format!("{error:#}")))
}

/// Compiles in a child process; blocks until it has ended.
pub(super) fn compile_apart(
    settings: &CompilerSettings,
    component: &[u8],
) -> Result<Vec<u8>, CompileError> {
    let failed = |error: io::Error| CompileError::Failed(format!("the child process: {error}"));
    let executable = match &settings.executable {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(failed)?,
    };
    let seconds = settings.time.as_secs().max(1);
    let mut child = Command::new(executable)
        .arg(COMPILE_COMMAND)
        .arg(format!("--memory-bytes={}", settings.memory_bytes))
        .arg(format!("--cpu-seconds={seconds}"))
        .env_clear()
        // A thread costs address space, whether it has work or not.
        .env("RAYON_NUM_THREADS", "2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let ended = talk(&mut child, component, settings.time.saturating_mul(2));
    // Whatever happened, it does not stay.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    let Some((code, said)) = ended else {
        return Err(CompileError::Limit(format!(
            "it takes longer than {seconds} s to compile"
        )));
    };
    if status.success() {
        return Ok(code);
    }
    Err(explain(status, &said, settings))
}

/// Writes the component and reads what comes back; `None` where it takes too long.
fn talk(child: &mut Child, component: &[u8], longest: Duration) -> Option<(Vec<u8>, String)> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that ended early does not read on; its status says why.
            let _ = input.map(|mut input| input.write_all(component));
        });
        scope.spawn(move || {
            let errors = scope.spawn(move || {
                let mut said = Vec::new();
                let _ = errors.map(|errors| errors.take(MOST_REASON_BYTES).read_to_end(&mut said));
                String::from_utf8_lossy(&said).trim().to_owned()
            });
            let mut code = Vec::new();
            let _ = output.map(|output| output.take(MOST_CODE_BYTES).read_to_end(&mut code));
            let _ = tell.send((code, errors.join().unwrap_or_default()));
        });
        let ended = told.recv_timeout(longest).ok();
        if ended.is_none() {
            // Its ends of the pipes close, and so the threads end.
            let _ = child.kill();
        }
        ended
    })
}

fn explain(status: ExitStatus, said: &str, settings: &CompilerSettings) -> CompileError {
    let memory = settings.memory_bytes >> 20;
    match status.signal() {
        None if status.code() == Some(EXIT_INVALID) => CompileError::Invalid(said.to_owned()),
        Some(signal) if CPU_SIGNALS.contains(&signal) => CompileError::Limit(format!(
            "it takes more than {} s of CPU time to compile",
            settings.time.as_secs().max(1)
        )),
        // What cannot be allocated ends a process by abort, and a thread that cannot be made by a panic.
        Some(_) => CompileError::Limit(format!(
            "it takes more than {memory} MiB of memory to compile, or breaks the compiler"
        )),
        None if said.contains("panicked") => CompileError::Limit(format!(
            "it takes more than {memory} MiB of memory to compile, or breaks the compiler"
        )),
        None => CompileError::Failed(format!("the child process ended with {status}: {said}")),
    }
}

/// How the child says that the component is at fault.
pub const EXIT_INVALID: i32 = 3;

/// The child's side: reads a component and writes its machine code. `Ok(Err)` is the component's fault.
///
/// # Errors
/// The limits cannot be set, or the parent went away.
pub fn compile_limited(
    memory_bytes: u64,
    cpu_seconds: u64,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<Result<(), String>, PluginError> {
    let failed = |error: io::Error| PluginError::Compiler(error.to_string());
    Resource::AS
        .set(memory_bytes, memory_bytes)
        .map_err(failed)?;
    Resource::CPU
        .set(cpu_seconds, cpu_seconds)
        .map_err(failed)?;
    Resource::CORE.set(0, 0).map_err(failed)?;
    Resource::FSIZE.set(0, 0).map_err(failed)?;
    let engine = engine::build_for_compiling()?;
    let mut component = Vec::new();
    input.read_to_end(&mut component).map_err(failed)?;
    match compile_here(&engine, &component) {
        Ok(code) => output.write_all(&code).map(Ok).map_err(failed),
        Err(error) => Ok(Err(error.to_string())),
    }
}
