//! Several servers on one PostgreSQL: killed at random moments, and with the database restarted under them.

use super::check_jobs;
use crate::support::client::{Answer, Client};
use crate::support::postgres::Cluster;
use crate::support::process::{Installation, PATIENCE, command, output, until};
use crate::support::steps::demo;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOSTS: usize = 3;

fn three_tasks(name: &str) -> Value {
    let task =
        json!({"component": "async", "actionParameters": {"polls": 1}, "continueOnFailure": true});
    json!({"name": name, "tasks": vec![task; 3]})
}

#[tokio::test]
async fn three_hosts_that_are_killed_at_random_moments_lose_no_job_and_double_no_remote_job() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let installation = Installation::shared(&demo, &cluster.fresh_url());
    let (one, two, three) = tokio::join!(
        installation.start_host(0),
        installation.start_host(1),
        installation.start_host(2)
    );
    let mut hosts = [Some(one), Some(two), Some(three)];
    let mut ids = Vec::new();
    for number in 0..12 {
        let host = hosts[number % HOSTS].as_ref().expect("running");
        ids.push(host.run(three_tasks(&format!("Job {number}"))).await);
    }
    for round in 1_usize..=9 {
        // Not at fixed times: after so many requests, wherever the hosts are then.
        let seen = demo.requests().len() + 2 * round;
        let _ = demo
            .wait_for(|all| all.len() >= seen, Duration::from_secs(3))
            .await;
        let number = round * 7 % HOSTS;
        if let Some(host) = hosts[number].take() {
            host.kill();
        }
        hosts[number] = Some(installation.start_host(number).await);
    }

    let host = hosts[0].as_ref().expect("running");
    check_jobs(host, &demo, &ids).await;
}

/// Sends until it is acknowledged; every other answer must ask to come again. Returns what was acknowledged.
async fn acknowledged(client: &Client, path: &str, body: &Value, refused: &AtomicUsize) -> Value {
    loop {
        let Answer {
            status,
            headers,
            json,
        } = client.post(path, body.clone()).await;
        if status == 201 {
            return json;
        }
        assert_eq!(status, 503, "{json}");
        let seconds = headers["retry-after"].to_str().expect("text").parse();
        refused.fetch_add(1, Ordering::Relaxed);
        let mut pause = tokio::time::interval(Duration::from_secs(seconds.expect("seconds")));
        pause.tick().await;
        pause.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_restarts_under_load_stops_no_host_and_loses_nothing_acknowledged() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let demo = demo().await;
    let installation = Installation::shared(&demo, &cluster.fresh_url());
    let hosts = tokio::join!(installation.start_host(0), installation.start_host(1));
    let mut hosts = [hosts.0, hosts.1];
    let refused = Arc::new(AtomicUsize::new(0));
    let made = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for number in 0..4 {
        let client = hosts[number % 2].client();
        let (refused, made) = (Arc::clone(&refused), Arc::clone(&made));
        clients.push(tokio::spawn(async move {
            let mut jobs = Vec::new();
            for at in 0..25 {
                let body = three_tasks(&format!("Job {at} of client {number}"));
                let of = acknowledged(&client, "/orchestrations", &body, &refused).await;
                let path = format!("/orchestrations/{}/jobs", of["id"]);
                let job = acknowledged(&client, &path, &json!({}), &refused).await;
                made.fetch_add(1, Ordering::Relaxed);
                jobs.push((of["id"].clone(), job["id"].clone()));
            }
            jobs
        }));
    }
    let cluster = Arc::new(cluster);
    for after in [10, 40, 70] {
        until("some load", || {
            let made = made.load(Ordering::Relaxed);
            std::future::ready(if made >= after {
                Ok(())
            } else {
                Err(made.to_string())
            })
        })
        .await;
        let cluster = Arc::clone(&cluster);
        let restarted = tokio::task::spawn_blocking(move || cluster.restart_hard());
        restarted.await.expect("restarted");
    }

    let mut ids = Vec::new();
    for client in clients {
        for (orchestration, job) in client.await.expect("acknowledged") {
            let path = format!("/orchestrations/{orchestration}");
            hosts[0].client().get(&path).await.expect(200);
            ids.push(job);
        }
    }
    assert_eq!(ids.len(), 100);
    check_jobs(&hosts[1], &demo, &ids).await;
    println!(
        "{} requests were asked to come again",
        refused.load(Ordering::Relaxed)
    );
    for host in &mut hosts {
        assert!(host.is_running(), "{}", host.log());
    }
    for host in hosts {
        assert!(host.stop().await.success());
    }
}

#[tokio::test]
async fn a_database_that_is_away_for_longer_than_a_lease_costs_no_host_its_work() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let demo = demo().await;
    let installation = Installation::shared(&demo, &cluster.fresh_url());
    let (one, other) = tokio::join!(installation.start_host(0), installation.start_host(1));
    let task = json!({"component": "async", "actionParameters": {"seconds": 3600}});
    let id = one
        .run(json!({"name": "Outlives it", "tasks": [task]}))
        .await;
    demo.wait_for(|seen| seen.iter().any(|one| one.method == "GET"), PATIENCE)
        .await
        .expect("polled");

    cluster.stop_hard();
    for host in [&one, &other] {
        // One every three seconds: the lease of ten is over.
        until("five heartbeats to fail", || {
            let log = host.log();
            let failed = log
                .matches("the heartbeat did not reach the database")
                .count();
            std::future::ready(if failed >= 5 { Ok(()) } else { Err(log) })
        })
        .await;
        let refused = host.client().get("/orchestrations").await;
        assert!(refused.headers.contains_key("retry-after"));
        refused.expect(503);
        host.client().get("/health/live").await.expect(200);
        host.client().get("/health/ready").await.expect(503);
    }
    cluster.start_again();
    demo.finish_jobs();

    assert_eq!(other.finished(&id).await["status"], "success");
    assert_eq!(demo.jobs().len(), 1, "the remote job was started once");
    for host in [one, other] {
        let log = host.log();
        assert!(!log.contains("silent for too long"), "{log}");
        assert!(host.stop().await.success());
    }
}

