//! What a page shows by itself, as it happens, and what a keyboard does.

use super::Desk;
use serde_json::{Value, json};

async fn run(desk: &Desk, name: &str, tasks: Value) -> Value {
    let client = desk.process.client();
    let body = json!({"name": name, "tasks": tasks});
    let made = client.post("/orchestrations", body).await.expect(201);
    let path = format!("/orchestrations/{}/jobs", made["id"]);
    client.post(&path, json!({})).await.expect(201)["id"].clone()
}

#[tokio::test]
async fn the_overview_raises_the_alarm_by_itself_when_a_job_fails_or_waits_too_long() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    // Something runs, and its next job has to wait.
    let slow = json!([{"component": "async", "actionParameters": {"seconds": 600}}]);
    run(&desk, "Slow", slow).await;
    let client = desk.process.client();
    let second = client.post("/orchestrations/1/jobs", json!({})).await;
    let second = second.expect(201)["id"].clone();
    desk.browser.go("#/orchestrations").await;
    desk.browser.go("#/").await;
    desk.browser.read("Nothing has failed today").await;
    desk.browser.read("running now · 1 waiting").await;
    desk.browser.run("window.isStillTheSame = true").await;

    let failing =
        json!([{"component": "status", "actionParameters": {"message": "no such table"}}]);
    let failed = run(&desk, "Nightly load", failing).await;

    let browser = &mut desk.browser;
    browser.see(".message[data-kind=bad] a").await;
    browser.read("Nightly load failed").await;
    let alarm = format!(".alarms a[href='#/jobs/{failed}']");
    browser.see(&alarm).await;
    browser
        .read("component answered 400 Bad Request: no such table")
        .await;
    // Eleven minutes later, by the browser's own clock.
    browser
        .run("{ const now = Date.now; Date.now = () => now() + 660_000; }")
        .await;
    let third = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    browser.read("waits too long: for 11 min").await;
    browser
        .see(&format!(".alarms a[href='#/jobs/{second}']"))
        .await;
    assert_ne!(third["id"], second);
    assert_eq!(browser.run("window.isStillTheSame").await, true);
    assert_eq!(browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn a_job_is_watched_with_its_progress_and_a_log_that_follows_and_can_be_searched() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let slow = json!({"component": "async", "actionParameters": {"seconds": 600}, "phase": "2"});
    let tasks = json!([{"component": "sync"}, {"component": "echo"}, slow, {"component": "sync", "phase": "2"}]);
    let job = run(&desk, "Watched", tasks).await;

    let browser = &mut desk.browser;
    browser.go(&format!("#/jobs/{job}")).await;
    browser.read("3 of 4 tasks").await;
    browser.see(".progress[aria-valuenow='75']").await;
    let percent = "import('./components/progress.js').then(({ shareOf }) => ['45 %: loads', '145 %: x', 'loads 45 %: x'] \
                   .map((message) => shareOf({ status: 'processing', message })))";
    assert_eq!(browser.run(percent).await, json!([0.45, 1, null]));
    // This one says nothing of how far it is, so neither do the pages.
    browser
        .run("document.querySelector('[data-task=\"3\"]').click()")
        .await;
    browser.see(".detail .progress:not([aria-valuenow])").await;
    browser.read("Computing").await;
    browser
        .type_into(".bar-of-log input[type=search]", "echo")
        .await;
    browser.until("[...document.querySelectorAll('.log p:not([hidden])')].every((one) => one.textContent.includes('echo'))").await;
    desk.demo.finish_jobs();
    browser.see(".head .status[data-status=success]").await;
    browser
        .until("!document.querySelector('[data-task] .bar[data-status=processing]')")
        .await;
    browser
        .until("document.querySelector('.log p:last-child').hidden")
        .await;
    assert_eq!(browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn jobs_are_found_over_all_orchestrations() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let good = run(&desk, "Good one", json!([{"component": "sync"}])).await;
    let bad = run(&desk, "Bad one", json!([{"component": "status"}])).await;
    desk.process.finished(&good).await;
    desk.process.finished(&bad).await;

    let browser = &mut desk.browser;
    browser.go("#/jobs").await;
    browser.see("td a[href='#/jobs/1']").await;
    browser.see("td a[href='#/jobs/2']").await;
    browser.go("#/jobs?status=error").await;
    browser
        .until("!document.querySelector(\"td a[href='#/jobs/1']\")")
        .await;
    browser.read("Bad one").await;
    browser.press("Clear filters").await;
    browser.read("Good one").await;
    assert_eq!(browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn everything_can_be_reached_and_left_by_keyboard() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let job = run(&desk, "By keyboard", json!([{"component": "sync"}])).await;
    desk.process.finished(&job).await;

    let browser = &mut desk.browser;
    browser.go("#/orchestrations").await;
    browser.read("By keyboard").await;
    browser.key("/").await;
    browser
        .until("document.activeElement.type === 'search'")
        .await;
    browser.key("k").await;
    browser.until("document.activeElement.value === 'k'").await;
    browser.key("Escape").await;
    browser
        .until("document.querySelector('input[type=search]').value === ''")
        .await;
    // Each stop of the tabulator can be seen, and one of them is the way to the orchestration.
    browser.run("document.querySelector('main').focus()").await;
    let mut reached = Value::Null;
    for _ in 0..20 {
        browser.key("Tab").await;
        let stop = "(() => { const one = document.activeElement; const style = getComputedStyle(one); \
                    return [one.textContent, style.outlineStyle !== 'none' && style.outlineWidth !== '0px']; })()";
        reached = browser.run(stop).await;
        assert_eq!(reached[1], true, "{reached}");
        if reached[0] == "By keyboard" {
            break;
        }
    }
    assert_eq!(reached[0], "By keyboard");
    browser.key("Enter").await;
    browser.press("Run now …").await;
    browser.see("dialog[open]").await;
    browser.key("Escape").await;
    browser.until("!document.querySelector('dialog')").await;
    assert_eq!(browser.complaints(), [] as [String; 0]);
}

#[tokio::test]
async fn who_signs_out_is_out_and_a_wrong_token_is_not_let_in() {
    let Some(mut desk) = Desk::open().await else {
        return;
    };
    let browser = &mut desk.browser;
    browser.press("Sign out").await;
    browser.see("#sign-in").await;
    browser
        .type_into("input[name=token]", "no-token-of-anybody")
        .await;
    browser.press("Sign in").await;
    browser.read("This token is not valid.").await;
    let log = desk.process.client().get("/audit").await.expect(200);
    assert_eq!(log[0]["action"], "session.close");
    assert_eq!(log[1]["action"], "session.open");
}
