//! `/credentials`: written by those who may, shown without their secrets, and to their own project only.

use super::start;
use serde_json::{Value, json};

fn bearer() -> Value {
    json!({"type": "bearer", "token": "s3cret-of-the-shop", "hosts": ["https://api.shop.example", "https://*.shop.example:8443"]})
}

#[tokio::test]
async fn a_credential_is_written_and_shown_without_its_secret() {
    let Some(server) = start().await else { return };
    let client = server.client();

    let made = client.put("/credentials/shop", bearer()).await.expect(201);
    let basic = json!({"type": "basic", "username": "me", "password": "pass-of-me", "hosts": ["https://x.example"]});
    let replaced = client.put("/credentials/shop", basic).await.expect(200);
    let key = json!({"type": "hmac", "secret": "whsec_c2VjcmV0"});
    client.put("/credentials/key", key).await.expect(201);
    let header = json!({"type": "header", "header": "X-Api-Key", "value": "k", "hosts": ["https://x.example"]});
    client.put("/credentials/a.b", header).await.expect(201);

    let keys: Vec<_> = made
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["name", "type", "hosts", "created", "updated"]);
    assert_eq!(replaced["username"], "me");
    let list = client.get("/credentials").await.expect(200);
    let shown: Vec<_> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["name"].as_str(), one["type"].as_str()))
        .collect();
    let expected = [("a.b", "header"), ("key", "hmac"), ("shop", "basic")];
    assert_eq!(shown, expected.map(|(name, kind)| (Some(name), Some(kind))));
    for secret in ["s3cret", "pass-of-me", "c2VjcmV0"] {
        assert!(!list.to_string().contains(secret), "{list}");
    }
    let one = client.get("/credentials/a.b").await.expect(200);
    assert_eq!(one["header"], "X-Api-Key");
    assert_eq!(client.delete("/credentials/a.b").await.status, 204);
    client.get("/credentials/a.b").await.refusal(404);
    client.delete("/credentials/a.b").await.refusal(404);
}

#[tokio::test]
async fn what_is_wrong_with_a_credential_is_named() {
    let Some(server) = start().await else { return };
    for (body, faults) in [
        (json!({}), vec!["type", "hosts"]),
        (
            json!({"type": "bearer", "hosts": ["https://x"]}),
            vec!["token"],
        ),
        (
            json!({"type": "bearer", "token": "a\nb", "hosts": ["http://x", "https://*", "task-origin", "https://x/y", 1]}),
            vec![
                "token", "hosts[0]", "hosts[1]", "hosts[2]", "hosts[3]", "hosts[4]",
            ],
        ),
        (
            json!({"type": "basic", "username": "a:b", "password": "", "hosts": ["https://x"]}),
            vec!["username", "password"],
        ),
        (
            json!({"type": "header", "header": "Host", "value": "x", "hosts": ["https://x"]}),
            vec!["header"],
        ),
        (
            json!({"type": "hmac", "secret": "x", "hosts": ["https://x"]}),
            vec!["hosts"],
        ),
    ] {
        let answer = server.client().put("/credentials/a", body.clone()).await;
        assert_eq!(answer.faults(), faults, "{body}");
    }
    let answer = server.client().put("/credentials/a%20b", bearer()).await;
    answer.refusal(404);
}

#[tokio::test]
async fn only_who_manages_tokens_writes_credentials_and_only_its_own_projects() {
    let Some(server) = start().await else { return };
    server
        .client()
        .put("/credentials/shop", bearer())
        .await
        .expect(201);
    let (plain, _) = server.add_plain_token("Plain").await;
    let other = server.add_project("Other").await;

    assert_eq!(
        plain.put("/credentials/shop", bearer()).await.refusal(403),
        "FORBIDDEN"
    );
    plain.delete("/credentials/shop").await.refusal(403);
    plain.get("/credentials/shop").await.expect(200);
    other.get("/credentials/shop").await.refusal(404);
    other.delete("/credentials/shop").await.refusal(404);
    assert_eq!(other.get("/credentials").await.expect(200), json!([]));
    other.put("/credentials/shop", bearer()).await.expect(201);
    assert_eq!(
        server.client().delete("/credentials/shop").await.status,
        204
    );
    other.get("/credentials/shop").await.expect(200);
}

#[tokio::test]
async fn a_project_has_a_hundred_credentials_at_most() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let key = json!({"type": "hmac", "secret": "k"});
    for number in 0..100 {
        let path = format!("/credentials/{number}");
        client.put(&path, key.clone()).await.expect(201);
    }

    let answer = client.put("/credentials/more", key.clone()).await;

    assert_eq!(answer.refusal(409), "TOO_MANY_CREDENTIALS");
    client.put("/credentials/7", key).await.expect(200);
}
