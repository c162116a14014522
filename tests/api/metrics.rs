//! Requests as they are counted.

use super::{database, start};
use crate::support::server::{Server, default_settings};
use orchestrator::api::{Rate, RateLimits};
use serde_json::json;

#[tokio::test]
async fn requests_are_counted_under_the_template_of_their_address() {
    let Some(server) = start().await else {
        return;
    };
    let client = server.client();
    for _ in 0..3 {
        client.get("/jobs/7").await.expect(404);
    }
    client.get("/jobs/8/usage").await.expect(404);
    client.get("/secret-of-a-tenant").await.expect(404);
    client
        .post("/orchestrations", json!({"name": "Mine"}))
        .await
        .expect(201);

    let printed = server.metrics.print().expect("text");

    for line in [
        r#"orchestrator_http_requests_total{route="/jobs/{id}",method="GET",status="404"} 3"#,
        r#"orchestrator_http_requests_total{route="/jobs/{id}/usage",method="GET",status="404"} 1"#,
        r#"orchestrator_http_requests_total{route="/orchestrations",method="POST",status="201"} 1"#,
        r#"orchestrator_http_requests_total{route="other",method="GET",status="404"} 1"#,
        r#"orchestrator_http_request_duration_seconds_count{route="/jobs/{id}",method="GET"} 3"#,
        r#"orchestrator_http_refusals_total{code="NOT_FOUND"} 5"#,
    ] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
    assert!(!printed.contains("tenant"), "{printed}");
    // A token is no way to what is counted: it is of all projects.
    client.get("/metrics").await.expect(404);
}

#[tokio::test]
async fn requests_that_are_too_many_are_counted_by_whose_they_are() {
    let limits = RateLimits {
        address: Rate::per_minute(2),
        ..RateLimits::default()
    };
    let started = Server::start_limited(database(), default_settings(), limits).await;
    let Some(server) = started else {
        return;
    };
    let client = server.client();

    for status in [200, 200, 429] {
        client.get("/orchestrations").await.expect(status);
    }

    let printed = server.metrics.print().expect("text");
    for line in [
        r#"orchestrator_http_rate_limited_total{limit="address"} 1"#,
        r#"orchestrator_http_refusals_total{code="TOO_MANY_REQUESTS"} 1"#,
        r#"orchestrator_http_requests_total{route="/orchestrations",method="GET",status="200"} 2"#,
    ] {
        assert!(printed.contains(line), "{line} is not in\n{printed}");
    }
}
