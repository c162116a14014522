//! `orchestrator torture`: a short run on each database, and the proof that it notices a server that is broken.

use crate::support::postgres::Cluster;
use crate::support::process::{PATIENCE, command, output, until, until_within};
use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

async fn torture(arguments: &[&str]) -> Output {
    let mut all = vec!["torture".to_owned()];
    all.extend(arguments.iter().map(|one| (*one).to_owned()));
    output(command(&all)).await
}

#[track_caller]
fn expect_held(output: &Output) {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        out.contains("verdict: held: 0 lost, 0 doubled, 0 left over, 0 other"),
        "{out}\n{err}"
    );
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    println!("{out}");
}

#[tokio::test]
async fn a_tortured_server_on_sqlite_loses_and_doubles_nothing() {
    let output = torture(&["--minutes", "0.3", "--seed", "1"]).await;

    expect_held(&output);
}

#[tokio::test]
async fn three_tortured_servers_on_postgresql_lose_and_double_nothing() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let url = cluster.fresh_url();

    let output = torture(&["--minutes", "0.7", "--seed", "2", "--database-url", &url]).await;

    expect_held(&output);
}

async fn torture_broken(database_url: &str, seed: u64) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server-without-fencing"));
    command
        .args(["torture", "--minutes=0.8", "--hosts=3", "--faults=suspend"])
        .arg(format!("--seed={seed}"))
        .args(["--database-url", database_url])
        .env_clear();
    output(command).await
}

#[tokio::test]
async fn a_build_that_accepts_late_results_is_found_out() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    // Only suspensions, some of them longer than a lease while another host is well. On a machine that is too busy the
    // suspended host may have had nothing in hand: then once more.
    let mut output = torture_broken(&cluster.fresh_url(), 1).await;
    for seed in 2..=5 {
        if output.status.success() {
            output = torture_broken(&cluster.fresh_url(), seed).await;
        }
    }

    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(out.contains("verdict: BROKEN"), "{out}\n{err}");
    assert!(out.contains("late result: "), "{out}\n{err}");
    assert_eq!(output.status.code(), Some(1), "{out}\n{err}");
    let logs = out.split("logs are in ").nth(1).expect("a folder").trim();
    assert!(fs::metadata(logs).expect("kept").is_dir());
    fs::remove_dir_all(logs).expect("removed");
}

#[tokio::test]
async fn a_torture_that_cannot_be_done_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let used = format!("sqlite://{}", dir.path().join("used.sqlite").display());
    drop(orchestrator::store::Store::open(&used).await.expect("made"));

    for (arguments, why) in [
        (vec!["--hosts", "2"], "an SQLite database has one server"),
        (vec!["--faults", "cut-off"], "none of these --faults"),
        (vec!["--database-url", &used], "is in use"),
        (
            vec!["--database-url", "mysql://secret@x"],
            "must start with",
        ),
        (vec!["--minutes", "0"], "must be between"),
    ] {
        let output = torture(&arguments).await;

        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.contains(why), "{err}");
        assert!(!err.contains("secret"), "{err}");
        assert_eq!(output.status.code(), Some(2), "{err}");
    }
}

#[tokio::test]
async fn a_torture_that_is_stopped_takes_its_servers_with_it() {
    let arguments = ["torture", "--minutes=10", "--seed=1"].map(str::to_owned);
    let mut torture = command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let id = torture.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let server = until("a server", || {
        let text = fs::read_to_string(&children).unwrap_or_default();
        let first = text.split_whitespace().next().map(str::to_owned);
        std::future::ready(first.ok_or(text))
    })
    .await;

    let told = Command::new("kill")
        .args(["-TERM", &id.to_string()])
        .status();
    assert!(told.expect("kill").success());

    let ended = until_within(Duration::from_secs(10), "its end", || {
        let ended = torture.try_wait().expect("waited");
        std::future::ready(ended.ok_or_else(|| "it runs".to_owned()))
    })
    .await;
    assert_eq!(ended.code(), Some(1), "no verdict is no success");
    until_within(PATIENCE, "the end of its server", || {
        let is_there = fs::metadata(format!("/proc/{server}")).is_ok();
        std::future::ready(if is_there {
            Err(server.clone())
        } else {
            Ok(())
        })
    })
    .await;
}
