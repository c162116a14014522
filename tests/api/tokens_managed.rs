//! Tokens that clients make, change, refresh and delete.

use super::{create, start};
use crate::support::client::Client;
use crate::support::server::{MASTER, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const TOKENS: &str = "/v2/storage/tokens";

/// The path of a token.
fn path_of(token: &Value) -> String {
    format!("{TOKENS}/{}", token["id"].as_str().expect("an id as text"))
}

async fn make(client: &Client, wish: Value) -> Value {
    client.post(TOKENS, wish).await.expect(201)
}

fn bearer(server: &Server, token: &Value) -> Client {
    server.bearer(token["token"].as_str().expect("a secret"))
}

#[tokio::test]
async fn a_token_is_made_with_the_rights_asked_for_and_shown_without_its_value() {
    let Some(server) = start().await else { return };
    let client = server.client();

    let made = make(
        &client,
        json!({"description": "Loader", "canManageBuckets": false, "canReadAllFileUploads": true,
            "componentAccess": ["b", "a", "b"], "bucketPermissions": {"in.c-main": "read", "out.c-x": "write"},
            "expiresIn": 3600}),
    )
    .await;

    let secret = made["token"].as_str().expect("a secret");
    assert_eq!(secret.len(), 40);
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").remove("token");
    assert_eq!(
        shown,
        json!({
            "id": "2", "description": "Loader", "created": "2013-03-02T10:11:24+00:00",
            "refreshed": "2013-03-02T10:11:24+00:00", "expires": "2013-03-02T11:11:24+00:00", "isExpired": false,
            "isDisabled": false, "isMasterToken": false, "canManageBuckets": false, "canManageTokens": false,
            "canReadAllFileUploads": true, "canPurgeTrash": false,
            "bucketPermissions": {"in.c-main": "read", "out.c-x": "write"}, "componentAccess": ["b", "a"],
            "uri": format!("http://{}/v2/storage/tokens/2", server.address),
            "creatorToken": {"id": "1", "description": "Master token"}, "owner": {"id": 1, "name": "Project 1"},
        })
    );
    assert_eq!(client.get(&path_of(&made)).await.expect(200), shown);
    let list = client.get(TOKENS).await.expect(200);
    assert_eq!((&list[0]["id"], &list[1]), (&json!("1"), &shown));
    assert!(!list.to_string().contains(secret) && !list.to_string().contains(MASTER));
    let verified = bearer(&server, &made)
        .get(&format!("{TOKENS}/verify"))
        .await;
    assert_eq!(verified.expect(200), made);
}

#[tokio::test]
async fn without_wishes_a_token_may_use_orchestrations_and_nothing_more() {
    let Some(server) = start().await else { return };
    let made = make(&server.client(), json!({})).await;
    let plain = bearer(&server, &made);

    assert_eq!(
        (&made["description"], &made["expires"]),
        (&json!(""), &json!(null))
    );
    for right in [
        "canManageBuckets",
        "canManageTokens",
        "canReadAllFileUploads",
        "canPurgeTrash",
    ] {
        assert_eq!(made[right], false, "{right}");
    }
    create(&plain, json!([])).await;
}

#[tokio::test]
async fn a_form_says_the_same_as_json() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let send = async |method: Method, path: &str, form: &'static str| {
        let request = client.request(method, path).body(form);
        let request = request.header(
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        client.send(request).await
    };

    let form = "description=Form+%C4%8D&canManageBuckets=1&canReadAllFileUploads=true&canPurgeTrash=0&expiresIn=60\
        &componentAccess%5B%5D=a&componentAccess[]=b&bucketPermissions[in.c-main]=read&canManageTokens=";
    let made = send(Method::POST, TOKENS, form).await.expect(201);
    let json = make(
        &client,
        json!({"description": "Form č", "canManageBuckets": true, "canReadAllFileUploads": true, "expiresIn": 60,
            "componentAccess": ["a", "b"], "bucketPermissions": {"in.c-main": "read"}}),
    )
    .await;
    let changed = send(Method::PUT, &path_of(&made), "description=Other")
        .await
        .expect(200);
    let curl = send(Method::POST, TOKENS, r#"{"description": "a bare curl -d"}"#)
        .await
        .expect(201);
    let faults = send(
        Method::POST,
        TOKENS,
        "expiresIn=soon&componentAccess=a&canPurgeTrash=yes&a[b]c=1",
    )
    .await;

    for key in [
        "description",
        "expires",
        "componentAccess",
        "bucketPermissions",
        "canManageBuckets",
        "canReadAllFileUploads",
        "canPurgeTrash",
        "canManageTokens",
    ] {
        assert_eq!(made[key], json[key], "{key}");
    }
    assert_eq!(
        (&changed["description"], &changed["componentAccess"]),
        (&json!("Other"), &made["componentAccess"])
    );
    assert_eq!(curl["description"], "a bare curl -d");
    assert_eq!(faults.faults(), ["a[b]c"]);
    let faults = send(
        Method::POST,
        TOKENS,
        "expiresIn=soon&componentAccess=a&canPurgeTrash=yes",
    )
    .await;
    assert_eq!(
        faults.faults(),
        ["canPurgeTrash", "expiresIn", "componentAccess"]
    );
}

#[tokio::test]
async fn every_fault_of_a_token_is_named() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let body = json!({"description": 5, "canManageBuckets": "yes", "canReadAllFileUploads": 2, "canManageTokens": [],
        "canPurgeTrash": {}, "isDisabled": "no", "expiresIn": 0, "componentAccess": ["a", "", 5],
        "bucketPermissions": {"in.c-main": "own", "x": 1}});

    let faults = client.post(TOKENS, body).await.faults();

    assert_eq!(
        faults,
        [
            "description",
            "isDisabled",
            "canManageBuckets",
            "canManageTokens",
            "canReadAllFileUploads",
            "canPurgeTrash",
            "expiresIn",
            "componentAccess[1]",
            "componentAccess[2]",
            "bucketPermissions.in.c-main",
            "bucketPermissions.x"
        ]
    );
    for (body, path) in [
        (json!({"componentAccess": "a"}), "componentAccess"),
        (
            json!({"componentAccess": vec!["a"; 501]}),
            "componentAccess",
        ),
        (json!({"bucketPermissions": ["a"]}), "bucketPermissions"),
        (
            json!({"bucketPermissions": {"": "read"}}),
            "bucketPermissions",
        ),
        (json!({"description": "x".repeat(501)}), "description"),
        (json!({"expiresIn": 3_153_600_001_u64}), "expiresIn"),
        (json!({"expiresIn": "-1"}), "expiresIn"),
        (json!({"expiresIn": 1.5}), "expiresIn"),
    ] {
        assert_eq!(
            client.post(TOKENS, body.clone()).await.faults(),
            [path],
            "{body}"
        );
        assert_eq!(
            client
                .put(&format!("{TOKENS}/1"), body.clone())
                .await
                .faults(),
            [path],
            "{body}"
        );
    }
    let xml = client
        .request(Method::POST, TOKENS)
        .header("Content-Type", "text/xml")
        .body("<a/>");
    assert_eq!(
        client.send(xml).await.refusal(415),
        "UNSUPPORTED_MEDIA_TYPE"
    );
    assert_eq!(
        client
            .get(TOKENS)
            .await
            .expect(200)
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let made = make(
        &client,
        json!({"description": "Before", "componentAccess": ["a"], "expiresIn": 60}),
    )
    .await;
    let path = path_of(&made);

    let same = client
        .put(
            &path,
            json!({"description": null, "expiresIn": null, "componentAccess": null}),
        )
        .await;
    let changed = client
        .put(
            &path,
            json!({"description": "After", "canPurgeTrash": true, "componentAccess": [],
            "bucketPermissions": {"in.c-a": "manage"}, "expiresIn": 120}),
        )
        .await;

    let same = same.expect(200);
    assert_eq!(
        (&same["description"], &same["expires"]),
        (&made["description"], &made["expires"])
    );
    let changed = changed.expect(200);
    assert_eq!(changed["description"], "After");
    assert_eq!(changed["canPurgeTrash"], true);
    assert_eq!(changed["componentAccess"], json!([]));
    assert_eq!(changed["bucketPermissions"], json!({"in.c-a": "manage"}));
    assert_eq!(changed["expires"], "2013-03-02T10:13:24+00:00");
    assert_eq!(changed.get("token"), None);
    assert_eq!(client.get(&path).await.expect(200), changed);
    let still = bearer(&server, &made)
        .get(&format!("{TOKENS}/verify"))
        .await
        .expect(200);
    assert_eq!(still["description"], "After");
}

#[tokio::test]
async fn a_refreshed_token_has_a_new_value_and_the_old_one_is_invalid_at_once() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let made = make(&client, json!({"description": "Mine"})).await;
    let old = bearer(&server, &made);
    server.clock.advance(Duration::from_secs(60));

    let refreshed = client
        .send(client.request(Method::POST, &format!("{}/refresh", path_of(&made))))
        .await
        .expect(200);

    assert_ne!(refreshed["token"], made["token"]);
    assert_eq!(refreshed["refreshed"], "2013-03-02T10:12:24+00:00");
    assert_eq!(
        (&refreshed["id"], &refreshed["created"]),
        (&made["id"], &made["created"])
    );
    assert_eq!(
        old.get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    let new = bearer(&server, &refreshed);
    assert_eq!(
        new.get(&format!("{TOKENS}/verify")).await.expect(200),
        refreshed
    );
    assert_eq!(
        client
            .post(&format!("{TOKENS}/99/refresh"), json!({}))
            .await
            .refusal(404),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn an_expired_or_disabled_token_is_refused_everywhere() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let expiring = make(&client, json!({"expiresIn": 60})).await;
    let disabled = make(&client, json!({"expiresIn": 3600})).await;
    let shown = client
        .put(&path_of(&disabled), json!({"isDisabled": true}))
        .await
        .expect(200);
    assert_eq!(shown["isDisabled"], true);
    bearer(&server, &expiring)
        .get("/orchestrations")
        .await
        .expect(200);

    server.clock.advance(Duration::from_secs(60));

    for token in [&expiring, &disabled] {
        for path in [
            "/orchestrations",
            "/jobs/1",
            TOKENS,
            "/v2/storage/tokens/verify",
            &path_of(token),
        ] {
            assert_eq!(
                bearer(&server, token).get(path).await.refusal(401),
                "UNAUTHORIZED",
                "{path}"
            );
        }
    }
    assert_eq!(
        client.get(&path_of(&expiring)).await.expect(200)["isExpired"],
        true
    );
    client
        .put(&path_of(&disabled), json!({"isDisabled": false}))
        .await
        .expect(200);
    client
        .put(&path_of(&expiring), json!({"expiresIn": 60}))
        .await
        .expect(200);
    for token in [&expiring, &disabled] {
        bearer(&server, token)
            .get("/orchestrations")
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn an_orchestration_is_given_no_token_that_cannot_be_used() {
    let Some(server) = start().await else { return };
    let client = server.client();
    create(&client, json!([])).await;
    let expired = make(&client, json!({"expiresIn": 1})).await;
    let disabled = make(&client, json!({})).await;
    client
        .put(&path_of(&disabled), json!({"isDisabled": true}))
        .await
        .expect(200);
    server.clock.advance(Duration::from_secs(1));

    for id in [&expired["id"], &disabled["id"], &json!("99")] {
        let body = json!({"name": "Main", "tokenId": id});
        assert_eq!(
            client.post("/orchestrations", body.clone()).await.faults(),
            ["tokenId"],
            "{id}"
        );
        assert_eq!(
            client.put("/orchestrations/1", body).await.faults(),
            ["tokenId"],
            "{id}"
        );
    }
    assert_eq!(
        client
            .get("/orchestrations")
            .await
            .expect(200)
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_new_description_is_seen_in_orchestrations_and_not_in_past_jobs() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let orchestration = create(&client, json!([])).await;
    let token = format!("{TOKENS}/{}", orchestration["token"]["id"]);
    let job = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);

    client
        .put(&token, json!({"description": "Renamed"}))
        .await
        .expect(200);

    let after = client.get("/orchestrations/1").await.expect(200);
    assert_eq!(
        after["token"],
        json!({"id": orchestration["token"]["id"], "description": "Renamed"})
    );
    assert_eq!(client.get("/jobs/1").await.expect(200), job);
    let later = client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    assert_eq!(later["token"]["description"], "Renamed");
}

#[tokio::test]
async fn a_token_in_use_is_not_deleted() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let made = make(&client, json!({})).await;
    let path = path_of(&made);
    for name in ["One", "Two"] {
        client
            .post(
                "/orchestrations",
                json!({"name": name, "tokenId": made["id"]}),
            )
            .await
            .expect(201);
    }
    client
        .post("/orchestrations/2/jobs", json!({}))
        .await
        .expect(201);

    let refused = client.delete(&path).await.expect(409);
    assert_eq!(refused["code"], "TOKEN_IN_USE");
    let message = refused["message"].as_str().expect("text");
    assert!(
        message.contains("used by orchestration 1, orchestration 2 and job 1:"),
        "{message}"
    );

    client
        .put("/orchestrations/1", json!({"tokenId": 1}))
        .await
        .expect(200);
    client.delete("/orchestrations/2").await.expect(204);
    client.delete(&path).await.expect(204);
    assert_eq!(client.get(&path).await.refusal(404), "NOT_FOUND");
    assert_eq!(client.delete(&path).await.refusal(404), "NOT_FOUND");
    assert_eq!(
        bearer(&server, &made)
            .get("/orchestrations")
            .await
            .refusal(401),
        "UNAUTHORIZED"
    );
}

#[tokio::test]
async fn a_master_token_is_described_and_refreshed_and_nothing_else() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{TOKENS}/1");

    assert_eq!(client.delete(&path).await.refusal(409), "MASTER_TOKEN");
    for change in [
        json!({"canManageTokens": false}),
        json!({"expiresIn": 60}),
        json!({"isDisabled": true}),
        json!({"componentAccess": ["a"]}),
    ] {
        assert_eq!(client.put(&path, change).await.refusal(409), "MASTER_TOKEN");
    }
    let change = json!({"description": "Root", "canManageTokens": true});
    assert_eq!(
        client.put(&path, change).await.expect(200)["description"],
        "Root"
    );
    let refreshed = client
        .post(&format!("{path}/refresh"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        client.get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    let verified = bearer(&server, &refreshed)
        .get(&format!("{TOKENS}/verify"))
        .await
        .expect(200);
    assert_eq!(
        (&verified["isMasterToken"], &verified["description"]),
        (&json!(true), &json!("Root"))
    );
}
