//! Bad bodies: every fault named, nothing stored.

use super::start;
use crate::support::server::{Server, default_settings};
use orchestrator::api::ApiSettings;
use orchestrator::domain::task::MOST_TASKS;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_fault_of_one_body_is_named() {
    let Some(server) = start().await else { return };
    let body = json!({
        "name": 5,
        "crontabRecord": "61 * * * *",
        "tokenId": "abc",
        "active": "yes",
        "notifications": [{"email": "nobody", "channel": "smoke", "parameters": {}}],
        "tasks": [
            {},
            {"component": "a", "componentUrl": "https://b.cz"},
            {"componentUrl": "http://b.cz"},
            {"component": "a", "timeoutMinutes": -1, "active": 1, "continueOnFailure": "true"},
            {"component": "a", "timeoutMinutes": 99_999_999, "actionParameters": "x", "phase": true, "action": "../x"},
            {"component": "a/b", "id": "no spaces"},
            [],
        ],
    });

    let answer = server.client().post("/orchestrations", body).await;

    super::snapshots()
        .bind(|| insta::assert_snapshot!("every_fault", format!("{:#}", answer.json["errors"])));
    assert_eq!(answer.refusal(400), "VALIDATION");
    assert_eq!(
        server.client().get("/orchestrations").await.expect(200),
        json!([])
    );
}

