//! The service as a client meets it: over TLS, with its own authority trusted.

mod caller;

use std::time::Duration;

use caller::{Caller, TOKEN};
use demo_components::{DemoServer, Options};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_is_waiting_then_processing_then_ended() -> anyhow::Result<()> {
    let caller = Caller::new().await?;

    let (code, job) = caller
        .post("/async/run", json!({ "polls": 1, "result": "warning" }))
        .await?;
    let (_, first) = caller.get("/jobs/1").await?;
    let (_, second) = caller.get("/jobs/1").await?;

    let url = format!("{}/jobs/1", caller.demo.base_url());
    assert_eq!(code, 202);
    assert_eq!(
        job,
        json!({ "id": "1", "url": url, "status": "waiting", "isFinished": false })
    );
    assert_eq!(
        first,
        json!({ "id": "1", "url": url, "status": "processing", "isFinished": false, "result": {} })
    );
    assert_eq!(
        second,
        json!({ "id": "1", "url": url, "status": "warning", "isFinished": true,
                "result": { "message": "the demo job ended with warning" } })
    );
    Ok(())
}

#[tokio::test]
async fn a_job_without_the_flag_is_ended_by_time() -> anyhow::Result<()> {
    let caller = Caller::new().await?;

    let (_, job) = caller
        .post("/async-no-flag", json!({ "seconds": 0 }))
        .await?;
    let (_, polled) = caller.get("/jobs/1").await?;

    assert_eq!(job["status"], "waiting");
    assert_eq!(polled["status"], "success");
    assert!(job.get("isFinished").is_none() && polled.get("isFinished").is_none());
    Ok(())
}

#[tokio::test]
async fn a_second_start_is_a_second_job_unless_idempotence_was_asked_for() -> anyhow::Result<()> {
    let caller = Caller::new().await?;

    caller.post("/async/run", json!({ "seconds": 60 })).await?;
    caller.post("/async/run", json!({ "seconds": 60 })).await?;
    let (_, third) = caller
        .post("/async/run", json!({ "idempotent": true, "seconds": 60 }))
        .await?;
    let (_, fourth) = caller
        .post("/async/run", json!({ "idempotent": true }))
        .await?;
    caller.demo.finish_jobs();

    let (_, jobs) = caller.get("/_jobs").await?;
    assert_eq!(third, fourth);
    assert_eq!(jobs["created"], 3);
    assert!(
        caller
            .demo
            .jobs()
            .iter()
            .all(|job| job.is_finished && job.status == "success")
    );
    Ok(())
}

#[tokio::test]
async fn flaky_ones_fail_as_often_as_told() -> anyhow::Result<()> {
    let caller = Caller::new().await?;
    let flaky = json!({ "failures": 1, "code": 429, "retryAfter": 7 });

    let first = caller.send("/flaky/run", &flaky).await?;
    let (second, _) = caller.post("/flaky/run", flaky).await?;
    let (other_name, _) = caller
        .post("/flaky/run", json!({ "failures": 1, "name": "b" }))
        .await?;
    caller
        .post("/flaky-poll/run", json!({ "failures": 1, "polls": 0 }))
        .await?;
    let (failed_poll, _) = caller.get("/jobs/1").await?;
    let (_, polled) = caller.get("/jobs/1").await?;

    assert_eq!(first.status(), 429);
    assert_eq!(first.headers()["retry-after"], "7");
    assert_eq!((second, other_name, failed_poll), (200, 503, 500));
    assert_eq!(polled["status"], "success");
    Ok(())
}

#[tokio::test]
async fn redirects_lead_where_they_were_told_to() -> anyhow::Result<()> {
    let caller = Caller::new().await?;
    let base = caller.demo.base_url();

    let post = caller
        .send("/redirect/run", &json!({ "to": "http://10.0.0.1/" }))
        .await?;
    caller
        .post("/redirect-poll/run", json!({ "polls": 0 }))
        .await?;
    let poll = caller.fetch(Method::GET, "/jobs/1").await?;
    let (_, state) = caller.get("/jobs/1/state").await?;
    let (_, elsewhere) = caller
        .post("/elsewhere/run", json!({ "url": "http://example.com/j" }))
        .await?;

    assert_eq!(
        (post.status().as_u16(), &post.headers()["location"]),
        (307, &"http://10.0.0.1/".parse()?)
    );
    assert_eq!(
        (poll.status().as_u16(), &poll.headers()["location"]),
        (302, &format!("{base}/jobs/1/state").parse()?)
    );
    assert_eq!(state["isFinished"], true);
    assert_eq!(elsewhere["url"], "http://example.com/j");
    Ok(())
}

