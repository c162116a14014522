//! Tasks that wait at once, for an hour each: what each costs the host's memory, beside a live instance of the guest that
//! would wait in memory; what they cost while nothing happens; how a server starts with them.

use crate::bare::Bare;
use crate::database::{Database, Look};
use crate::server::{Installation, status_of};
use crate::{Bound, Failure, Options, verdict};
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

const PER_ORCHESTRATION: usize = 1_000;
/// Live instances that are held; more of them want more address space than some machines give.
const INSTANCES: u32 = 500;
const IDLE: Duration = Duration::from_secs(10);
/// Most memory of a waiting task, in bytes.
const MOST_BYTES: f64 = 1024.0;

pub async fn measure(database: &Database, options: &Options, noop: &[u8]) -> Result<bool, Failure> {
    let tasks = options.waiting;
    let installation = Installation::new(database, noop)?;
    // The first start compiles.
    installation.start()?.stop()?;
    let server = installation.start()?;
    let mut client = server.client().await?;
    client.call("GET", "/health/ready", None).await?;
    sleep(Duration::from_secs(2)).await;
    let (idle, idle_start) = (server.memory()?, server.took);
    let one = r#"{"component": "delay", "actionParameters": {"seconds": 3600}, "phase": "1"}"#;
    let body = format!(
        r#"{{"name": "waits", "tasks": [{}]}}"#,
        vec![one; PER_ORCHESTRATION].join(", ")
    );
    for _ in 0..tasks.div_ceil(PER_ORCHESTRATION) {
        let made = client.json("POST", "/orchestrations", Some(&body)).await?;
        let path = format!("/orchestrations/{}/jobs", made["id"]);
        client.call("POST", &path, Some("{}")).await?;
    }
    let mut look = Look::at(&installation.url).await?;
    let waiting = "SELECT COUNT(*) FROM task_runs WHERE wake_at IS NOT NULL AND step = 1";
    while look.number(waiting).await? < i64::try_from(tasks)? {
        sleep(Duration::from_millis(200)).await;
    }
    sleep(Duration::from_secs(1)).await;
    let after = server.memory()?;
    let before = server.cpu()?;
    sleep(IDLE).await;
    let busy = (server.cpu()? - before).as_secs_f64() / IDLE.as_secs_f64();
    let first = look
        .number("SELECT MIN(wake_at - start_at) FROM task_runs")
        .await?;
    let last = look
        .number("SELECT MAX(wake_at - start_at) FROM task_runs")
        .await?;
    server.stop()?;

    let server = installation.start()?;
    let mut client = server.client().await?;
    client.call("GET", "/health/ready", None).await?;
    sleep(Duration::from_secs(2)).await;
    let (again, start) = (server.memory()?, server.took);
    server.stop()?;

    let each = |with: u64, without: u64| with.saturating_sub(without) as f64 / tasks as f64;
    println!("  {tasks} tasks that wait at once");
    println!(
        "    a host that took them up: {:.0} MB idle, {:.0} MB with them, {:.0} bytes each",
        megabytes(idle),
        megabytes(after),
        each(after, idle)
    );
    println!(
        "    a host that starts with them: {:.0} MB, {:.0} bytes each (aim: at most {MOST_BYTES}); starts in {:.0} ms, without them {:.0} ms",
        megabytes(again),
        each(again, idle),
        start.as_secs_f64() * 1e3,
        idle_start.as_secs_f64() * 1e3
    );
    println!(
        "    computing time while they wait: {:.2} % of a core",
        busy * 100.0
    );
    println!(
        "    they come back {:.0} to {:.0} s after they began",
        first as f64 / 1e6,
        last as f64 / 1e6
    );
    let live = live_instance(noop).await?;
    println!(
        "    a live instance in the least runtime: {live:.0} bytes (mean of {INSTANCES}), {:.0} MB for as many",
        live * tasks as f64 / f64::from(1 << 20)
    );
    let holds = verdict(
        "memory of a waiting task against 1 KB, after a restart",
        each(again, idle) / MOST_BYTES,
        Bound::AtMost(1.0),
    );
    println!(
        "    a live instance costs {:.0} times that",
        live / each(again, idle).max(1.0)
    );
    Ok(holds)
}

/// Resident bytes of an instance that has run its first step and is kept.
async fn live_instance(component: &[u8]) -> Result<f64, Failure> {
    let bare = Bare::new(component, INSTANCES + 1)?;
    let mut held = vec![bare.hold().await?];
    let status = Path::new("/proc/self/status");
    let before = status_of(status, "VmRSS:")?;
    for _ in 0..INSTANCES {
        held.push(bare.hold().await?);
    }
    let after = status_of(status, "VmRSS:")?;
    drop(held);
    Ok(after.saturating_sub(before) as f64 / f64::from(INSTANCES))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
