//! Servers that share the work of one PostgreSQL by roles, and how fast work goes from one to another.

use crate::support::client::Client;
use crate::support::events::{Events, Frame};
use crate::support::postgres::Cluster;
use crate::support::process::{Installation, PATIENCE, until};
use crate::support::steps::demo;
use demo_components::DemoServer;
use serde_json::json;
use sqlx::{PgPool, Row};
use std::time::{Duration, Instant};

const JOBS: usize = 20;
/// A runner that looks by itself looks every two seconds, so that it would begin half of the jobs after a second or more.
const FAR_BELOW_THE_TIMER: Duration = Duration::from_millis(400);

/// Makes jobs one after another; how long each took from its request to the call of its component, in order.
async fn delays(client: &Client, demo: &DemoServer) -> Vec<Duration> {
    let task = json!({"component": "sync"});
    let made = client
        .post("/orchestrations", json!({"name": "Quick", "tasks": [task]}))
        .await
        .expect(201);
    let path = format!("/orchestrations/{}/jobs", made["id"]);
    let mut delays = Vec::new();
    for _ in 0..JOBS {
        let seen = demo.requests().len();
        let asked = Instant::now();
        let job = client.post(&path, json!({})).await.expect(201);
        demo.wait_for(|all| all.len() > seen, PATIENCE)
            .await
            .expect("started");
        delays.push(asked.elapsed());
        until("the job to finish", || async {
            let job = client
                .get(&format!("/jobs/{}", job["id"]))
                .await
                .expect(200);
            if job["isFinished"] == true {
                Ok(())
            } else {
                Err(job.to_string())
            }
        })
        .await;
    }
    delays.sort();
    delays
}

fn check_delays(what: &str, delays: &[Duration]) {
    let median = delays[delays.len() / 2];
    println!(
        "{what}: {JOBS} jobs began after {:?} at least, {median:?} in the median, {:?} at most",
        delays[0],
        delays[delays.len() - 1]
    );
    assert!(median < FAR_BELOW_THE_TIMER, "{what}: {delays:?}");
}

/// The connections on which the hosts of this database hear one another.
async fn listeners(database: &PgPool) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE state = 'idle' AND query = (SELECT 'LISTEN \"orchestrator_' || \
        convert_from(value, 'UTF8') || '\"' FROM settings WHERE name = 'installation')";
    let rows = sqlx::query(sql).fetch_all(database).await.expect("rows");
    rows.iter().map(|row| row.get("pid")).collect()
}

async fn both_listen(database: &PgPool) {
    until("both hosts to listen", || async {
        let listening = listeners(database).await;
        if listening.len() == 2 {
            Ok(())
        } else {
            Err(format!("{listening:?}"))
        }
    })
    .await;
}

/// A host that looks by itself looks after two seconds.
const FAR_BELOW_THE_LOOK: Duration = Duration::from_millis(1_200);

#[tokio::test]
async fn a_stream_on_one_host_shows_at_once_what_happens_on_another() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let url = cluster.fresh_url();
    let installation = Installation::shared(&demo, &url);
    let front = installation.start_host_as(0, "api").await;
    let back = installation
        .start_host_as(1, "scheduler,runner,notifier")
        .await;
    let database = PgPool::connect(&url).await.expect("connected");
    both_listen(&database).await;
    let client = front.client();
    let task = json!({"component": "sync"});
    let made = client.post("/orchestrations", json!({"name": "Seen", "tasks": [task]}));
    let path = format!("/orchestrations/{}/jobs", made.await.expect(201)["id"]);
    let mut whole = Events::open(&client, "/events?kinds=job,task", None).await;

    let mut delays = Vec::new();
    for _ in 0..JOBS {
        let job = client.post(&path, json!({})).await.expect(201)["id"].clone();
        let asked = Instant::now();
        let events =
            Events::open(&client, &format!("/jobs/{job}/events?kinds=job,task"), None).await;
        let briefs: Vec<_> = events.rest().await.iter().map(Frame::brief).collect();
        delays.push(asked.elapsed());
        let expected = [
            "job waiting",
            "job processing",
            "task 1 processing",
            "task 1 success",
            "job success",
            "end success",
        ];
        assert_eq!(briefs, expected);
    }
    let mut seen = Vec::new();
    while seen.len() < 5 * JOBS {
        seen.push(whole.next().await.expect("an event").id);
    }

    delays.sort();
    println!(
        "{JOBS} jobs on another host were seen to their end after {:?} at least, {:?} in the median",
        delays[0],
        delays[JOBS / 2]
    );
    assert!(delays[JOBS / 2] < FAR_BELOW_THE_LOOK, "{delays:?}");
    let stored = client
        .get("/events?limit=500&kinds=job,task")
        .await
        .expect(200);
    let stored = stored.as_array().expect("a list");
    assert_eq!(
        seen,
        stored
            .iter()
            .map(|event| event["id"].as_str().expect("id"))
            .collect::<Vec<_>>()
    );
    assert!(front.stop().await.success());
    assert!(back.stop().await.success());
}

#[tokio::test]
async fn a_job_that_one_host_makes_begins_at_once_on_another_also_after_a_cut_connection() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let url = cluster.fresh_url();
    let installation = Installation::shared(&demo, &url);
    let front = installation.start_host_as(0, "api").await;
    let back = installation
        .start_host_as(1, "scheduler,runner,notifier")
        .await;
    let database = PgPool::connect(&url).await.expect("connected");
    both_listen(&database).await;
    back.client()
        .beyond_the_document()
        .get("/orchestrations")
        .await
        .expect(404);
    back.client().get("/health/ready").await.expect(200);
    front.client().get("/health/ready").await.expect(200);

    check_delays("woken", &delays(&front.client(), &demo).await);

    for pid in listeners(&database).await {
        sqlx::query("SELECT pg_terminate_backend($1)")
            .bind(pid)
            .execute(&database)
            .await
            .expect("cut");
    }
    for host in [&front, &back] {
        until("it to notice", || {
            let log = host.log();
            let noticed = log.contains("what other hosts tell is not heard for now");
            std::future::ready(if noticed { Ok(()) } else { Err(log) })
        })
        .await;
        assert!(!host.log().contains("postgres://"), "{}", host.log());
    }
    both_listen(&database).await;

    check_delays("after a cut", &delays(&front.client(), &demo).await);
    assert!(front.stop().await.success());
    assert!(back.stop().await.success());
}
