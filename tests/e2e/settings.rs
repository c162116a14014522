//! The command line: what is refused, and how.

use crate::support::process::{self, Installation, command};
use crate::support::steps::demo;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

async fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
    let output = process::output(command(&arguments)).await;
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test]
async fn a_wrong_setting_is_refused_by_name() {
    for (argument, name) in [
        ("--listen=nowhere", "listen"),
        ("--workers=0", "workers"),
        ("--components-url=http://example.com", "components-url"),
        ("--outbound-ca=/no/such.pem", "outbound-ca"),
        ("--config=/no/such.toml", "config"),
    ] {
        let (code, _, err) = output(&["serve", argument]).await;
        assert_eq!(code, Some(2), "{argument}: {err}");
        assert!(err.starts_with(&format!("error: {name} ")), "{err}");
    }
}

#[tokio::test]
async fn the_help_names_every_setting_with_its_default() {
    let (code, out, _) = output(&["--help"]).await;
    assert_eq!(code, Some(0));
    for text in [
        "--listen",
        "127.0.0.1:8080",
        "--smtp-url",
        "https://syrup.keboola.com",
        "ORCHESTRATOR_MASTER_KEY",
    ] {
        assert!(out.contains(text), "{text} is not in {out}");
    }
    let settings = out.matches("[default:").count() + out.matches("[env:").count();
    assert!(settings >= 30, "{out}");
}

#[tokio::test]
async fn a_second_server_on_a_data_directory_is_refused() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let data_dir = format!("--data-dir={}", installation.data_dir().display());

    let (code, _, err) = output(&["serve", &data_dir, "--listen=127.0.0.1:0"]).await;

    assert_eq!(code, Some(1));
    assert!(
        err.contains("another server is running on the data-dir"),
        "{err}"
    );
    for name in [
        "orchestrator.sqlite",
        "orchestrator.sqlite-wal",
        "master.key",
    ] {
        let metadata = fs::metadata(installation.data_dir().join(name)).expect(name);
        let mode = metadata.permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is this user's only");
    }
    assert!(process.stop().await.success());
}

#[test]
fn the_first_master_token_is_made_printed_once_and_kept() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let data_dir = dir.path().join("data");
    let argument = format!("--data-dir={}", data_dir.display());
    let arguments = [
        "serve".to_owned(),
        argument,
        "--listen=127.0.0.1:0".to_owned(),
    ];
    let mut child = command(&arguments)
        .env_remove("ORCHESTRATOR_MASTER_TOKEN")
        .spawn()
        .expect("started");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut first)
        .expect("a line");
    let kept = fs::read_to_string(data_dir.join("master-token"));
    child.kill().expect("killed");
    child.wait().expect("ended");

    let kept = kept.expect("kept");
    assert_eq!(first, format!("Master token of project 1: {kept}"));
}
