//! Every example of the blueprint, sent as printed.

use crate::support::document::{Call, Document};
use crate::support::server::Server;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

const TASKS: &str = r#"[
{
"component": "ex-facebook",
"action": "run",
"actionParameters": {},
"continueOnFailure": false,
"timeoutMinutes": null,
"active": true
},
{
"component": "transformation",
"action": "run",
"actionParameters": {},
"continueOnFailure": false,
"timeoutMinutes": null,
"active": true
},
{
"componentUrl": "https://syrup.keboola.com/gooddata-writer/execute-reports",
"actionParameters": {},
"continueOnFailure": true,
"timeoutMinutes": 10,
"active": true
}
]"#;

const NOTIFICATIONS: &str = r#"[
{
"email": "someone@somewhere.com",
"channel": "error",
"parameters": {
}
},
{
"email": "someone@somewhere.com",
"channel": "waiting",
"parameters": {
"timeout": 10
}
},
{
"email": "someone@somewhere.com",
"channel": "processing",
"parameters": {
"tolerance": 20
}
}
]"#;

const JOB_TASKS: &str = r#"[
{
"component": "ex-facebook",
"action": "run",
"actionParameters": {},
"continueOnFailure": false,
"timeoutMinutes": null,
"active": false
},
{
"component": "transformation",
"action": "run",
"actionParameters": {},
"continueOnFailure": false,
"timeoutMinutes": null,
"active": false
},
{
"componentUrl": "https://syrup.keboola.com/gooddata-writer/execute-reports",
"actionParameters": {},
"continueOnFailure": true,
"timeoutMinutes": 10,
"active": true
}
]"#;

/// A request as an old client writes it: HTTP/1.0, no `Host`, no `Content-Type`.
fn http_1_0(token: &str, method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.0\r\nX-StorageApi-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// These requests do not come from the client, which would do it.
fn hold_to_document(method: &str, path: &str, sent: &str, head: &str, body: &str) {
    let call = Call {
        method: method.parse().expect("a method"),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        content_type: None,
        body: sent.as_bytes().to_vec(),
    };
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let lines = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    let headers = lines.map(|(name, value)| {
        let name = name.parse().expect("a name");
        (name, value.parse().expect("a value"))
    });
    let headers: HeaderMap = headers.collect();
    Document::get().check(&call, status.expect("a status"), &headers, body.as_bytes());
}

struct Exchange {
    head: String,
    body: String,
}

/// The blueprint's token 1661 sends each example.
async fn send(
    (server, token): &(Server, String),
    method: &str,
    path: &str,
    sent: &str,
) -> Exchange {
    let answer = server.send_raw(&http_1_0(token, method, path, sent)).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    hold_to_document(method, path, sent, head, body);
    Exchange {
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Exchange {
    #[track_caller]
    fn expect(&self, status: u16) -> Value {
        let line = self.head.lines().next().unwrap_or_default();
        assert!(
            line.contains(&format!(" {status} ")),
            "{line}: {}",
            self.body
        );
        if self.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&self.body).expect("JSON")
        }
    }
}

async fn start() -> Option<(Server, String)> {
    let server = super::start().await?;
    server.number_tokens_from(1661).await;
    let (bearer, id) = server.add_plain_token("Orchestrator token").await;
    assert_eq!(id, 1661);
    server.number_orchestrations_from(2362).await;
    Some((server, bearer.token.expect("a token")))
}

fn create_body() -> String {
    format!(
        r#"{{
"name": "Main orchestrator",
"crontabRecord": "0 * * * *",
"tokenId": 1661,
"notifications": {NOTIFICATIONS},
"tasks": {TASKS}
}}"#
    )
}

/// Tasks as printed in answers: with ids, and with the keys that requests may leave out.
fn stored(tasks: &str) -> Value {
    let mut tasks: Value = serde_json::from_str(tasks).expect("JSON");
    for (at, task) in tasks.as_array_mut().expect("array").iter_mut().enumerate() {
        task["id"] = json!((at + 1).to_string());
        task["phase"] = Value::Null;
    }
    tasks
}