#[tokio::test]
async fn a_host_that_is_suspended_for_longer_than_its_lease_loses_its_work_and_goes_on() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let installation = Installation::shared(&demo, &cluster.fresh_url());
    let suspended = installation.start_host(0).await;
    let parameters = json!({"seconds": 0, "answerAfter": 3600});
    let task = json!({"component": "async", "actionParameters": parameters});
    let id = suspended
        .run(json!({"name": "In its hands", "tasks": [task]}))
        .await;
    demo.wait_for(|seen| !seen.is_empty(), PATIENCE)
        .await
        .expect("started");

    suspended.signal("STOP");
    let other = installation.start_host(1).await;
    let job = other.finished(&id).await;
    suspended.signal("CONT");

    // What it did is unknown to the other host, which does not repeat it.
    assert_eq!(job["results"]["tasks"][0]["code"], "IN_DOUBT", "{job}");
    assert_eq!(demo.jobs().len(), 1);
    until("it to learn that it was declared dead", || {
        let log = suspended.log();
        let learned = log.contains("this host was silent for too long");
        std::future::ready(if learned { Ok(()) } else { Err(log) })
    })
    .await;
    other.kill();
    let id = suspended
        .run(json!({"name": "After it", "tasks": [{"component": "sync"}]}))
        .await;
    assert_eq!(suspended.finished(&id).await["status"], "success");
}

#[tokio::test]
async fn a_host_with_another_master_key_is_refused() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let demo = demo().await;
    let url = cluster.fresh_url();
    let _first = Installation::shared(&demo, &url).start_host(0).await;

    let other = tempfile::tempdir().expect("temporary directory");
    let arguments = [
        "serve".to_owned(),
        format!("--data-dir={}", other.path().display()),
        "--listen=127.0.0.1:0".to_owned(),
        format!("--database-url={url}"),
    ];
    let output = output(command(&arguments)).await;

    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("key"), "{err}");
    assert!(!err.contains(&url), "{err}");
}