#[tokio::test]
async fn wrong_values_are_refused_at_their_place() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let long = "x".repeat(256);
    for (body, path) in [
        (json!({}), "name"),
        (json!([]), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": "  "}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"name": long}), "name"),
        (json!({"name": "a", "crontabRecord": ""}), "crontabRecord"),
        (json!({"name": "a", "crontabRecord": 5}), "crontabRecord"),
        (
            json!({"name": "a", "crontabRecord": "0 0 30 2 *"}),
            "crontabRecord",
        ),
        (json!({"name": "a", "tokenId": 0}), "tokenId"),
        (json!({"name": "a", "tokenId": -5}), "tokenId"),
        (json!({"name": "a", "tokenId": 1.5}), "tokenId"),
        (json!({"name": "a", "tokenId": true}), "tokenId"),
        (json!({"name": "a", "tasks": {}}), "tasks"),
        (json!({"name": "a", "tasks": "x"}), "tasks"),
        (json!({"name": "a", "notifications": {}}), "notifications"),
        (json!({"name": "a", "tasks": [null]}), "tasks[0]"),
        (
            json!({"name": "a", "tasks": [{"component": ""}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"component": ".."}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a\\b"}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"component": 7}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"component": long}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"component": null, "componentUrl": null}]}),
            "tasks[0].component",
        ),
        (
            json!({"name": "a", "tasks": [{"componentUrl": "https://u:p@b.cz"}]}),
            "tasks[0].componentUrl",
        ),
        (
            json!({"name": "a", "tasks": [{"componentUrl": "file:///etc/passwd"}]}),
            "tasks[0].componentUrl",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "timeoutMinutes": 0}]}),
            "tasks[0].timeoutMinutes",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "timeoutMinutes": 1.5}]}),
            "tasks[0].timeoutMinutes",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "timeoutMinutes": "5"}]}),
            "tasks[0].timeoutMinutes",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "timeoutMinutes": 10081}]}),
            "tasks[0].timeoutMinutes",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "actionParameters": [1]}]}),
            "tasks[0].actionParameters",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "action": "a//b"}]}),
            "tasks[0].action",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "phase": {}}]}),
            "tasks[0].phase",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "id": "1"}, {"component": "a", "id": "1"}]}),
            "tasks[1].id",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "id": ""}]}),
            "tasks[0].id",
        ),
        (
            json!({"name": "a", "tasks": [{"component": "a", "id": 5}]}),
            "tasks[0].id",
        ),
        (
            json!({"name": "a", "notifications": [{"channel": "error"}]}),
            "notifications[0].email",
        ),
        (
            json!({"name": "a", "notifications": [{"email": "a@b.cz"}]}),
            "notifications[0].channel",
        ),
    ] {
        let text = body.to_string();
        assert_eq!(
            client.post("/orchestrations", body).await.faults(),
            [path],
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_wrong_crontab_is_refused_with_position_and_reason() {
    let Some(server) = start().await else { return };
    let body = json!({"name": "a", "crontabRecord": "0 25 * * *"});

    let answer = server
        .client()
        .post("/orchestrations", body)
        .await
        .expect(400);

    let message = answer["errors"][0]["message"].as_str().expect("message");
    assert!(
        message.starts_with("position 3: ") && message.len() > 15,
        "{message}"
    );
    assert_eq!(answer["message"], format!("crontabRecord: {message}"));
}

#[tokio::test]
async fn lists_over_their_limits_are_refused_as_a_whole() {
    let Some(server) = start().await else { return };
    let tasks: Vec<_> = (0..=MOST_TASKS)
        .map(|_| json!({"component": "a"}))
        .collect();
    let notifications: Vec<_> = (0..101)
        .map(|_| json!({"email": "a@b.cz", "channel": "error"}))
        .collect();
    let body = json!({"name": "a", "tasks": tasks, "notifications": notifications});

    let answer = server.client().post("/orchestrations", body).await;

    assert_eq!(answer.faults(), ["notifications", "tasks"]);
}

#[tokio::test]
async fn more_than_fifty_faults_are_counted() {
    let Some(server) = start().await else { return };
    let tasks: Vec<_> = (0..60).map(|_| json!({})).collect();

    let answer = server
        .client()
        .post("/orchestrations", json!({"name": "a", "tasks": tasks}))
        .await
        .expect(400);

    let errors = answer["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 51);
    assert_eq!(errors[50]["message"], "10 further faults are not listed");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_the_position() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for text in [
        "{\"name\": }",
        "{",
        "name=Main",
        "\u{1}",
        "{\"name\": \"\\ud800\"}",
    ] {
        let request = client.request(Method::POST, "/orchestrations").body(text);
        let json = client.send(request).await.expect(400);
        assert_eq!(json["code"], "INVALID_JSON", "{text}");
        assert!(
            json["message"]
                .as_str()
                .expect("message")
                .contains("line 1 column"),
            "{json}"
        );
    }
    let deep = "[".repeat(100_000);
    let request = client.request(Method::POST, "/orchestrations").body(deep);
    assert_eq!(client.send(request).await.refusal(400), "INVALID_JSON");
    let request = client
        .request(Method::POST, "/orchestrations")
        .body(vec![b'"', 0xff, b'"']);
    assert_eq!(client.send(request).await.refusal(400), "INVALID_JSON");
}

#[tokio::test]
async fn a_body_is_json_whatever_harmless_type_it_carries() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for (content_type, status) in [
        (None, 201),
        (Some("application/json; charset=utf-8"), 201),
        (Some("application/vnd.api+json"), 201),
        (Some("application/x-www-form-urlencoded"), 201),
        (Some("text/plain"), 415),
        (Some("application/xml"), 415),
    ] {
        let mut request = client
            .request(Method::POST, "/orchestrations")
            .body(r#"{"name": "a"}"#);
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let answer = client.send(request).await;
        assert_eq!(answer.status, status, "{content_type:?}");
        if status == 415 {
            assert_eq!(answer.refusal(415), "UNSUPPORTED_MEDIA_TYPE");
        }
    }
    let request = client
        .request(Method::POST, "/orchestrations")
        .header("Content-Encoding", "gzip")
        .body("x");
    assert_eq!(
        client.send(request).await.refusal(415),
        "UNSUPPORTED_MEDIA_TYPE"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let settings = ApiSettings {
        body_limit: 1_000,
        ..default_settings()
    };
    let Some(server) = Server::start_with(super::database(), settings).await else {
        return;
    };
    let client = server.client();
    let of_length = |length: usize| {
        let frame = json!({"name": "a", "x": ""}).to_string().len();
        json!({"name": "a", "x": "x".repeat(length - frame)})
    };

    client
        .post("/orchestrations", of_length(1_000))
        .await
        .expect(201);
    assert_eq!(
        client
            .post("/orchestrations", of_length(1_001))
            .await
            .refusal(413),
        "BODY_TOO_LARGE"
    );
    assert_eq!(
        client
            .put("/orchestrations/1", of_length(5_000))
            .await
            .refusal(413),
        "BODY_TOO_LARGE"
    );
    let kept: Value = client.get("/orchestrations").await.expect(200);
    assert_eq!(kept.as_array().expect("array").len(), 1);
}
