//! Jobs created over HTTP by 64 clients at once and run to `success`, one task that ends at once each; how long one of
//! them takes on a quiet server and at half of that load; 40 tasks in series and 1,000 side by side.

use crate::database::{Database, Look};
use crate::server::{Installation, Server};
use crate::{Bound, Failure, Options, by_hand, print_memory, verdict};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const CLIENTS: usize = 64;
const UNFINISHED: &str = "SELECT COUNT(*) FROM jobs WHERE status IN ('waiting', 'processing')";

pub async fn measure(database: &Database, options: &Options, noop: &[u8]) -> Result<bool, Failure> {
    let installation = Installation::new(database, noop)?;
    let server = installation.start()?;
    let mut look = Look::at(&installation.url).await?;
    let ids = make_orchestrations(&server, options.jobs).await?;

    // By hand in a database of its own, with the same rows in it.
    let other = Installation::new(database, noop)?;
    let other_server = other.start()?;
    let other_ids = make_orchestrations(&other_server, options.jobs).await?;
    other_server.stop()?;

    // In turns: the ratio of each pair is of one moment of the machine.
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        let took = by_hand::run(database, &other.url, &other_ids).await?;
        let hand = ids.len() as f64 / took.as_secs_f64();
        let ours = run_all(&server, &mut look, &ids).await?;
        rounds.push((ours.done / hand, hand, ours));
    }
    let best = rounds.iter().map(|round| round.2.done).fold(0.0, f64::max);
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, hand, ours) = rounds[rounds.len() / 2];
    println!("  {} jobs created over HTTP and run to success", ids.len());
    println!(
        "    by hand, rows only {:>8.0} jobs/s   created {:>8.0} jobs/s   end to end {:>8.0} jobs/s, {best:.0} at best (aim: 3000)",
        hand, ours.created, ours.done
    );
    let mut holds = verdict(
        "throughput against the rows by hand",
        ratio,
        Bound::AtLeast(0.5),
    );
    print_memory("under this load", server.peak_memory()?);
    if server.peak_memory()? > 250 << 20 {
        holds = false;
    }
    latency(&server, &mut look, &ids, ours.done / 2.0).await?;
    phases(&server, &mut look).await?;
    server.stop()?;
    Ok(holds)
}

/// Jobs a second.
#[derive(Clone, Copy)]
struct Rates {
    created: f64,
    done: f64,
}

/// Orchestrations of one task each.
pub async fn make_orchestrations(server: &Server, number: usize) -> Result<Vec<i64>, Failure> {
    let mut client = server.client().await?;
    let mut ids = Vec::with_capacity(number);
    for _ in 0..number {
        let body = r#"{"name": "one", "tasks": [{"component": "noop"}]}"#;
        let made = client.json("POST", "/orchestrations", Some(body)).await?;
        ids.push(made["id"].as_i64().ok_or("no id")?);
    }
    Ok(ids)
}

