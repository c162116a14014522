//! `serve --demo`: alive without anything else, and gone without a trace.

use super::browser::Browser;
use crate::support::process::{Process, command};
use serde_json::Value;

async fn start() -> Process {
    let arguments = ["serve", "--demo", "--listen=127.0.0.1:0", "--log=info"];
    Process::start(command(&arguments.map(str::to_owned))).await
}

#[tokio::test]
async fn a_demo_runs_jobs_by_itself_and_leaves_nothing_behind() {
    let demo = start().await;
    let link = demo.has_said("Look around: ").await;
    let folder = demo.has_said("secrets are sealed under ").await;

    let client = demo.client();
    let all = client.get("/orchestrations").await.expect(200);
    let all = all.as_array().expect("a list");
    assert!(all.iter().any(|one| one["crontabRecord"] == "* * * * *"));
    let jobs = client.get("/jobs?limit=500").await.expect(200);
    let good = demo.finished(&first(&jobs, "Exchange rates")).await;
    assert_eq!(good["status"], "success");
    let bad = demo.finished(&first(&jobs, "Newsletter audience")).await;
    assert_eq!(bad["status"], "error");

    if let Some(mut browser) = Browser::start().await {
        browser.load(link.trim()).await;
        browser.see("#sign-in").await;
        // The token is filled in, stays a secret, and nobody is signed in by a link alone.
        assert_eq!(browser.run("location.hash").await, "#/");
        browser.press("Sign in").await;
        browser.read("Exchange rates").await;
        browser.read("Failed today").await;
        assert_eq!(browser.complaints(), [] as [String; 0]);
    }
    let folder = folder.split("/data/").next().expect("a path").to_owned();
    assert!(std::path::Path::new(&folder).exists(), "{folder}");
    assert!(demo.stop().await.success());
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
}

/// The oldest job of the orchestration with this name.
fn first(jobs: &Value, name: &str) -> Value {
    let mut all = jobs.as_array().expect("a list").iter().rev();
    let job = all.find(|one| one["orchestrationName"] == name);
    job.expect("one that was run at once")["id"].clone()
}

#[tokio::test]
async fn a_demo_is_not_led_to_real_data() {
    for argument in [
        "--data-dir=real",
        "--database-url=postgres://real/db",
        "--config=real.toml",
    ] {
        let arguments = ["serve", "--demo", argument].map(str::to_owned);
        let refused = command(&arguments).output().expect("run");
        assert_eq!(refused.status.code(), Some(2), "{argument}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("cannot be used with"), "{said}");
    }
}
