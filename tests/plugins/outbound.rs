//! What leaves a plugin and what comes back, against real peers over TLS.

use std::sync::Arc;
use std::time::Duration;

use demo_components::DemoServer;
use orchestrator::domain::step::{FailureKind, StepContext};
use orchestrator::plugins::{LogLevel, OutboundSettings, PluginSettings, Plugins, StepError};
use serde_json::{Value, json};

use crate::support::steps::{
    Recorder, TOKEN, context, demo, failure, limits, open, plugins, response, settings, start_with,
};

/// Makes the request with the shared plugins, as a task that lives elsewhere, and answers with what the guest got.
async fn call(parameters: &Value) -> Value {
    call_as(plugins(), context(parameters), &Arc::default()).await
}

async fn call_as(plugins: &Plugins, context: StepContext, recorder: &Arc<Recorder>) -> Value {
    response(start_with(plugins, "calls-out", context, recorder).await)["answers"][0].clone()
}

/// A task of the demo server's: its own origin gets the token.
fn own(demo: &DemoServer, mut parameters: Value) -> StepContext {
    if parameters.get("method").is_none() {
        parameters["method"] = json!("POST");
    }
    StepContext {
        component_url: Some(format!("{}/echo/run", demo.base_url())),
        ..context(&parameters)
    }
}

fn url(demo: &DemoServer, path: &str) -> String {
    format!("{}{path}", demo.base_url())
}

#[tokio::test]
async fn an_address_that_is_not_https_is_denied() {
    let recorder = Arc::new(Recorder::default());

    let parameters =
        json!({"url": "http://127.0.0.1:1/", "method": "POST", "body": "x".repeat(100_000)});
    let answer = call_as(plugins(), context(&parameters), &recorder).await;

    assert_eq!(answer["kind"], "denied", "{answer}");
    let noted = recorder.noted();
    assert_eq!(noted.marks, 0);
    let (level, line) = noted.lines.last().expect("a line");
    assert_eq!(*level, LogLevel::Warning);
    assert_eq!(
        line,
        "the request of plugin calls-out to http://127.0.0.1:1 is refused: it is not https"
    );
}

#[tokio::test]
async fn private_addresses_are_denied_in_every_spelling() {
    let plugins = open(PluginSettings {
        outbound: OutboundSettings::default(),
        ..settings()
    });
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "localhost",
    ] {
        let parameters = json!({"url": format!("https://{host}:1/"), "timeoutMs": 2000});
        let answer = call_as(&plugins, context(&parameters), &Arc::default()).await;
        assert_eq!(answer["kind"], "denied", "{host}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains("closed network"), "{host}: {error}");
    }
}

#[tokio::test]
async fn an_allowed_name_may_lead_anywhere() {
    let demo = demo().await;
    let mut settings = settings();
    settings.outbound.allow = vec!["localhost".parse().expect("a name")];
    let plugins = open(settings);
    let port = demo.address().port();

    let by_name = json!({"url": format!("https://localhost:{port}/sync/run"), "method": "POST"});
    let by_number = json!({"url": url(&demo, "/sync/run"), "method": "POST"});

    // The demo listens on the IPv4 address; a second address of the name is tried as well.
    assert_eq!(
        call_as(&plugins, context(&by_name), &Arc::default()).await["status"],
        200
    );
    assert_eq!(
        call_as(&plugins, context(&by_number), &Arc::default()).await["kind"],
        "denied"
    );
}

