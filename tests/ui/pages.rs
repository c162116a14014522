//! What people come to the pages for, done as they do it.

use super::Desk;
use crate::support::guests::guest;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

async fn create(desk: &Desk, name: &str, tasks: Value) -> Value {
    let body = json!({"name": name, "tasks": tasks});
    let client = desk.process.client();
    client.post("/orchestrations", body).await.expect(201)["id"].clone()
}

#[tokio::test]
async fn somebody_creates_an_orchestration_runs_it_watches_it_fail_and_runs_it_again_from_there() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let browser = &mut desk.browser;

    // A new orchestration of two tasks, the second of which fails.
    browser.press("New orchestration").await;
    browser.type_into("input[name=name]", "Every night").await;
    browser
        .type_into("input[name=crontab]", "0 2 * * 1-5")
        .await;
    browser.read("At 02:00, on Monday to Friday").await;
    browser.press("Add a task").await;
    browser.type_into("input[name=component]", "sync").await;
    browser.press("Add a task").await;
    browser
        .type_into("details:nth-of-type(2) input[name=component]", "status")
        .await;
    browser.press("Create").await;
    browser.press("Run now …").await;
    browser.press("Run now").await;

    // Its job, as it goes.
    browser.until("location.hash.startsWith('#/jobs/')").await;
    browser.see(".head .status[data-status=error]").await;
    browser.see(".task .status[data-status=success]").await;
    browser.see(".log [data-level=error]").await;
    browser.press("Run again from failed").await;
    browser
        .until("location.hash === '#/jobs/2' && document.body.innerText.includes('left out')")
        .await;
    browser.see(".head .status[data-status=error]").await;

    // The component was called once for the first task, and twice for the second.
    let called = |path: &str| {
        let requests = desk.demo.requests();
        requests
            .iter()
            .filter(|one| one.path.contains(path))
            .count()
    };
    assert_eq!((called("/sync/"), called("/status/")), (1, 2));
    desk.browser.go("#/").await;
    desk.browser.read("Failed today").await;
    desk.browser.see("a[href='#/jobs/2']").await;
    assert_eq!(desk.browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_and_a_schedule_switched_off() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let slow = json!([{"component": "async", "actionParameters": {"seconds": 600}}]);
    let id = create(&desk, "Slow", slow).await;
    let path = format!("/orchestrations/{id}/jobs");
    let client = desk.process.client();
    client.post(&path, json!({})).await.expect(201);
    let second = client.post(&path, json!({})).await.expect(201)["id"].clone();

    let browser = &mut desk.browser;
    browser.go(&format!("#/jobs/{second}")).await;
    browser.press("Cancel").await;
    browser.see(".head .status[data-status=cancelled]").await;
    browser.go("#/orchestrations").await;
    browser.press("Slow is enabled").await;
    browser.see("button[role=switch][aria-checked=false]").await;

    let kept = client
        .get(&format!("/orchestrations/{id}"))
        .await
        .expect(200);
    assert_eq!(kept["active"], false);
    assert_eq!(desk.browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn a_plugin_is_uploaded_and_granted_what_it_asks_for() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("plugin.wasm");
    std::fs::write(&file, guest("calls-out")).expect("written");

    let browser = &mut desk.browser;
    browser.go("#/plugins").await;
    browser
        .choose_file("input[type=file]", file.to_str().expect("text"))
        .await;
    browser.press("Upload").await;
    browser.read("It waits for your grant.").await;
    browser.press("Grant what is ticked").await;
    browser
        .until("!document.body.innerText.includes('It waits for your grant.')")
        .await;

    let plugins = desk.process.client().get("/plugins").await.expect(200);
    let mut plugins = plugins.as_array().expect("a list").iter();
    let own = plugins
        .find(|one| one["origin"] == "project")
        .expect("uploaded");
    assert_eq!(own["status"], "ready");
    assert_eq!(own["granted"]["capabilities"], json!(["http"]));
    assert_eq!(desk.browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn every_page_can_be_used_by_everybody_in_light_and_dark_and_on_a_phone() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let Some(axe) = axe() else { return };
    let tasks = json!([{"component": "sync", "phase": "1"}, {"component": "status", "phase": "1"}]);
    let long = "A name that goes on and on ".repeat(8);
    create(&desk, long.trim(), tasks).await;
    let client = desk.process.client();
    let job = client.post("/orchestrations/1/jobs", json!({})).await;
    desk.process.finished(&job.expect(201)["id"]).await;

    let browser = &mut desk.browser;
    for page in [
        "#/",
        "#/orchestrations",
        "#/orchestrations/new",
        "#/orchestrations/1",
        "#/orchestrations/1/jobs",
        "#/jobs",
        "#/jobs/1",
        "#/plugins",
        "#/plugins/http-component",
        "#/tokens",
        "#/credentials",
        "#/quotas",
        "#/audit",
    ] {
        browser
            .run("document.querySelector('main').replaceChildren()")
            .await;
        browser.go(page).await;
        browser.see("main h1").await;
        browser.until("document.title !== 'Orchestrator'").await;
        browser.run(&format!("{axe};0")).await;
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 390)] {
            browser.prefer(scheme).await;
            browser.resize(width, 844).await;
            let found = browser.run(FINDINGS).await;
            assert!(found["passes"].as_u64() > Some(5), "{page}: {found}");
            assert_eq!(found["serious"], json!([]), "{page} {scheme} {width}");
            assert_eq!(found["overflow"], 0, "{page} {scheme} {width}");
        }
    }
    assert_eq!(desk.browser.complaints(), [] as [String; 0]);
}

/// What axe finds, and by how much the page is wider than its window.
pub(super) const FINDINGS: &str = "axe.run(document).then((found) => ({
    passes: found.passes.length,
    serious: found.violations.filter((one) => ['serious', 'critical'].includes(one.impact))
        .map((one) => [one.id, one.nodes.map((node) => node.html)]),
    overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
}))";

/// The checker of accessibility, from its registry; `None`, and a line that says so, where it cannot be had.
pub(super) fn axe() -> Option<String> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let script = dir.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--prefix"]);
        let installed = npm.arg(&dir).arg("axe-core@4").output();
        if !installed.is_ok_and(|output| output.status.success()) {
            let line =
                b"\nskipped: accessibility of the pages, because npm cannot install axe-core\n";
            std::io::Write::write_all(&mut std::io::stderr(), line).expect("written");
            return None;
        }
    }
    Some(std::fs::read_to_string(script).expect("the script"))
}
