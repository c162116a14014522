//! The page that explains the API, as somebody reads it who is not signed in.

use super::browser::Browser;
use super::pages::{FINDINGS, axe};
use crate::support::process::Installation;
use crate::support::steps::demo;
use serde_json::json;

#[tokio::test]
async fn somebody_finds_an_operation_on_the_page_of_the_api_and_copies_its_call() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let page = format!("{}/docs", process.base);

    browser.load(&page).await;
    browser.see("#createOrchestration pre").await;
    browser.type_into("#find", "cancelJob").await;
    browser
        .until("document.querySelector('#createOrchestration').hidden")
        .await;
    browser.see("#cancelJob:not([hidden])").await;

    let shown = browser
        .run("[...document.querySelectorAll('.operation:not([hidden])')].map((one) => one.id)")
        .await;
    assert_eq!(shown, json!(["cancelJob"]));
    let call = browser
        .run("document.querySelector('#cancelJob .copied pre').textContent")
        .await;
    let expected = format!(
        "curl -s -X DELETE '{}/jobs/1' \\\n  -H \"X-StorageApi-Token: $TOKEN\"",
        process.base
    );
    assert_eq!(call, expected);
    // Whatever is opened can be read.
    browser
        .run(
            "document.querySelectorAll('#cancelJob details').forEach((one) => { one.open = true })",
        )
        .await;
    browser.read("JOB_NOT_WAITING").await;
    if let Some(axe) = axe() {
        browser.run(&format!("{axe};0")).await;
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 390)] {
            browser.prefer(scheme).await;
            browser.resize(width, 844).await;
            let found = browser.run(FINDINGS).await;
            assert_eq!(found["serious"], json!([]), "{scheme} {width}");
            assert_eq!(found["overflow"], 0, "{scheme} {width}");
        }
    }
    assert_eq!(browser.complaints(), [] as [String; 0]);
}
