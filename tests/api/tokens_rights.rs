//! Who may manage tokens, and what one token may give another.

use super::{create, start};
use crate::support::client::Client;
use crate::support::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

const TOKENS: &str = "/v2/storage/tokens";

/// A token made by the master token, and its bearer.
async fn make(server: &Server, wish: Value) -> (Client, Value) {
    let made = server.client().post(TOKENS, wish).await.expect(201);
    let secret = made["token"].as_str().expect("a secret");
    (server.bearer(secret), made)
}

fn path_of(token: &Value) -> String {
    format!("{TOKENS}/{}", token["id"].as_str().expect("an id as text"))
}

#[tokio::test]
async fn a_plain_token_reads_and_refreshes_itself_only() {
    let Some(server) = start().await else { return };
    let (plain, own) = make(&server, json!({"description": "Plain"})).await;
    let own_path = path_of(&own);

    // Of others it learns nothing, not even whether they exist.
    for (method, path) in [
        (Method::GET, TOKENS),
        (Method::POST, TOKENS),
        (Method::GET, "/v2/storage/tokens/1"),
        (Method::GET, "/v2/storage/tokens/99"),
        (Method::PUT, "/v2/storage/tokens/1"),
        (Method::PUT, &own_path),
        (Method::DELETE, "/v2/storage/tokens/1"),
        (Method::DELETE, &own_path),
        (Method::POST, "/v2/storage/tokens/1/refresh"),
        (Method::POST, "/v2/storage/tokens/99/refresh"),
    ] {
        let answer = plain.send(plain.request(method.clone(), path)).await;
        assert_eq!(answer.refusal(403), "FORBIDDEN", "{method} {path}");
    }
    assert_eq!(
        plain.get(&own_path).await.expect(200)["description"],
        "Plain"
    );
    let refreshed = plain
        .post(&format!("{own_path}/refresh"), json!({}))
        .await
        .expect(200);
    assert_ne!(refreshed["token"], own["token"]);
    plain.get(&own_path).await.refusal(401);
}

#[tokio::test]
async fn a_token_that_manages_tokens_gives_no_right_that_it_lacks() {
    let Some(server) = start().await else { return };
    let (manager, own) = make(
        &server,
        json!({"canManageTokens": true, "componentAccess": ["a", "b"],
        "bucketPermissions": {"in.c-main": "write"}, "expiresIn": 3600}),
    )
    .await;

    for wish in [
        json!({"canManageBuckets": true}),
        json!({"canReadAllFileUploads": true}),
        json!({"canPurgeTrash": true}),
        json!({"componentAccess": ["a", "c"]}),
        json!({"componentAccess": []}),
        json!({"bucketPermissions": {"in.c-main": "manage"}}),
        json!({"bucketPermissions": {"in.c-other": "read"}}),
        json!({"expiresIn": 3601}),
    ] {
        assert_eq!(
            manager.post(TOKENS, wish.clone()).await.refusal(403),
            "FORBIDDEN",
            "{wish}"
        );
        assert_eq!(
            manager.put(&path_of(&own), wish.clone()).await.refusal(403),
            "FORBIDDEN",
            "{wish}"
        );
    }
    let given = json!({"canManageTokens": true, "componentAccess": ["b"], "bucketPermissions": {"in.c-main": "read"},
        "expiresIn": 60});
    let made = manager.post(TOKENS, given).await.expect(201);
    assert_eq!(made["creatorToken"]["id"], own["id"]);
    // What is not asked for does not exceed its maker either.
    let bare = manager.post(TOKENS, json!({})).await.expect(201);
    assert_eq!(
        (&bare["componentAccess"], &bare["expires"]),
        (&own["componentAccess"], &own["expires"])
    );
}

#[tokio::test]
async fn a_token_that_manages_tokens_does_not_get_hold_of_a_stronger_one() {
    let Some(server) = start().await else { return };
    let (manager, _) = make(&server, json!({"canManageTokens": true})).await;
    let (_, strong) = make(
        &server,
        json!({"description": "Strong", "canManageBuckets": true}),
    )
    .await;
    let (_, weak) = make(&server, json!({})).await;

    for path in ["/v2/storage/tokens/1", &path_of(&strong)] {
        let refused = manager.post(&format!("{path}/refresh"), json!({})).await;
        assert_eq!(refused.refusal(403), "FORBIDDEN", "{path}");
    }
    let master = manager
        .put("/v2/storage/tokens/1", json!({"description": "Mine"}))
        .await;
    assert_eq!(master.refusal(403), "FORBIDDEN");
    manager
        .post(&format!("{}/refresh", path_of(&weak)), json!({}))
        .await
        .expect(200);
    // Taking away is not giving.
    let renamed = manager
        .put(&path_of(&strong), json!({"description": "Renamed"}))
        .await
        .expect(200);
    assert_eq!(
        (&renamed["description"], &renamed["canManageBuckets"]),
        (&json!("Renamed"), &json!(true))
    );
    let less = json!({"canManageBuckets": false, "isDisabled": true});
    assert_eq!(
        manager.put(&path_of(&strong), less).await.expect(200)["canManageBuckets"],
        false
    );
    manager.delete(&path_of(&strong)).await.expect(204);
}

#[tokio::test]
async fn an_orchestrations_own_token_is_confined_like_its_maker() {
    let Some(server) = start().await else { return };
    let (confined, own) = make(&server, json!({"componentAccess": ["a"]})).await;

    let orchestration = create(&confined, json!([{"component": "b"}])).await;

    let path = format!("{TOKENS}/{}", orchestration["token"]["id"]);
    let token = server.client().get(&path).await.expect(200);
    assert_eq!(token["componentAccess"], own["componentAccess"]);
    assert_eq!(token["canManageBuckets"], true);
}
