//! `orchestrator torture`: proves durability by killing things.
//!
//! Hosts are started as child processes on one database and put under load, while each is killed, stopped, suspended and
//! cut off at random. Then they are left in peace, and what the database keeps is held against what clients were told
//! and what the components and the mail server saw. Everything is on this machine, the peers are this command's own, and
//! the database has to be empty. What is done follows from the seed; when it happens in fact does not.

mod api;
mod certificates;
mod check;
mod components;
mod dice;
mod evidence;
mod faults;
mod hosts;
mod load;
mod mail_server;
mod proxy;
mod run;
mod verdict;

use crate::clock::{Clock, Random};
use crate::store::Store;
use anyhow::bail;
use faults::Kind;
use run::Run;
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// What clap itself ends with when arguments are wrong.
const EXIT_BAD_ARGUMENT: u8 = 2;
const MOST_HOSTS: u64 = 16;

/// Kill, suspend and cut off servers under load, and check that nothing was lost or doubled
#[derive(Clone, Debug, clap::Args)]
pub struct TortureArgs {
    /// An empty database of its own, postgres:// or sqlite:// [default: an SQLite file in a temporary folder]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How long servers are tortured; a fraction is fine, and one full minute of the clock is always within
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = minutes)]
    minutes: f64,
    /// What is done when and to whom follows from it [default: a new one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many servers share the database [default: 3, and 1 on SQLite]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_HOSTS))]
    hosts: Option<u64>,
    /// Only these kinds of faults; repeatable or comma-separated [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    faults: Vec<Kind>,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=10_000.0).contains(&minutes) {
        Ok(minutes)
    } else {
        Err("must be between 0.1 and 10000".to_owned())
    }
}

/// Tortures, prints the verdict, and ends with 0 where every promise held, 2 for arguments that cannot be used, else 1.
pub fn run(args: &TortureArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        let plan = match plan(args).await {
            Ok(plan) => plan,
            Err(error) => {
                eprintln!("error: {error:#}");
                return ExitCode::from(EXIT_BAD_ARGUMENT);
            }
        };
        // Dropping the run kills its hosts.
        tokio::select! {
            held = plan.execute() => match held {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => {
                    eprintln!("error: {error:#}");
                    ExitCode::FAILURE
                }
            },
            () = told_to_stop() => {
                eprintln!("stopped: no verdict");
                ExitCode::FAILURE
            }
        }
    });
    runtime.shutdown_background();
    ended
}

/// Checks the arguments and chooses what was not given.
async fn plan(args: &TortureArgs) -> anyhow::Result<Run> {
    let work_dir = tempfile::Builder::new()
        .prefix("orchestrator-torture-")
        .tempdir()?;
    let database_url = match &args.database_url {
        Some(url) => url.clone(),
        None => Store::embedded_url(work_dir.path()),
    };
    let is_embedded = Store::is_embedded(&database_url);
    let hosts = args.hosts.unwrap_or(if is_embedded { 1 } else { 3 });
    if is_embedded && hosts > 1 {
        bail!("an SQLite database has one server: give --hosts 1 or a postgres:// database");
    }
    if !Store::is_unused(&database_url).await? {
        bail!(
            "the database of --database-url is in use: give an empty one, which may be dropped afterwards"
        );
    }
    let faults = Kind::possible(&args.faults, !is_embedded);
    if faults.is_empty() {
        bail!("none of these --faults can be done to the server of an SQLite database");
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => new_seed()?,
    };
    Ok(Run {
        work_dir,
        database_url,
        is_embedded,
        hosts: usize::try_from(hosts)?,
        time: std::time::Duration::from_secs_f64(args.minutes * 60.0),
        seed,
        faults,
        program: this_program()?,
        clock: Clock::system(),
    })
}

/// Small enough to be typed again.
fn new_seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 4];
    Random::system().fill(&mut bytes)?;
    Ok(u64::from(u32::from_le_bytes(bytes)))
}

/// The hosts are what this command is, also where it was replaced by a newer build meanwhile.
fn this_program() -> anyhow::Result<std::path::PathBuf> {
    let by_process = Path::new("/proc/self/exe");
    let id = std::process::id();
    if by_process.exists() {
        return Ok(Path::new("/proc").join(id.to_string()).join("exe"));
    }
    Ok(std::env::current_exe()?)
}

async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