#[tokio::test]
async fn a_plugin_calls_what_its_manifest_names_and_nothing_else() {
    let demo = demo().await;
    let mut manifest = json!({
        "id": "calls-out-little", "version": "0.1.0", "kind": "task", "contract": "0.1",
        "capabilities": ["http"], "hosts": ["task-origin"], "restart": "idempotent",
    });
    let component = crate::support::guests::guest("calls-out");
    let changed = crate::support::guests::with_manifest(component, Some(&manifest));
    let plugin = plugins().add_component(&changed).expect("valid");
    let parameters = json!({"url": url(&demo, "/sync/run"), "method": "POST"});
    let run = |context| async {
        let services = Arc::new(Recorder::default());
        let step = orchestrator::domain::step::StepCall::Start;
        response(plugins().run_step(&plugin, context, step, services).await)["answers"][0].clone()
    };

    assert_eq!(run(own(&demo, parameters.clone())).await["status"], 200);
    assert_eq!(run(context(&parameters)).await["kind"], "denied");

    manifest["hosts"] = json!([]);
    let changed = crate::support::guests::with_manifest(component, Some(&manifest));
    let refused = plugins().add_component(&changed).map(drop);
    assert!(refused.is_err_and(|error| error.to_string().contains("hosts: ")));
}

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

    call(&parameters).await;
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
async fn redirects_are_the_plugins_to_follow() {
    let demo = demo().await;
    let parameters = json!({"url": url(&demo, "/redirect/run")});

    let answer = call_as(plugins(), own(&demo, parameters), &Arc::default()).await;

    assert_eq!(answer["status"], 307);
    assert_eq!(answer["headers"]["location"], url(&demo, "/sync/run"));
    assert_eq!(demo.requests().len(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_used_ends_the_step() {
    let demo = demo().await;
    let recorder = Arc::new(Recorder {
        token: Err("the token 3 is disabled".into()),
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
async fn a_failure_before_the_connection_says_that_nothing_was_sent() {
    let demo = demo().await;
    let closed = url(&demo, "/sync/run");
    demo.stop().await;
    for (url, why) in [
        (closed.as_str(), "refused"),
        ("https://no-such-name.invalid/", "name"),
    ] {
        let answer = call(&json!({"url": url, "method": "POST"})).await;
        assert_eq!(answer["kind"], "notSent", "{answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_accepted() {
    let stranger = DemoServer::start(demo_components::Options::default())
        .await
        .expect("a server");

    let answer = call(&json!({"url": url(&stranger, "/sync/run"), "method": "POST"})).await;

    assert_eq!(answer["kind"], "notSent", "{answer}");
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("certificate")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_runs_into_the_connection_limit() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = silent.local_addr().expect("bound").port();

    let answer =
        call(&json!({"url": format!("https://127.0.0.1:{port}/"), "timeoutMs": 200})).await;

    assert_eq!(answer["kind"], "notSent", "{answer}");
    assert!(
        answer["error"]
            .as_str()
            .is_some_and(|error| error.contains("in time")),
        "{answer}"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_lost_not_unsent() {
    let demo = demo().await;
    for (path, why) in [("/hang/run", "in time"), ("/close/run", "closed")] {
        let parameters = json!({"url": url(&demo, path), "method": "POST", "timeoutMs": 400});
        let answer = call(&parameters).await;
        assert_eq!(answer["kind"], "noAnswer", "{path}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(why), "{path}: {error}");
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_cut_off() {
    let demo = demo().await;
    let body = json!({"megabytes": 2}).to_string();

    let answer =
        call(&json!({"url": url(&demo, "/huge/run"), "method": "POST", "body": body})).await;

    assert_eq!(answer["kind"], "tooLarge", "{answer}");
}

#[tokio::test]
async fn a_request_over_the_limit_does_not_leave() {
    let demo = demo().await;
    let plugins = open(PluginSettings {
        limits: orchestrator::plugins::StepLimits {
            http_request_bytes: 1000,
            ..limits()
        },
        ..settings()
    });
    let parameters =
        json!({"url": url(&demo, "/echo/run"), "method": "POST", "body": "x".repeat(1001)});

    let answer = call_as(&plugins, context(&parameters), &Arc::default()).await;

    assert_eq!(answer["kind"], "invalid", "{answer}");
    assert!(demo.requests().is_empty());
}

#[tokio::test]
async fn requests_at_once_and_answers_in_all_are_bounded() {
    let demo = demo().await;
    let plugins = open(PluginSettings {
        limits: orchestrator::plugins::StepLimits {
            http_requests_at_once: 2,
            http_total_bytes: 300 << 10,
            response_bytes: 1 << 20,
            cpu: Duration::from_secs(10),
            ..limits()
        },
        ..settings()
    });
    let run = async |parameters: Value| {
        let result = start_with(&plugins, "calls-out", context(&parameters), &Arc::default()).await;
        let kinds = response(result)["answers"]
            .as_array()
            .expect("answers")
            .clone();
        kinds
            .iter()
            .map(|answer| answer["kind"].clone())
            .collect::<Vec<_>>()
    };

    let body = json!({"seconds": 0.2}).to_string();
    let at_once =
        run(json!({"url": url(&demo, "/slow/run"), "method": "POST", "body": body, "fanout": 4}))
            .await;
    assert_eq!(
        at_once.iter().filter(|kind| **kind == "notSent").count(),
        2,
        "{at_once:?}"
    );

    let long = "x".repeat(90 << 10);
    let body = json!({"x": long}).to_string();
    let in_all =
        run(json!({"url": url(&demo, "/echo/run"), "method": "POST", "body": body, "times": 4}))
            .await;
    assert_eq!(
        in_all,
        [Value::Null, Value::Null, Value::Null, json!("tooLarge")]
    );
}

#[tokio::test]
async fn the_shipped_task_type_starts_a_component_and_waits_for_its_job() {
    let demo = demo().await;
    let plugin = plugins().task_type(None).expect("built in");
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
