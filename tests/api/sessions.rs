//! Browsers: how they sign in, what their session may do, and when it ends.

use super::{create, start};
use crate::support::client::{Answer, Client};
use crate::support::server::MASTER;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::time::Duration;

/// A browser that has one page of the server open.
struct Browser {
    client: Client,
    cookie: String,
}

impl Browser {
    async fn sign_in(client: Client, token: &str) -> Self {
        let answer = client.send(sign_in(&client, token)).await;
        let set = answer.headers["set-cookie"].to_str().expect("text");
        let cookie = set.split(';').next().expect("a cookie").to_owned();
        answer.expect(201);
        Self { client, cookie }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, path)
            .header("Cookie", &self.cookie)
            .header("Sec-Fetch-Site", "same-origin")
    }

    async fn ask(&self, method: Method, path: &str) -> Answer {
        self.client.send(self.request(method, path)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }
}

fn sign_in(client: &Client, token: &str) -> RequestBuilder {
    client
        .request(Method::POST, "/ui/session")
        .header("Sec-Fetch-Site", "same-origin")
        .body(json!({"token": token}).to_string())
}

#[tokio::test]
async fn a_browser_that_signed_in_uses_the_api_as_its_token_would() {
    let Some(server) = start().await else { return };
    let nobody = server.nobody();

    let answer = nobody.send(sign_in(&nobody, MASTER)).await;
    let cookie = answer.headers["set-cookie"].to_str().expect("text");
    let (pair, rest) = cookie.split_once(';').expect("attributes");
    assert_eq!(rest, " Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
    let browser = Browser {
        client: server.nobody(),
        cookie: format!("other=1; {pair}"),
    };
    let who = answer.expect(201);

    assert_eq!(who["isMasterToken"], true);
    assert_eq!(who["owner"]["id"], 1);
    assert_eq!(browser.get("/ui/session").await.expect(200), who);
    assert_eq!(
        browser.get("/v2/storage/tokens/verify").await.expect(200),
        who
    );
    assert!(!who.to_string().contains(MASTER) && who.get("token").is_none());
    let body = json!({"name": "By hand", "tasks": []}).to_string();
    let made = browser.request(Method::POST, "/orchestrations").body(body);
    let made = browser.client.send(made).await.expect(201);
    let read = browser
        .get(&format!("/orchestrations/{}", made["id"]))
        .await;
    assert_eq!(read.expect(200), made);
}

#[tokio::test]
async fn only_pages_of_this_server_make_use_of_a_session() {
    let Some(server) = start().await else { return };
    create(&server.client(), json!([])).await;
    let browser = Browser::sign_in(server.nobody(), MASTER).await;
    let here = format!("http://{}", server.address);

    for (method, headers, status) in [
        (Method::GET, vec![("Sec-Fetch-Site", "cross-site")], 403),
        (Method::GET, vec![("Sec-Fetch-Site", "same-site")], 403),
        (
            Method::DELETE,
            vec![("Origin", "https://evil.example")],
            403,
        ),
        (Method::DELETE, vec![("Origin", "null")], 403),
        (Method::DELETE, vec![], 403),
        (Method::GET, vec![], 200),
        (Method::DELETE, vec![("Origin", here.as_str())], 204),
    ] {
        let mut request = browser
            .client
            .request(method.clone(), "/orchestrations/1")
            .header("Cookie", &browser.cookie);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = browser.client.send(request).await;
        assert_eq!(answer.status, status, "{method} {headers:?}");
        if status == 403 {
            assert_eq!(answer.refusal(403), "CROSS_SITE");
        }
    }
    let nobody = server.nobody();
    let from_elsewhere = nobody
        .request(Method::POST, "/ui/session")
        .header("Origin", "https://evil.example")
        .body(json!({"token": MASTER}).to_string());
    assert_eq!(nobody.send(from_elsewhere).await.refusal(403), "CROSS_SITE");
    // A token in the header is no cookie: nobody but its bearer can send it.
    let bearer = server.client();
    let called = bearer
        .request(Method::GET, "/orchestrations")
        .header("Sec-Fetch-Site", "cross-site");
    bearer.send(called).await.expect(200);
}

#[tokio::test]
async fn a_session_ends_with_its_token_by_signing_out_and_after_half_a_day() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let made = client
        .post("/v2/storage/tokens", json!({"description": "browser"}))
        .await
        .expect(201);
    let value = |token: &Value| token["token"].as_str().expect("its value").to_owned();
    let path = format!("/v2/storage/tokens/{}", made["id"].as_str().expect("id"));

    let refreshed = Browser::sign_in(server.nobody(), &value(&made)).await;
    refreshed.get("/orchestrations").await.expect(200);
    let refresh = format!("{path}/refresh");
    let anew = value(&client.post(&refresh, json!({})).await.expect(200));
    assert_eq!(
        refreshed.get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );

    let deleted = Browser::sign_in(server.nobody(), &anew).await;
    let left = Browser::sign_in(server.nobody(), &anew).await;
    deleted.get("/orchestrations").await.expect(200);
    assert_eq!(left.ask(Method::DELETE, "/ui/session").await.status, 204);
    left.get("/orchestrations").await.refusal(401);
    client.delete(&path).await.expect(204);
    deleted.get("/orchestrations").await.refusal(401);
    assert_eq!(deleted.get("/ui/session").await.expect(204), Value::Null);

    let long = Browser::sign_in(server.nobody(), MASTER).await;
    server.clock.advance(Duration::from_secs(12 * 60 * 60 - 1));
    long.get("/orchestrations").await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    long.get("/orchestrations").await.refusal(401);
    let now = server.clock.now();
    assert_eq!(
        server.store.forget_sessions(now).await.expect("store"),
        4 - 1
    );
}

#[tokio::test]
async fn nobody_signs_in_with_what_is_no_token() {
    let Some(server) = start().await else { return };
    let nobody = server.nobody();
    for token in ["", "short", "not-the-token-of-anybody"] {
        let refused = nobody.send(sign_in(&nobody, token)).await;
        assert!(!refused.headers.contains_key("set-cookie"));
        assert_eq!(refused.refusal(401), "UNAUTHORIZED", "{token}");
    }
    let made_up = Browser {
        client: server.nobody(),
        cookie: "orchestrator-session=0000000000000000000000000000000000000000".into(),
    };
    made_up.get("/orchestrations").await.refusal(401);
    assert_eq!(made_up.get("/ui/session").await.expect(204), Value::Null);
}
