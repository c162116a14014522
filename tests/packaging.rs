//! The files in `host/ops` with which the server is deployed: that they can be read by what reads them, and keep what they
//! promise. Docker and a cluster are not needed, and nothing is run of them here.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn ops() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/ops")
}

fn read(path: &str) -> String {
    fs::read_to_string(ops().join(path)).expect(path)
}

/// The values of `key: value` or `key=value`, wherever they stand.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    lines
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix([':', '=']))
        .map(str::trim)
        .collect()
}

#[test]
fn the_image_is_small_runs_as_nobody_and_says_whether_it_is_well() {
    let dockerfile = read("Dockerfile");
    let stages: Vec<_> = dockerfile
        .lines()
        .filter(|line| line.starts_with("FROM "))
        .collect();

    assert_eq!(
        stages.len(),
        2,
        "built in one, shipped in the other: {stages:?}"
    );
    assert!(stages[1].contains("distroless") && stages[1].contains("nonroot"));
    assert!(dockerfile.contains("\nUSER 65532:65532\n"));
    assert!(dockerfile.contains("HEALTHCHECK") && dockerfile.contains("\"health\""));
    assert!(dockerfile.contains("--locked"));
    let ignored = fs::read_to_string(ops().join("../../.dockerignore")).expect("it is there");
    for name in ["**/target", ".git", "data"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
    // The compiler that it names is the one that the workspace asks for.
    let manifest = fs::read_to_string(ops().join("../../Cargo.toml")).expect("a manifest");
    let version = values(&manifest.replace(" = ", "="), "rust-version")[0].replace('"', "");
    assert!(
        stages[0].starts_with(&format!("FROM rust:{version}-")),
        "{stages:?}"
    );
}

#[test]
fn whoever_stops_a_server_gives_it_the_time_that_it_takes() {
    // Steps get 20 seconds, then requests 10.
    let least = 30;
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u32>().expect("seconds");

    let compose = read("compose.yaml");
    let unit = read("systemd/orchestrator.service");
    let pods = read("kubernetes/orchestrator.yaml");

    for given in [
        values(&compose, "stop_grace_period"),
        values(&unit, "TimeoutStopSec"),
        values(&pods, "terminationGracePeriodSeconds"),
    ] {
        assert_eq!(given.len(), 1);
        assert!(seconds(given[0]) > least, "{given:?}");
    }
}

#[test]
fn pods_hold_no_rights_and_no_secrets_and_their_metrics_are_not_open() {
    let pods = read("kubernetes/orchestrator.yaml");

    for (key, value) in [
        ("runAsNonRoot", "true"),
        ("readOnlyRootFilesystem", "true"),
        ("allowPrivilegeEscalation", "false"),
        ("automountServiceAccountToken", "false"),
        ("drop", "[ALL]"),
    ] {
        assert_eq!(values(&pods, key), [value], "{key}");
    }
    let kinds = values(&pods, "kind");
    let expected = [
        "ConfigMap",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "NetworkPolicy",
    ];
    assert_eq!(kinds, expected);
    let manifests = pods.split("\n---\n").collect::<Vec<_>>();
    let service = manifests[2];
    assert!(!service.contains("metrics"), "{service}");
    let policy = manifests[4];
    let open = policy.split("- from:").next().expect("what is open to all");
    assert!(
        open.contains("port: http") && !open.contains("port: metrics"),
        "{open}"
    );
    // Secrets come from a Secret, which is nobody's to commit.
    let settings: String = pods.lines().filter(|line| !line.starts_with('#')).collect();
    for secret in ["MASTER_KEY", "OPERATOR_TOKEN", "postgres://"] {
        assert!(!settings.contains(secret), "{secret}");
    }
}

#[test]
fn compose_starts_two_servers_on_one_database_without_a_password_in_the_file() {
    let compose = read("compose.yaml");

    let servers = compose.matches("    <<: *orchestrator\n").count();
    assert_eq!(servers, 2);
    assert_eq!(values(&compose, "condition"), ["service_healthy"]);
    for secret in ["POSTGRES_PASSWORD", "ORCHESTRATOR_MASTER_KEY"] {
        for value in values(&compose, secret) {
            assert!(
                value.starts_with("${") && value.contains(":?"),
                "{secret}: {value}"
            );
        }
    }
    for port in compose
        .lines()
        .filter(|line| line.trim().starts_with("- \"") && line.contains(":80"))
    {
        assert!(port.contains("127.0.0.1:"), "{port}");
    }
    let watched = read("prometheus/compose.yml");
    assert!(watched.contains("\"one:9464\", \"two:9464\""), "{watched}");
}

#[test]
fn the_manifests_are_yaml() {
    let program = "import sys, yaml\nfor path in sys.argv[1:]:\n    assert all(list(yaml.safe_load_all(open(path)))), path";
    let has_yaml = Command::new("python3").args(["-c", "import yaml"]).output();
    if !has_yaml.is_ok_and(|output| output.status.success()) {
        skip(b"\nskipped: YAML of manifests, because Python has no yaml (apt-get install python3-yaml)\n");
        return;
    }
    let checked = Command::new("python3")
        .args(["-c", program])
        .args([
            "compose.yaml",
            "kubernetes/orchestrator.yaml",
            "prometheus/alerts.yml",
        ])
        .current_dir(ops())
        .output()
        .expect("run");
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_little_exposed() {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        skip(b"\nskipped: the unit of systemd, because it is not installed (apt-get install systemd)\n");
        return;
    }
    // Where it would be installed there is no program here.
    let dir = tempfile::tempdir().expect("a folder");
    let unit = dir.path().join("orchestrator.service");
    let text = read("systemd/orchestrator.service");
    let text = text.replace("/usr/local/bin/orchestrator ", "/bin/true ");
    fs::write(&unit, text).expect("written");

    let verified = Command::new("systemd-analyze")
        .args(["--man=no", "verify"])
        .arg(&unit)
        .output()
        .expect("run");
    let exposed = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(&unit)
        .output()
        .expect("run");

    let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success(), "{complaints}");
    assert!(
        !complaints.contains("orchestrator.service:"),
        "{complaints}"
    );
    // 2.0 of 10 at most.
    assert!(
        exposed.status.success(),
        "{}",
        String::from_utf8_lossy(&exposed.stdout)
    );
}

fn skip(line: &[u8]) {
    // Not by a macro: what those print is shown of failed tests only.
    std::io::stderr().write_all(line).expect("written");
}
