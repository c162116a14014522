//! `GET /jobs`: the jobs of a project over all orchestrations.

use super::{create_path, start};
use crate::support::client::Client;
use orchestrator::domain::job::Status;
use serde_json::{Value, json};

async fn run(client: &Client, path: &str) -> Value {
    let path = format!("{path}/jobs");
    client.post(&path, json!({})).await.expect(201)["id"].clone()
}

fn ids(found: &Value) -> Vec<&Value> {
    let all = found.as_array().expect("a list").iter();
    all.map(|one| &one["id"]).collect()
}

#[tokio::test]
async fn jobs_of_all_orchestrations_are_found_page_by_page_with_their_progress() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let tasks =
        json!([{"component": "a"}, {"component": "b"}, {"component": "c", "active": false}]);
    let one = create_path(&client, tasks).await;
    let other = create_path(&client, json!([{"component": "a"}])).await;
    for path in [&one, &other, &other] {
        run(&client, path).await;
    }
    let steps = server.claim().await;
    let step = steps
        .iter()
        .find(|step| step.job.id.0 == 1)
        .expect("claimed");
    server.end(step, Status::Success, None, None).await;

    let answer = client.get("/jobs?limit=2").await;
    assert_eq!(answer.headers["x-next-before"], "2");
    assert_eq!(ids(&answer.expect(200)), [3, 2]);
    let answer = client.get("/jobs?limit=2&before=2").await;
    assert!(!answer.headers.contains_key("x-next-before"));
    let last = answer.expect(200);
    assert_eq!(ids(&last), [1]);
    assert_eq!(
        last[0]["progress"],
        json!({"tasks": 2, "ended": 1, "failed": 0})
    );
    assert_eq!(last[0]["orchestrationName"], "Main");
    assert_eq!(last[0]["status"], "processing");
    assert!(last[0].get("results").is_none() && last[0].get("tasks").is_none());
    let waiting = client.get("/jobs?status=waiting&orchestrationId=2").await;
    assert_eq!(ids(&waiting.expect(200)), [3]);
    client.delete(&other).await.expect(204);
    let deleted = client.get("/jobs?status=cancelled").await.expect(200);
    assert_eq!(deleted[0]["orchestrationName"], "Main");
}

#[tokio::test]
async fn a_search_finds_nothing_of_other_projects() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = create_path(&client, json!([{"component": "a"}])).await;
    run(&client, &path).await;
    let other = server.add_project("Other").await;
    let path = create_path(&other, json!([{"component": "a"}])).await;
    run(&other, &path).await;

    assert_eq!(ids(&other.get("/jobs").await.expect(200)), [2]);
    for query in [
        "orchestrationId=1",
        "before=1",
        "before=99",
        "orchestrationId=99",
    ] {
        let found = other.get(&format!("/jobs?{query}")).await;
        assert_eq!(found.expect(200), json!([]), "{query}");
    }
}