#[tokio::test]
async fn an_orchestration_is_created_listed_read_updated_and_deleted() {
    let Some(server) = start().await else { return };

    let created = send(&server, "POST", "/orchestrations", &create_body()).await;
    super::snapshots().bind(|| {
        insta::assert_snapshot!(
            "created_orchestration",
            created.body.replace(&server.0.address.to_string(), "host")
        );
    });
    let created = created.expect(201);
    assert_eq!(created["tasks"], stored(TASKS));
    assert_eq!(
        created["notifications"],
        serde_json::from_str::<Value>(NOTIFICATIONS).expect("JSON")
    );

    let read = send(&server, "GET", "/orchestrations/2362", "")
        .await
        .expect(200);
    assert_eq!(read, created);

    let list = send(&server, "GET", "/orchestrations", "")
        .await
        .expect(200);
    let mut without_tasks = created.clone();
    without_tasks
        .as_object_mut()
        .expect("object")
        .remove("tasks");
    assert_eq!(list[0], without_tasks);

    let updated = send(
        &server,
        "PUT",
        "/orchestrations/2362",
        "{\n\"active\": false\n}\n",
    )
    .await
    .expect(200);
    let mut expected = created;
    expected["active"] = json!(false);
    expected["nextScheduledTime"] = Value::Null;
    assert_eq!(updated, expected);

    let deleted = send(&server, "DELETE", "/orchestrations/2362", "").await;
    assert_eq!(deleted.expect(204), Value::Null);
    send(&server, "GET", "/orchestrations/2362", "")
        .await
        .expect(404);
}

#[tokio::test]
async fn a_token_is_refreshed() {
    let Some(server) = start().await else { return };
    let created = send(&server, "POST", "/orchestrations", &create_body())
        .await
        .expect(201);

    let refreshed = send(
        &server,
        "POST",
        "/orchestrations/2362/create-token",
        "{\n}\n",
    )
    .await
    .expect(200);

    assert_ne!(refreshed["token"], created["token"]);
    assert_eq!(
        refreshed["token"]["description"],
        "Orchestrator Main orchestrator"
    );
}

#[tokio::test]
async fn tasks_and_notifications_are_read_and_replaced() {
    let Some(server) = start().await else { return };
    send(&server, "POST", "/orchestrations", &create_body())
        .await
        .expect(201);

    let tasks = send(&server, "GET", "/orchestrations/2362/tasks", "")
        .await
        .expect(200);
    assert_eq!(tasks, stored(TASKS));
    let put = send(&server, "PUT", "/orchestrations/2362/tasks", TASKS)
        .await
        .expect(202);
    assert_eq!(put, tasks);

    for path in [
        "/orchestrations/2362/nofitications",
        "/orchestrations/2362/notifications",
    ] {
        let notifications = send(&server, "GET", path, "").await.expect(200);
        assert_eq!(
            notifications,
            serde_json::from_str::<Value>(NOTIFICATIONS).expect("JSON")
        );
        assert_eq!(
            send(&server, "PUT", path, NOTIFICATIONS).await.expect(202),
            notifications
        );
    }
}

#[tokio::test]
async fn a_job_is_created_listed_read_and_cancelled() {
    let Some(server) = start().await else { return };
    server.0.number_jobs_from(123).await;
    send(&server, "POST", "/orchestrations", &create_body())
        .await
        .expect(201);

    let body =
        format!("{{\n\"notificationsEmails\": [\"notify@me.com\"],\n\"tasks\": {JOB_TASKS}\n}}");
    let created = send(&server, "POST", "/orchestrations/2362/jobs", &body).await;
    super::snapshots().bind(|| {
        insta::assert_snapshot!(
            "created_job",
            created.body.replace(&server.0.address.to_string(), "host")
        );
    });
    let created = created.expect(201);
    assert_eq!(created["tasks"], stored(JOB_TASKS));

    assert_eq!(
        send(&server, "GET", "/jobs/123", "").await.expect(200),
        created
    );

    let page = send(
        &server,
        "GET",
        "/orchestrations/2362/jobs?limit=20&offset=0",
        "",
    )
    .await;
    assert!(
        page.head.to_lowercase().contains("x-total-count: 1"),
        "{}",
        page.head
    );
    let mut without_tasks = created;
    without_tasks
        .as_object_mut()
        .expect("object")
        .remove("tasks");
    assert_eq!(page.expect(200), json!([without_tasks]));

    assert_eq!(
        send(&server, "DELETE", "/jobs/123", "").await.expect(204),
        Value::Null
    );
    let cancelled = send(&server, "GET", "/jobs/123", "").await.expect(200);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["isFinished"], true);
    assert_eq!(cancelled["startTime"], Value::Null);
    assert_eq!(cancelled["endTime"], "2013-03-02T10:11:24+00:00");
    assert_eq!(cancelled["results"], Value::Null);
}
