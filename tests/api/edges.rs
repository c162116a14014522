//! What strangers meet: limits on how much one may ask for, and headers that keep browsers out of trouble.

use super::{database, start};
use crate::support::client::Answer;
use crate::support::server::{Server, default_settings};
use orchestrator::api::{ApiSettings, Rate, RateLimits};
use reqwest::Method;
use std::time::Duration;

async fn limited(limits: RateLimits) -> Option<Server> {
    let settings = ApiSettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("range")],
        ..default_settings()
    };
    Server::start_limited(database(), settings, limits).await
}

/// As the trusted proxy passes it on for a client.
async fn ask(server: &Server, secret: Option<&str>, client: &str) -> Answer {
    let bearer = secret.map_or_else(|| server.nobody(), |secret| server.bearer(secret));
    let request = bearer.request(Method::GET, "/orchestrations");
    let request = request.header("X-Forwarded-For", client);
    bearer.send(request).await
}

const MASTER: Option<&str> = Some(crate::support::server::MASTER);

#[tokio::test]
async fn a_token_that_asks_too_much_is_told_when_to_come_again_and_others_are_not_held_up() {
    let limits = RateLimits {
        token: Rate::per_second(1),
        ..RateLimits::default()
    };
    let Some(server) = limited(limits).await else {
        return;
    };
    let (other, _) = server.add_plain_token("Other").await;
    for _ in 0..20 {
        ask(&server, MASTER, "192.0.2.1").await.expect(200);
    }

    let refused = ask(&server, MASTER, "192.0.2.9").await;

    let seconds: u64 = refused.headers["retry-after"]
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("seconds");
    assert!((1..=2).contains(&seconds), "{seconds}");
    assert_eq!(refused.refusal(429), "TOO_MANY_REQUESTS");
    other.get("/orchestrations").await.expect(200);
    server.clock.advance(Duration::from_secs(seconds));
    ask(&server, MASTER, "192.0.2.1").await.expect(200);
}

#[tokio::test]
async fn an_address_that_asks_too_much_is_held_up_whatever_its_tokens() {
    let limits = RateLimits {
        address: Rate::per_second(1),
        ..RateLimits::default()
    };
    let Some(server) = limited(limits).await else {
        return;
    };
    for _ in 0..20 {
        ask(&server, MASTER, "1.1.1.1, 192.0.2.1").await.expect(200);
    }

    let refused = ask(&server, None, "2.2.2.2, 192.0.2.1").await;

    assert_eq!(refused.refusal(429), "TOO_MANY_REQUESTS");
    ask(&server, MASTER, "192.0.2.2").await.expect(200);
}

#[tokio::test]
async fn whoever_guesses_tokens_is_held_up_early_but_not_tokens_at_work() {
    let limits = RateLimits {
        refused: Rate::per_minute(5),
        ..RateLimits::default()
    };
    let Some(server) = limited(limits).await else {
        return;
    };
    ask(&server, MASTER, "192.0.2.1").await.expect(200);
    for number in 0..4 {
        let guess = format!("a-guess-of-a-token-{number}");
        ask(&server, Some(&guess), "192.0.2.1").await.expect(401);
    }
    ask(&server, None, "192.0.2.1").await.expect(401);

    for secret in [Some("one-more-guess-of-a-token"), None] {
        let refused = ask(&server, secret, "192.0.2.1").await;
        assert!(refused.headers.contains_key("retry-after"));
        assert_eq!(refused.refusal(429), "TOO_MANY_REQUESTS");
    }
    ask(&server, MASTER, "192.0.2.1").await.expect(200);
    ask(&server, None, "192.0.2.2").await.expect(401);
    server.clock.advance(Duration::from_secs(12));
    ask(&server, None, "192.0.2.1").await.expect(401);
}

#[tokio::test]
async fn every_answer_keeps_browsers_out_of_trouble() {
    let Some(server) = start().await else { return };
    let client = server.client();
    for (method, path) in [
        (Method::GET, "/orchestrations"),
        (Method::OPTIONS, "/orchestrations"),
        (Method::GET, "/nothing/here"),
        (Method::GET, "/health/live"),
        (Method::DELETE, "/orchestrations/1"),
    ] {
        let headers = client.send(client.request(method, path)).await.headers;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("access-control-allow-origin", "*"),
            (
                "access-control-expose-headers",
                "X-Total-Count, X-Next-Before, Retry-After",
            ),
        ] {
            assert_eq!(headers[name], value, "{path}: {name}");
        }
        assert!(
            headers.get("strict-transport-security").is_none(),
            "plain HTTP: {path}"
        );
    }
}

#[tokio::test]
async fn a_client_that_came_over_tls_to_a_trusted_proxy_is_told_to_stay_with_it() {
    let Some(server) = limited(RateLimits::default()).await else {
        return;
    };
    let client = server.client();
    let request = client.request(Method::GET, "/orchestrations");
    let request = request.header("X-Forwarded-Proto", "https");

    let headers = client.send(request).await.headers;

    assert_eq!(headers["strict-transport-security"], "max-age=15552000");
}
