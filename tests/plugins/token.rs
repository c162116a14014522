//! The run's token and the other headers of the host: where they go, and what of them a plugin sees.

use std::sync::Arc;

use orchestrator::domain::step::{FailureKind, StepContext};
use orchestrator::plugins::{StepError, TokenRefusal};
use serde_json::{Value, json};

use super::outbound::{call_as, own, url};
use crate::support::steps::{
    Recorder, TOKEN, context, demo, failure, plugins, response, start_with,
};

#[tokio::test]
async fn the_token_goes_to_the_runs_own_origins_only() {
    let demo = demo().await;
    let other = crate::support::steps::demo().await;
    let ask = |url: String| json!({"url": url, "method": "POST"});

    call_as(
        plugins(),
        own(&demo, ask(url(&demo, "/sync/run"))),
        &Arc::default(),
    )
    .await;
    call_as(
        plugins(),
        own(&demo, ask(url(&other, "/sync/run"))),
        &Arc::default(),
    )
    .await;
    let as_public = StepContext {
        public_url: Some(format!("{}/orchestrator", other.base_url())),
        ..own(&demo, ask(url(&other, "/sync/run")))
    };
    call_as(plugins(), as_public, &Arc::default()).await;
    let as_component = StepContext {
        component: Some("sync".into()),
        components_url: other.base_url().to_owned(),
        ..context(&ask(url(&other, "/sync/run")))
    };
    call_as(plugins(), as_component, &Arc::default()).await;

    let token = |request: &demo_components::RecordedRequest| {
        request.header("x-storageapi-token").map(str::to_owned)
    };
    assert_eq!(
        demo.requests().iter().map(token).collect::<Vec<_>>(),
        [Some(TOKEN.to_owned())]
    );
    assert_eq!(
        other.requests().iter().map(token).collect::<Vec<_>>(),
        [None, Some(TOKEN.to_owned()), Some(TOKEN.to_owned())]
    );
}

#[tokio::test]
async fn headers_that_belong_to_the_host_are_not_the_plugins_to_set() {
    let demo = demo().await;
    let headers = json!({
        "X-StorageApi-Token": "stolen", "Authorization": "Bearer x", "Cookie": "a=b", "User-Agent": "me",
        "Accept-Encoding": "gzip", "Range": "bytes=0-1", "X-Own": "kept",
    });
    let parameters =
        json!({"url": url(&demo, "/echo/run"), "method": "POST", "headers": headers, "body": "{}"});

    call_as(plugins(), context(&parameters), &Arc::default()).await;
    call_as(plugins(), own(&demo, parameters.clone()), &Arc::default()).await;

    for (request, token) in demo.requests().iter().zip([None, Some(TOKEN)]) {
        assert_eq!(request.header("x-storageapi-token"), token);
        for name in ["authorization", "cookie", "accept-encoding", "range"] {
            assert_eq!(request.header(name), None, "{name}");
        }
        assert_eq!(request.header("x-own"), Some("kept"));
        assert_eq!(request.header("content-length"), Some("2"));
        let agent = request.header("user-agent").unwrap_or_default();
        assert!(agent.starts_with("Orchestrator/"), "{agent}");
    }
    assert_eq!(demo.requests().len(), 2);
}

#[tokio::test]
async fn an_echoed_token_is_masked_before_the_plugin_sees_it() {
    let demo = demo().await;
    let parameters = json!({"url": url(&demo, "/echo-token/run")});

    let answer = call_as(plugins(), own(&demo, parameters), &Arc::default()).await;

    let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["token"], "***");
    assert_eq!(body["message"], "called with the token ***, thank you");
    assert_eq!(body["nested"], json!({"list": ["***"], "***": true}));
    assert!(!answer.to_string().contains(TOKEN));
    let length = answer["headers"]["content-length"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(
        length,
        answer["body"].as_str().map(|body| body.len().to_string())
    );
}

