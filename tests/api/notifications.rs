use super::{create_path, start};
use serde_json::json;

#[tokio::test]
async fn a_notification_has_three_keys_and_empty_parameters_by_default() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/notifications", create_path(&client, json!([])).await);
    let body = json!([
        {"parameters": [], "channel": "error", "email": "a@b.cz", "extra": 1},
        {"email": "a@b.cz", "channel": "waiting", "parameters": null},
        {"email": "a@b.cz", "channel": "processing", "parameters": {"tolerance": 20.0, "kept": "as sent"}},
    ]);

    let put = client.put(&path, body).await.expect(202);

    assert_eq!(
        put.to_string(),
        json!([
            {"email": "a@b.cz", "channel": "error", "parameters": {}},
            {"email": "a@b.cz", "channel": "waiting", "parameters": {}},
            {"email": "a@b.cz", "channel": "processing", "parameters": {"tolerance": 20, "kept": "as sent"}},
        ])
        .to_string()
    );
    assert_eq!(client.get(&path).await.expect(200), put);
}

#[tokio::test]
async fn faults_are_named_with_their_place() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/nofitications", create_path(&client, json!([])).await);
    let body = json!([
        {"email": "nobody", "channel": "mail"},
        {},
        {"email": "a@b.cz", "channel": "waiting", "parameters": {"timeout": 0}},
        {"email": "a@b.cz", "channel": "waiting", "parameters": {"timeout": "10"}},
        {"email": "a@b.cz", "channel": "processing", "parameters": {"tolerance": -1}},
        {"email": "a@b.cz", "channel": "processing", "parameters": [1]},
        "a@b.cz",
    ]);

    let answer = client.put(&path, body).await;

    let json = answer.json.clone();
    assert_eq!(
        answer.faults(),
        [
            "[0].email",
            "[0].channel",
            "[1].email",
            "[1].channel",
            "[2].parameters.timeout",
            "[3].parameters.timeout",
            "[4].parameters.tolerance",
            "[5].parameters",
            "[6]",
        ]
    );
    assert_eq!(
        json["errors"][1]["message"],
        "must be one of error, waiting, processing, success, warning, recovery"
    );
}

#[tokio::test]
async fn the_configuration_of_a_notification_fits_the_schema_of_its_plugin() {
    let Some(server) = start().await else { return };
    let client = server.client();
    let path = format!("{}/notifications", create_path(&client, json!([])).await);
    let body = json!([
        {"plugin": "webhook", "channel": "error", "config": {"url": "https://a.example/hook"}},
        {"plugin": "webhook", "channel": "error", "config": {}},
    ]);

    let answer = client.put(&path, body).await;

    assert_eq!(answer.faults(), ["[1].config"]);
    let body = json!({"name": "x", "notifications": [{"plugin": "slack", "channel": "success"}]});
    let answer = client.post("/orchestrations", body).await;
    assert_eq!(answer.faults(), ["notifications[0].config"]);
}
