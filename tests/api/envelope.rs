//! Refusals, and what surrounds every answer.

use super::start;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_unknown_address_is_answered_in_the_envelope() {
    let Some(server) = start().await else { return };

    let answer = server.nobody().get("/nothing/here").await.expect(404);

    assert_eq!(
        answer,
        json!({"status": "warning", "error": "User error", "code": "NOT_FOUND",
            "message": "There is nothing at this address", "exceptionId": answer["exceptionId"], "runId": null})
    );
    let other = server.nobody().get("/nothing/here").await.expect(404);
    assert_ne!(other["exceptionId"], answer["exceptionId"]);
    for path in [
        "/",
        "/orchestrations/1/nothing",
        "/jobs/1/nothing",
        "/v2/storage",
        "/runs",
    ] {
        assert_eq!(
            server.client().get(path).await.refusal(404),
            "NOT_FOUND",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_method_that_an_address_does_not_know_is_answered_with_those_it_knows() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for (method, path, allow) in [
        (Method::DELETE, "/orchestrations", "GET,HEAD,POST"),
        (Method::PATCH, "/orchestrations/1", "GET,HEAD,PUT,DELETE"),
        (Method::GET, "/run", "POST"),
        (Method::PUT, "/jobs/1", "GET,HEAD,DELETE"),
    ] {
        let answer = client.send(client.request(method, path)).await;
        assert_eq!(answer.headers["allow"], allow, "{path}");
        assert_eq!(answer.refusal(405), "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for (path, status) in [("/orchestrations", 200), ("/orchestrations/9", 404)] {
        let got = client.get(path).await;
        let head = client.send(client.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.json), (status, Value::Null), "{path}");
        assert_eq!(
            head.headers["content-length"], got.headers["content-length"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_closing_database_asks_to_come_again() {
    let Some(server) = start().await else { return };
    server.store.close().await;

    let answer = server.client().get("/orchestrations").await;

    assert_eq!(answer.headers["retry-after"], "1");
    let json = answer.expect(503);
    assert_eq!(
        (&json["status"], &json["error"]),
        (&json!("error"), &json!("Application error"))
    );
    assert_eq!(json["code"], "UNAVAILABLE");
    server.nobody().get("/health/ready").await.expect(503);
    assert_eq!(
        server.nobody().get("/health/live").await.expect(200),
        json!({"status": "ok"})
    );
}

#[tokio::test]
async fn browsers_of_any_origin_may_ask() {
    let Some(server) = start().await else { return };
    let client = server.nobody();
    for path in ["/orchestrations", "/jobs/1", "/nothing"] {
        let request = client
            .request(Method::OPTIONS, path)
            .header("Origin", "https://app.example")
            .header("Access-Control-Request-Method", "PUT");
        let answer = client.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
        assert_eq!(
            answer.headers["access-control-allow-headers"],
            "content-type, x-requested-with, x-requested-by, x-storageapi-url, x-storageapi-token, x-kbc-runid, x-user-agent"
        );
        assert!(
            answer.headers["access-control-allow-methods"]
                .to_str()
                .expect("text")
                .contains("PUT")
        );
    }
    let refused = client.get("/orchestrations").await;
    assert_eq!(refused.headers["access-control-allow-origin"], "*");
    assert_eq!(
        refused.headers["access-control-expose-headers"],
        "X-Total-Count, X-Next-Before, Retry-After"
    );
}
