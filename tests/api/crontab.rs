//! What the API says of crontab expressions.

use super::start;
use serde_json::json;

#[tokio::test]
async fn an_expression_is_explained_in_words_and_in_the_next_ten_times() {
    let Some(server) = start().await else { return };

    let path = "/crontab?expression=0+6+*+*+1-5";
    let told = server.client().get(path).await.expect(200);

    assert_eq!(told["expression"], "0 6 * * 1-5");
    assert_eq!(told["description"], "At 06:00, on Monday to Friday");
    let times = told["nextTimes"].as_array().expect("times");
    assert_eq!(times.len(), 10);
    // The clock stands at a Saturday, 2 March 2013.
    assert_eq!(times[0], json!("2013-03-04T06:00:00+00:00"));
    assert_eq!(times[9], json!("2013-03-15T06:00:00+00:00"));
}

#[tokio::test]
async fn what_is_no_expression_is_refused_with_its_place() {
    let Some(server) = start().await else { return };

    for path in [
        "/crontab",
        "/crontab?expression=",
        "/crontab?expression=0+25+*+*+*",
    ] {
        let refused = server.client().get(path).await.expect(400);
        assert_eq!(refused["errors"][0]["path"], "expression", "{path}");
    }
    let refused = server.client().get("/crontab?expression=0+25+*+*+*").await;
    let refused = refused.expect(400);
    let message = refused["errors"][0]["message"].as_str().expect("text");
    assert!(message.starts_with("position 3: "), "{message}");
    server
        .nobody()
        .get("/crontab?expression=@daily")
        .await
        .expect(401);
}