#[tokio::test]
async fn the_direct_ones_answer_as_the_catalog_says() -> anyhow::Result<()> {
    let caller = Caller::new().await?;

    let (_, echo) = caller.post("/echo/run", json!({ "a": 1 })).await?;
    let (_, echo_token) = caller.post("/echo-token/run", json!({})).await?;
    let status = caller
        .post("/status/run", json!({ "code": 404, "message": "no table" }))
        .await?;
    let html = caller.send("/not-json/run", &json!({})).await?;
    let huge = caller.send("/huge/run", &json!({ "megabytes": 2 })).await?;

    assert_eq!(echo["parameters"], json!({ "a": 1 }));
    assert_eq!(echo["headers"]["x-storageapi-token"], "*****");
    assert_eq!(echo_token["nested"]["list"], json!([TOKEN]));
    assert_eq!(
        status,
        (
            404,
            json!({ "status": "error", "code": 404, "message": "no table" })
        )
    );
    assert_eq!(
        caller.post("/sync/run", json!({})).await?,
        (200, json!({ "rows": 3 }))
    );
    assert_eq!(
        caller
            .post("/slow/run", json!({ "seconds": 0.01 }))
            .await?
            .0,
        200
    );
    assert_eq!(
        caller.post("/empty/run", json!({})).await?,
        (204, Value::Null)
    );
    assert_eq!(html.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(huge.bytes().await?.len(), 2 * 1024 * 1024 + 11);
    Ok(())
}

#[tokio::test]
async fn mistakes_are_answered_with_a_message() -> anyhow::Result<()> {
    let caller = Caller::new().await?;

    let (unknown, _) = caller.post("/nobody/run", json!({})).await?;
    let (no_job, _) = caller.get("/jobs/0").await?;
    let (wrong, message) = caller
        .post("/async/run", json!({ "result": "sucess" }))
        .await?;
    let (informational, _) = caller.post("/status/run", json!({ "code": 100 })).await?;

    assert_eq!(
        (unknown, no_job, wrong, informational),
        (404, 404, 400, 400)
    );
    assert!(
        message["message"]
            .as_str()
            .is_some_and(|text| text.contains("sucess"))
    );
    Ok(())
}

#[tokio::test]
async fn the_unanswered_are_recorded_all_the_same() -> anyhow::Result<()> {
    let caller = Caller::new().await?;
    let body = json!({ "a": 1 });
    let hang = caller.send("/hang/run", &body);

    let close = caller.send("/close/run", &json!({})).await;
    let hung = tokio::time::timeout(Duration::from_millis(200), hang).await;
    let seen = caller
        .demo
        .wait_for(|seen| seen.len() == 2, Duration::from_secs(5))
        .await?;

    assert!(close.is_err() && hung.is_err());
    let [first, second] = seen.as_slice() else {
        anyhow::bail!("two requests: {seen:?}")
    };
    assert_eq!((first.order, first.path.as_str()), (1, "/close/run"));
    assert_eq!((second.order, second.path.as_str()), (2, "/hang/run"));
    assert_eq!(second.header("X-StorageApi-Token"), Some(TOKEN));
    assert_eq!(second.json(), Some(json!({ "a": 1 })));
    Ok(())
}

#[tokio::test]
async fn the_record_is_read_and_cleared_over_http_and_does_not_record_that() -> anyhow::Result<()> {
    let caller = Caller::new().await?;
    caller.post("/sync/run?x=1", json!({ "a": 1 })).await?;

    let (_, before) = caller.get("/_requests").await?;
    caller.fetch(Method::DELETE, "/_requests").await?;
    let (_, after) = caller.get("/_requests").await?;

    assert_eq!(before.as_array().map(Vec::len), Some(1));
    assert_eq!(before[0]["path"], "/sync/run?x=1");
    assert_eq!(before[0]["body"], json!({ "a": 1 }));
    assert_eq!(before[0]["headers"]["x-storageapi-token"], TOKEN);
    assert_eq!(after, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_stopped_service_frees_its_port_and_cuts_its_connections() -> anyhow::Result<()> {
    let Caller { demo, client } = Caller::new().await?;
    let url = format!("{}/sync/run", demo.base_url());
    let (listen, certificates) = (demo.address(), Some(demo.certificates()));
    client.post(&url).send().await?;

    demo.stop().await;
    let refused = client.post(&url).send().await;
    let again = DemoServer::start(Options {
        listen,
        certificates,
    })
    .await?;
    client.post(&url).send().await?;

    assert!(refused.is_err_and(|error| error.is_connect()));
    assert_eq!(again.requests().len(), 1);
    Ok(())
}