#[tokio::test]
async fn a_token_in_a_header_of_the_answer_is_masked_as_well() {
    let demo = demo().await;
    let to = format!("https://elsewhere.example/?t={TOKEN}");
    let body = json!({"to": to}).to_string();
    let parameters = json!({"url": url(&demo, "/redirect/run"), "body": body});

    let answer = call_as(plugins(), own(&demo, parameters), &Arc::default()).await;

    assert_eq!(
        answer["headers"]["location"],
        "https://elsewhere.example/?t=***"
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_used_ends_the_step() {
    let demo = demo().await;
    let recorder = Arc::new(Recorder {
        token: Err(TokenRefusal::Unusable("the token 3 is disabled".into())),
        ..Recorder::default()
    });
    let context = own(&demo, json!({"url": url(&demo, "/sync/run")}));

    let failure = failure(start_with(plugins(), "calls-out", context, &recorder).await);

    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Auth, "TOKEN_UNUSABLE")
    );
    assert_eq!(failure.message, "the token 3 is disabled");
    assert_eq!((demo.requests().len(), recorder.noted().marks), (0, 0));
}

#[tokio::test]
async fn a_step_whose_token_cannot_be_read_now_is_repeated() {
    let demo = demo().await;
    let recorder = Arc::new(Recorder {
        token: Err(TokenRefusal::Unavailable("the database is away".into())),
        ..Recorder::default()
    });
    let context = own(&demo, json!({"url": url(&demo, "/sync/run")}));

    let answer = start_with(plugins(), "calls-out", context, &recorder).await;

    assert_eq!(
        answer.map(drop),
        Err(StepError::Abandoned("the database is away".into()))
    );
    assert_eq!((demo.requests().len(), recorder.noted().marks), (0, 0));
}

#[tokio::test]
async fn the_runner_is_told_once_before_something_may_change() {
    let demo = demo().await;
    let recorder = Arc::new(Recorder::default());
    let get = json!({"url": url(&demo, "/_jobs"), "method": "GET", "times": 3});
    call_as(plugins(), own(&demo, get), &recorder).await;
    assert_eq!(recorder.noted().marks, 0);

    let post = json!({"url": url(&demo, "/sync/run"), "times": 2, "fanout": 4});
    call_as(plugins(), own(&demo, post), &recorder).await;

    assert_eq!(recorder.noted().marks, 1);
    assert_eq!(
        demo.requests()
            .iter()
            .filter(|request| request.method == "POST")
            .count(),
        8
    );
}

#[tokio::test]
async fn nothing_leaves_where_the_runner_cannot_note_it() {
    let demo = demo().await;
    let recorder = Arc::new(Recorder {
        mark: Err("the database is away".into()),
        ..Recorder::default()
    });
    let context = own(&demo, json!({"url": url(&demo, "/sync/run")}));

    let result = start_with(plugins(), "calls-out", context, &recorder).await;

    assert_eq!(
        result,
        Err(StepError::Abandoned("the database is away".into()))
    );
    assert!(demo.requests().is_empty());
}

#[tokio::test]
async fn the_shipped_task_type_starts_a_component_and_waits_for_its_job() {
    let demo = demo().await;
    let plugin = plugins().http_component();
    let task = StepContext {
        component_url: Some(url(&demo, "/async/run")),
        ..context(&json!({"polls": 0}))
    };
    let recorder = Arc::new(Recorder::default());
    let call = orchestrator::domain::step::StepCall::Start;

    let started = plugins()
        .run_step(&plugin, task.clone(), call, recorder.clone())
        .await;
    let Ok(orchestrator::domain::step::Step::Wait(wait)) = started else {
        panic!("{started:?}");
    };
    let call = orchestrator::domain::step::StepCall::Resume {
        state: wait.state,
        is_recovery: false,
    };
    let ended = plugins()
        .run_step(&plugin, task, call, recorder.clone())
        .await;

    assert_eq!(response(ended)["status"], "success");
    assert_eq!(recorder.noted().marks, 1);
    let requests = demo.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|request| request.method.as_str())
        .collect();
    assert_eq!(sent, ["POST", "GET"]);
    assert_eq!(requests[0].header("x-kbc-runid"), Some("12.34"));
    assert_eq!(requests[0].header("idempotency-key"), Some("key-34"));
    assert!(
        requests
            .iter()
            .all(|request| request.header("x-storageapi-token") == Some(TOKEN))
    );
}