async fn run_all(server: &Server, look: &mut Look, ids: &[i64]) -> Result<Rates, Failure> {
    let begun = now_micros();
    let next = Arc::new(AtomicUsize::new(0));
    let paths: Arc<Vec<String>> = Arc::new(
        ids.iter()
            .map(|id| format!("/orchestrations/{id}/jobs"))
            .collect(),
    );
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = server.client().await?;
        let (next, paths) = (Arc::clone(&next), Arc::clone(&paths));
        clients.spawn(async move {
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.call("POST", path, Some("{}")).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let created = now_micros() - begun;
    until_done(look).await?;
    let ended = look
        .number("SELECT MAX(end_at) FROM jobs WHERE status = 'success'")
        .await?;
    let failed = look
        .number("SELECT COUNT(*) FROM jobs WHERE status <> 'success'")
        .await?;
    if failed > 0 {
        return Err(format!("{failed} jobs did not end in success").into());
    }
    let per_second = |micros: i64| ids.len() as f64 * 1e6 / micros as f64;
    Ok(Rates {
        created: per_second(created),
        done: per_second(ended - begun),
    })
}

async fn until_done(look: &mut Look) -> Result<(), Failure> {
    while look.number(UNFINISHED).await? > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Until the end of the job's one step, which is later than its beginning: from the moment at which the client was to ask
/// for the job, and from the job's `createdTime`. The times are the machine's clock on all sides.
async fn latency(
    server: &Server,
    look: &mut Look,
    ids: &[i64],
    half_load: f64,
) -> Result<(), Failure> {
    let quiet = paced(server, look, ids, 50.0, 200).await?;
    println!("  a job → its first step has run, from the request for it, from its creation");
    println!(
        "    quiet server       p50 {:>7.1} ms, {:.1} ms (aim: 5)   p99 {:>7.1} ms, {:.1} ms",
        quiet.request.0, quiet.creation.0, quiet.request.1, quiet.creation.1
    );
    let number = (half_load * 5.0) as usize;
    let busy = paced(server, look, ids, half_load, number).await?;
    println!(
        "    at half load       p50 {:>7.1} ms, {:.1} ms            p99 {:>7.1} ms, {:.1} ms (aim: 50)",
        busy.request.0, busy.creation.0, busy.request.1, busy.creation.1
    );
    Ok(())
}

/// Median and 99th of 100, in milliseconds.
type Percentiles = (f64, f64);

struct Latency {
    request: Percentiles,
    creation: Percentiles,
}

fn percentiles(mut times: Vec<f64>) -> Percentiles {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// So many requests at that rate.
async fn paced(
    server: &Server,
    look: &mut Look,
    ids: &[i64],
    rate: f64,
    number: usize,
) -> Result<Latency, Failure> {
    let (sender, requests) = mpsc::channel(16 * CLIENTS);
    let requests = Arc::new(tokio::sync::Mutex::new(requests));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = server.client().await?;
        let requests = Arc::clone(&requests);
        clients.spawn(async move {
            let mut sent = Vec::new();
            loop {
                let next = requests.lock().await.recv().await;
                let Some((id, at)): Option<(i64, i64)> = next else {
                    return Ok::<_, Failure>(sent);
                };
                let path = format!("/orchestrations/{id}/jobs");
                let job = client.json("POST", &path, Some("{}")).await?;
                sent.push((job["id"].as_i64().ok_or("no id")?, at));
            }
        });
    }
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for at in 0..number {
        ticks.tick().await;
        // Of the moment at which it was due: a client that is late does not hide it.
        sender.send((ids[at % ids.len()], now_micros())).await?;
    }
    drop(sender);
    let mut sent = Vec::new();
    while let Some(ended) = clients.join_next().await {
        sent.extend(ended??);
    }
    until_done(look).await?;
    let ends = look
        .numbers("SELECT t.job_id, t.end_at, j.created_at FROM task_runs t JOIN jobs j ON j.id = t.job_id")
        .await?
        .into_iter()
        .map(|row| (row[0], (row[1], row[2])))
        .collect::<HashMap<_, _>>();
    let (mut request, mut creation) = (Vec::new(), Vec::new());
    for (job, asked) in &sent {
        let (ended, created) = ends.get(job).ok_or("a job without a step")?;
        request.push((ended - asked) as f64 / 1e3);
        creation.push((ended - created) as f64 / 1e3);
    }
    Ok(Latency {
        request: percentiles(request),
        creation: percentiles(creation),
    })
}

async fn phases(server: &Server, look: &mut Look) -> Result<(), Failure> {
    let series = one_job(server, look, 40, |_| "null".to_owned(), 15).await?;
    println!(
        "  40 tasks in series     median {:>7.1} ms   minimum {:>7.1} ms (aim: 100)",
        series.0, series.1
    );
    let side = one_job(server, look, 1_000, |_| "\"1\"".to_owned(), 3).await?;
    println!(
        "  1,000 tasks in a phase median {:>7.1} ms   minimum {:>7.1} ms",
        side.0, side.1
    );
    Ok(())
}

/// From the request for a job of so many tasks to its end.
async fn one_job(
    server: &Server,
    look: &mut Look,
    tasks: usize,
    phase: impl Fn(usize) -> String,
    rounds: usize,
) -> Result<(f64, f64), Failure> {
    let mut client = server.client().await?;
    let tasks: Vec<String> = (0..tasks)
        .map(|at| format!(r#"{{"component": "noop", "phase": {}}}"#, phase(at)))
        .collect();
    let body = format!(r#"{{"name": "many", "tasks": [{}]}}"#, tasks.join(", "));
    let made = client.json("POST", "/orchestrations", Some(&body)).await?;
    let path = format!("/orchestrations/{}/jobs", made["id"]);
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = now_micros();
        client.call("POST", &path, Some("{}")).await?;
        let patience = Instant::now() + Duration::from_secs(60);
        while look.number(UNFINISHED).await? > 0 {
            if Instant::now() > patience {
                return Err("a job does not end".into());
            }
            sleep(Duration::from_millis(10)).await;
        }
        let ended = look.number("SELECT MAX(end_at) FROM jobs").await?;
        times.push((ended - begun) as f64 / 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[0]))
}

pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(0))
}
