//! The files for operators in `host/ops`, held against a live server: dashboard and alerts name metrics that exist, and a
//! real Prometheus scrapes it and raises the alarm for a schedule that nobody fires.

use super::metrics::{metrics_address, scrape};
use crate::support::client::Client;
use crate::support::postgres::Cluster;
use crate::support::process::{Installation, PATIENCE, until, until_within};
use crate::support::steps::demo;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

fn ops() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/ops")
}

fn read(path: &str) -> String {
    fs::read_to_string(ops().join(path)).expect(path)
}

/// `false`, and a line that says so, where it is not installed.
fn is_installed() -> bool {
    let version = Command::new("prometheus").arg("--version").output();
    let is_installed = version.is_ok_and(|output| output.status.success());
    if !is_installed {
        // Not by a macro: what those print is shown of failed tests only.
        let line = b"\nskipped: tests with Prometheus, because it is not installed (apt-get install prometheus)\n";
        std::io::stderr().write_all(line).expect("written");
    }
    is_installed
}

/// The words of a text that are names of this server's metrics.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| {
            ["orchestrator_", "process_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        })
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn dashboard_and_alerts_name_metrics_that_a_live_server_has() {
    let demo = demo().await;
    let installation = Installation::new(&demo).with("--metrics-listen=127.0.0.1:0".to_owned());
    let process = installation.start().await;
    let client = process.client();
    client.get("/nothing").await.expect(404);
    let failing = json!({"component": "status", "actionParameters": {"code": 400}});
    let told = json!({"email": "ops@example.com", "channel": "error"});
    let id = process
        .run(json!({"name": "Fails", "tasks": [failing], "notifications": [told]}))
        .await;
    process.finished(&id).await;
    let dashboard: Value = serde_json::from_str(&read("grafana/dashboard.json")).expect("JSON");
    let expressions = dashboard.to_string() + &read("prometheus/alerts.yml");
    let named = names(&expressions);

    let missing = until("every name to be there", || async {
        let printed = scrape(&process).await;
        let there = names(&printed);
        let missing: Vec<_> = named.difference(&there).cloned().collect();
        if missing.is_empty() {
            Ok(missing)
        } else {
            Err(format!("{missing:?} in\n{printed}"))
        }
    })
    .await;

    assert!(missing.is_empty());
    assert!(named.len() > 40, "{named:?}");
    let panels = dashboard["panels"].as_array().expect("panels");
    let with_a_query = panels.iter().filter(|panel| panel["targets"].is_array());
    assert!(with_a_query.count() > 20);
}

#[test]
fn the_alert_rules_are_valid_and_raise_what_their_own_tests_say() {
    if !is_installed() {
        return;
    }
    for arguments in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "alerts.yml"],
        &["test", "rules", "alerts-test.yml"],
    ] {
        let promtool = Command::new("promtool")
            .args(arguments)
            .current_dir(ops().join("prometheus"))
            .output()
            .expect("run");
        let text = String::from_utf8_lossy(&promtool.stderr);
        assert!(promtool.status.success(), "{arguments:?}: {text}");
    }
}

/// A running Prometheus; dropping it ends it.
struct Prometheus {
    child: Child,
    base: String,
    _dir: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With the shipped rules and settings, but in seconds where these say minutes.
    async fn start(target: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let patient: Vec<_> = ["30m", "15m", "10m", "5m", "2m", "1m"]
            .iter()
            .map(|time| format!("for: {time}\n"))
            .collect();
        let rules = read("prometheus/alerts.yml");
        let rules = patient.iter().fold(rules, |rules, patience| {
            rules.replace(patience, "for: 2s\n")
        });
        write("alerts.yml", rules);
        let config = read("prometheus/prometheus.yml")
            .replace("15s", "1s")
            .replace("127.0.0.1:9464", target);
        let config = write("prometheus.yml", config);
        // A port that is free now, and most likely in a moment, too.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("tsdb").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        Self {
            child,
            base: format!("http://{address}"),
            _dir: dir,
        }
    }

    /// What it answers, once it does.
    async fn ask(&self, path: &str) -> Result<Value, String> {
        let client = Client::new(self.base.clone(), None);
        let answer = client.request(Method::GET, path).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }
}

#[tokio::test]
async fn a_real_prometheus_scrapes_a_live_server_and_tells_of_a_schedule_that_nobody_fires() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    if !is_installed() {
        return;
    }
    // A host that leaves schedules to others, where there are none.
    let database = cluster.fresh_url();
    let installation = Installation::shared(&demo().await, &database)
        .with("--metrics-listen=127.0.0.1:0".to_owned())
        .with("--roles=api,runner,notifier".to_owned());
    let process = installation.start().await;
    let hourly = json!({"name": "Hourly", "crontabRecord": "0 * * * *"});
    process
        .client()
        .post("/orchestrations", hourly)
        .await
        .expect(201);
    let target = metrics_address(&process)
        .replace("http://", "")
        .replace("/metrics", "");
    let prometheus = Prometheus::start(&target).await;

    until("the first scrape", || async {
        let answer = prometheus
            .ask("/api/v1/query?query=orchestrator_hosts_alive")
            .await?;
        let value = answer["data"]["result"][0]["value"][1].clone();
        (value == "1")
            .then_some(())
            .ok_or_else(|| answer.to_string())
    })
    .await;
    let before = alerts(&prometheus).await.expect("alerts");
    let pool = PgPool::connect(&database).await.expect("connected");
    sqlx::query("UPDATE orchestrations SET next_scheduled_at = next_scheduled_at - 7200000000")
        .execute(&pool)
        .await
        .expect("an hour ago at least");

    let firing = until_within(2 * PATIENCE, "the alert to fire", || async {
        let alerts = alerts(&prometheus).await?;
        let of = |alert: &&Value| alert["labels"]["alertname"] == "OrchestratorScheduleOverdue";
        match alerts.iter().find(of) {
            Some(alert) if alert["state"] == "firing" => Ok(alert.clone()),
            _ => Err(format!("{alerts:?}")),
        }
    })
    .await;

    assert_eq!(before, Vec::<Value>::new());
    assert_eq!(firing["labels"]["severity"], "page", "{firing}");
    let summary = firing["annotations"]["summary"]
        .as_str()
        .expect("a summary");
    assert!(
        summary.starts_with("A schedule is overdue by 1h"),
        "{firing}"
    );
}

async fn alerts(prometheus: &Prometheus) -> Result<Vec<Value>, String> {
    let answer = prometheus.ask("/api/v1/alerts").await?;
    let alerts = answer["data"]["alerts"].as_array();
    alerts.cloned().ok_or_else(|| answer.to_string())
}
