//! What size costs: each figure beside a baseline of the same run, on SQLite and, where it is installed, PostgreSQL.
//!
//! - a pass of the scheduler with 100 orchestrations due among many, against 100 due among 1,000: at most 2 times
//! - a claim beside a long history of finished jobs, against one without any: at most 2 times
//! - a minute in which 10,000 schedules are due, 9,000 of them one project's: all are jobs within 5 seconds, and the small
//!   projects' median start is at most 2 times that of a minute without the large one
//!
//! `cargo bench --bench scale` measures with 100,000 orchestrations and finished jobs, `cargo bench --bench scale -- --full`
//! with 1,000,000 as well. What is compared runs in turns; minima decide. Ends with 1 where a bound is broken.

mod claim;
mod database;
mod pass;
mod rush;

use database::{Database, Failure};
use std::process::ExitCode;
use std::time::Duration;

/// Most that size may cost, against the baseline.
const MOST: f64 = 2.0;

fn main() -> Result<ExitCode, Failure> {
    let sizes: &[i64] = if std::env::args().any(|argument| argument == "--full") {
        &[100_000, 1_000_000]
    } else {
        &[100_000]
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut holds = true;
    for database in Database::all() {
        println!("{}", database.name());
        holds &= runtime.block_on(pass::measure(&database, sizes))?;
        holds &= runtime.block_on(claim::measure(&database, sizes))?;
        holds &= runtime.block_on(rush::measure(&database))?;
    }
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        println!("a bound is broken");
        ExitCode::FAILURE
    })
}

/// Times of one thing, in milliseconds.
struct Times(Vec<f64>);

impl Times {
    fn of(times: &[Duration]) -> Self {
        let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn minimum(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        let middle = self.0.get(self.0.len() / 2);
        middle.copied().unwrap_or(f64::NAN)
    }
}

/// Prints a line and says whether its minimum is within the bound.
fn compare(what: &str, times: &[Duration], baseline: &[Duration]) -> bool {
    let (times, baseline) = (Times::of(times), Times::of(baseline));
    let ratio = times.minimum() / baseline.minimum();
    println!(
        "  {what:<58} median {:>8.2} ms   minimum {:>8.2} ms   ratio {:.2} (median {:.2}; at most {MOST})",
        times.median(),
        times.minimum(),
        ratio,
        times.median() / baseline.median(),
    );
    ratio <= MOST
}
