use super::start;
use crate::support::server::MASTER;
use serde_json::json;

#[tokio::test]
async fn a_token_learns_what_it_is() {
    let Some(server) = start().await else { return };

    let answer = server
        .client()
        .get("/v2/storage/tokens/verify")
        .await
        .expect(200);

    assert_eq!(
        answer,
        json!({
            "id": "1", "token": MASTER, "description": "Master token", "created": "2013-03-02T10:11:24+00:00",
            "refreshed": "2013-03-02T10:11:24+00:00", "expires": null, "isExpired": false, "isDisabled": false,
            "isMasterToken": true, "canManageBuckets": true, "canManageTokens": true, "canReadAllFileUploads": true,
            "canPurgeTrash": true, "bucketPermissions": {}, "componentAccess": [],
            "uri": format!("http://{}/v2/storage/tokens/1", server.address),
            "creatorToken": null, "owner": {"id": 1, "name": "Project 1"},
        })
    );
}

#[tokio::test]
async fn a_plain_token_works_but_manages_no_tokens() {
    let Some(server) = start().await else { return };
    let (plain, id) = server.add_plain_token("Plain").await;

    let answer = plain.get("/v2/storage/tokens/verify").await.expect(200);

    assert_eq!(answer["id"], id.to_string());
    assert_eq!(
        (&answer["isMasterToken"], &answer["canManageTokens"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        (
            &answer["canManageBuckets"],
            &answer["canReadAllFileUploads"]
        ),
        (&json!(true), &json!(true))
    );
    plain.get("/orchestrations").await.expect(200);
}

#[tokio::test]
async fn a_missing_or_unknown_token_is_refused() {
    let Some(server) = start().await else { return };
    let no_text = server
        .nobody()
        .request(reqwest::Method::GET, "/orchestrations");
    let no_text = no_text.header(
        "X-StorageApi-Token",
        reqwest::header::HeaderValue::from_bytes(b"\xff").expect("value"),
    );

    assert_eq!(
        server.nobody().get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    assert_eq!(
        server.bearer("").get("/orchestrations").await.refusal(401),
        "UNAUTHORIZED"
    );
    assert_eq!(
        server
            .bearer("unknown-token-of-nobody")
            .get("/orchestrations")
            .await
            .refusal(401),
        "UNAUTHORIZED"
    );
    assert_eq!(
        server.nobody().send(no_text).await.refusal(401),
        "UNAUTHORIZED"
    );
}
