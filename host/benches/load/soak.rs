//! Memory over time under a steady load: the slope of a line through what was measured, after a first fifth in which caches
//! fill.

use crate::database::{Database, Look};
use crate::server::Installation;
use crate::throughput::make_orchestrations;
use crate::{Failure, Options};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

const JOBS_PER_SECOND: u64 = 100;
const ORCHESTRATIONS: usize = 200;

pub async fn measure(database: &Database, options: &Options, noop: &[u8]) -> Result<bool, Failure> {
    let installation = Installation::new(database, noop)?;
    let server = installation.start()?;
    let ids = make_orchestrations(&server, ORCHESTRATIONS).await?;
    let paths: Vec<String> = ids
        .iter()
        .map(|id| format!("/orchestrations/{id}/jobs"))
        .collect();
    let mut client = server.client().await?;
    let length = Duration::from_secs_f64(options.soak_minutes * 60.0);
    let every = Duration::from_micros(1_000_000 / JOBS_PER_SECOND);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut samples, mut made) = (Instant::now(), Vec::new(), 0);
    let mut next_sample = Duration::ZERO;
    while begun.elapsed() < length {
        ticks.tick().await;
        client
            .call("POST", &paths[made % paths.len()], Some("{}"))
            .await?;
        made += 1;
        if begun.elapsed() >= next_sample {
            let hours = begun.elapsed().as_secs_f64() / 3600.0;
            samples.push((hours, server.memory()? as f64 / f64::from(1 << 20)));
            next_sample += length / 100;
        }
    }
    let settled = &samples[samples.len() / 5..];
    let mut look = Look::at(&installation.url).await?;
    let failed = look
        .number("SELECT COUNT(*) FROM jobs WHERE status IN ('error', 'warning')")
        .await?;
    println!(
        "  {made} jobs in {:.0} minutes: {:.1} MB at first, {:.1} MB at last, slope {:+.2} MB an hour; {failed} failed",
        options.soak_minutes,
        settled[0].1,
        settled[settled.len() - 1].1,
        slope(settled)
    );
    server.stop()?;
    Ok(failed == 0)
}

/// Of the line with the least squares.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let number = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / number;
    let (x, y) = (mean(|s| s.0), mean(|s| s.1));
    let over: f64 = samples.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
    let under: f64 = samples.iter().map(|s| (s.0 - x).powi(2)).sum();
    over / under
}
