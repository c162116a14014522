//! A schedule on the real clock.

use crate::support::process::{Installation, PATIENCE, until_within};
use crate::support::steps::demo;
use serde_json::json;

#[tokio::test]
async fn a_job_is_made_and_run_when_its_minute_comes() {
    let demo = demo().await;
    let installation = Installation::new(&demo);
    let process = installation.start().await;
    let client = process.client();
    let every_minute =
        json!({"name": "Minutely", "crontabRecord": "* * * * *", "tasks": [{"component": "sync"}]});
    let made = client
        .post("/orchestrations", every_minute)
        .await
        .expect(201);
    let due = made["nextScheduledTime"].clone();

    let path = format!("/orchestrations/{}/jobs", made["id"]);
    // The next minute is up to sixty seconds away: longer than patience for anything else.
    let job = until_within(2 * PATIENCE, "the job of the next minute", || async {
        let jobs = client.get(&path).await.expect(200);
        match &jobs[0] {
            job if job["isFinished"] == true => Ok(job.clone()),
            _ => Err(jobs.to_string()),
        }
    })
    .await;

    assert_eq!(job["status"], "success");
    assert_eq!(job["initializedBy"], "scheduler");
    let after = client
        .get(&format!("/orchestrations/{}", made["id"]))
        .await
        .expect(200);
    assert_eq!(after["lastScheduledTime"], due);
    assert_eq!(after["lastExecutedJob"]["id"], job["id"]);
}
