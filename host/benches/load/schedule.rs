//! A tick of a crontab until its job's first step has run.

use crate::database::{Database, Look};
use crate::server::Installation;
use crate::throughput::now_micros;
use crate::{Failure, Options};
use std::time::Duration;
use tokio::time::sleep;

const ORCHESTRATIONS: usize = 50;
const MINUTE: i64 = 60_000_000;

pub async fn measure(database: &Database, _: &Options, noop: &[u8]) -> Result<bool, Failure> {
    let installation = Installation::new(database, noop)?;
    let server = installation.start()?;
    let mut client = server.client().await?;
    for _ in 0..ORCHESTRATIONS {
        let body =
            r#"{"name": "due", "crontabRecord": "* * * * *", "tasks": [{"component": "noop"}]}"#;
        client.call("POST", "/orchestrations", Some(body)).await?;
    }
    // One that was made in the last second of a minute could be late for the next.
    let minute = (now_micros() / MINUTE + 1) * MINUTE;
    let wait = u64::try_from(minute - now_micros())?;
    sleep(Duration::from_micros(wait) + Duration::from_secs(3)).await;
    let mut look = Look::at(&installation.url).await?;
    let ends = look
        .numbers("SELECT t.end_at, k.from_at FROM task_runs t JOIN ticks k ON k.job_id = t.job_id WHERE t.end_at IS NOT NULL")
        .await?;
    let mut times: Vec<f64> = ends
        .iter()
        .map(|row| (row[0] - row[1]) as f64 / 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len() - 1));
    println!(
        "  a tick of {ORCHESTRATIONS} crontabs → a first step has run: p50 {:.0} ms (aim: 100), p99 {:.0} ms, of {}",
        at(50).copied().unwrap_or(f64::NAN),
        at(99).copied().unwrap_or(f64::NAN),
        times.len()
    );
    server.stop()?;
    Ok(times.len() >= ORCHESTRATIONS)
}
