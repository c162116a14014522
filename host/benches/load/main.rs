//! What the server does under load, started as a user starts it, each figure beside a baseline that the same run measures on
//! the same database: SQLite and, where it is installed, PostgreSQL, with their default durability.
//!
//! - `throughput`: jobs created over HTTP and run to success, against the same row changes by hand; latency, quiet and at
//!   half load; tasks in series and side by side; memory under load
//! - `waiting`: tasks that wait at once: memory of each, against a live instance; idle computing time; the restart
//! - `reading`: an orchestration and lists of jobs against a bare axum and sqlx handler of the same queries; deep pages of
//!   a long history
//! - `schedule`: a tick of a crontab until its first step has run (waits for the next minute)
//! - `soak`: memory over time at half load
//!
//! `cargo bench --bench load` runs all but the last two at sizes of a minute or two, `-- --full` at those of the aims;
//! `-- throughput` and so on run one; `-- soak=60` for so many minutes. Ends with 1 where a bound is broken.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a bench looks at the real clock, waits for a server, and may end where a number that it needs is missing"
)]

mod by_hand;
mod database;
mod http;
mod reading;
mod schedule;
mod server;
mod soak;
mod throughput;
mod waiting;

#[path = "../step/bare.rs"]
#[expect(dead_code, reason = "shared with the bench of steps")]
mod bare;
#[path = "../step/guests.rs"]
#[expect(dead_code, reason = "shared with the bench of steps")]
mod guests;

use database::Database;
use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is measured, and how much of it.
#[derive(Debug)]
pub struct Options {
    sections: Vec<String>,
    databases: Vec<String>,
    jobs: usize,
    rounds: usize,
    waiting: usize,
    history: i64,
    soak_minutes: f64,
}

const SECTIONS: [&str; 5] = ["throughput", "waiting", "reading", "schedule", "soak"];

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            sections: Vec::new(),
            databases: Vec::new(),
            jobs: 2_000,
            rounds: 7,
            waiting: 10_000,
            history: 100_000,
            soak_minutes: 1.0,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            match name {
                "--bench" => {}
                "--full" => {
                    (options.jobs, options.waiting) = (10_000, 100_000);
                    options.history = 1_000_000;
                }
                "sqlite" | "postgresql" => options.databases.push(name.to_owned()),
                name if SECTIONS.contains(&name) => {
                    options.sections.push(name.to_owned());
                    if name == "soak" && !value.is_empty() {
                        options.soak_minutes = value.parse()?;
                    }
                }
                other => return Err(format!("what is {other}?").into()),
            }
        }
        if options.sections.is_empty() {
            let usual = SECTIONS.iter().take(3);
            options.sections = usual.map(|name| (*name).to_owned()).collect();
        }
        Ok(options)
    }

    fn has(&self, section: &str) -> bool {
        self.sections.iter().any(|name| name == section)
    }

    fn has_database(&self, database: &Database) -> bool {
        let name = database.name().to_lowercase();
        self.databases.is_empty() || self.databases.contains(&name)
    }
}

fn main() -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if std::env::args().nth(1).as_deref() == Some(reading::BARE) {
        let url = std::env::args().nth(2).ok_or("no address")?;
        runtime.block_on(reading::serve_bare(&url))?;
    }
    let options = Options::read(std::env::args().skip(1))?;
    let noop = guests::noop()?;
    let holds = runtime.block_on(async {
        let mut holds = true;
        for database in Database::all().await? {
            if !options.has_database(&database) {
                continue;
            }
            println!("{}", database.name());
            if options.has("throughput") {
                holds &= throughput::measure(&database, &options, &noop).await?;
            }
            if options.has("waiting") {
                holds &= waiting::measure(&database, &options, &noop).await?;
            }
            if options.has("reading") {
                holds &= reading::measure(&database, &options, &noop).await?;
            }
            if options.has("schedule") {
                holds &= schedule::measure(&database, &options, &noop).await?;
            }
            if options.has("soak") {
                holds &= soak::measure(&database, &options, &noop).await?;
            }
        }
        Ok::<_, Failure>(holds)
    })?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        println!("a bound is broken");
        ExitCode::FAILURE
    })
}

/// What a ratio has to be.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints a ratio with its bound and says whether it holds.
pub fn verdict(what: &str, ratio: f64, bound: Bound) -> bool {
    let (holds, bound) = match bound {
        Bound::AtLeast(least) => (ratio >= least, format!("at least {least}")),
        Bound::AtMost(most) => (ratio <= most, format!("at most {most}")),
    };
    let broken = if holds { "" } else { "  BROKEN" };
    println!("    {what:<52} ratio {ratio:>6.2}   ({bound}){broken}");
    holds
}

pub fn print_memory(what: &str, bytes: u64) {
    println!(
        "    memory {what:<45} {:>6.0} MB",
        bytes as f64 / f64::from(1 << 20)
    );
}
