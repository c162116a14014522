//! What leaves a plugin and what comes back, against real peers over TLS.

use std::sync::Arc;
use std::time::Duration;

use demo_components::DemoServer;
use orchestrator::domain::step::StepContext;
use orchestrator::plugins::{LogLevel, OutboundSettings, PluginSettings, Plugins};
use serde_json::{Value, json};

use crate::support::steps::{
    Recorder, context, demo, limits, open, plugins, response, settings, start_with,
};

/// Makes the request with the shared plugins, as a task that lives elsewhere, and answers with what the guest got.
async fn call(parameters: &Value) -> Value {
    call_as(plugins(), context(parameters), &Arc::default()).await
}

fn last_line(recorder: &Recorder) -> String {
    let noted = recorder.noted();
    noted.lines.last().expect("a line").1.clone()
}

pub(super) async fn call_as(
    plugins: &Plugins,
    context: StepContext,
    recorder: &Arc<Recorder>,
) -> Value {
    response(start_with(plugins, "calls-out", context, recorder).await)["answers"][0].clone()
}

/// A task of the demo server's: its own origin gets the token.
pub(super) fn own(demo: &DemoServer, mut parameters: Value) -> StepContext {
    if parameters.get("method").is_none() {
        parameters["method"] = json!("POST");
    }
    StepContext {
        component_url: Some(format!("{}/echo/run", demo.base_url())),
        ..context(&parameters)
    }
}

pub(super) fn url(demo: &DemoServer, path: &str) -> String {
    format!("{}{path}", demo.base_url())
}

/// By streams, and by one call of the host.
#[tokio::test]
async fn both_doors_lead_the_same_way() {
    let (gone, demo) = (demo().await, demo().await);
    let closed = url(&gone, "/sync/run");
    gone.stop().await;
    let stranger = DemoServer::start(demo_components::Options::default());
    let stranger = stranger.await.expect("a server");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let silent = silent.expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let echo = url(&demo, "/echo/run");
    let huge = json!({"megabytes": 2}).to_string();
    for (mut parameters, expected) in [
        (json!({"url": "http://127.0.0.1:1/"}), json!("denied")),
        (json!({"url": "https://10.0.0.1/"}), json!("denied")),
        (json!({"url": closed}), json!("notSent")),
        (
            json!({"url": url(&stranger, "/sync/run")}),
            json!("notSent"),
        ),
        (
            json!({"url": format!("https://127.0.0.1:{port}/"), "timeoutMs": 200}),
            json!("notSent"),
        ),
        (
            json!({"url": url(&demo, "/hang/run"), "timeoutMs": 400}),
            json!("noAnswer"),
        ),
        (json!({"url": url(&demo, "/close/run")}), json!("noAnswer")),
        (
            json!({"url": url(&demo, "/huge/run"), "body": huge}),
            json!("tooLarge"),
        ),
        (json!({"url": url(&demo, "/redirect/run")}), json!(307)),
        (json!({"url": echo, "body": "{\"a\": 1}"}), json!(200)),
        (
            json!({"url": echo, "headers": {"Connection": "close"}}),
            json!("invalid"),
        ),
        (
            json!({"url": echo, "headers": {"x-a": "b\r\nx-c: d"}}),
            json!("invalid"),
        ),
        (
            json!({"url": format!("{echo}?{}", "x".repeat(20_000))}),
            json!("invalid"),
        ),
        (json!({"url": echo, "method": "CONNECT"}), json!("invalid")),
    ] {
        if parameters.get("method").is_none() {
            parameters["method"] = json!("POST");
        }
        for whole in [false, true] {
            parameters["whole"] = json!(whole);
            let answer = call(&parameters).await;
            let got = answer.get("kind").unwrap_or(&answer["status"]);
            assert_eq!(*got, expected, "{parameters}: {answer}");
            assert!(answer["headers"].get("connection").is_none(), "{answer}");
        }
    }
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
async fn redirects_are_the_plugins_to_follow() {
    let demo = demo().await;
    let parameters = json!({"url": url(&demo, "/redirect/run")});

    let answer = call_as(plugins(), own(&demo, parameters), &Arc::default()).await;

    assert_eq!(answer["status"], 307);
    assert_eq!(answer["headers"]["location"], url(&demo, "/sync/run"));
    assert_eq!(demo.requests().len(), 1);
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

    let recorder = Arc::new(Recorder::default());
    let parameters = json!({"url": url(&demo, "/huge/run"), "method": "POST", "body": body});
    let answer = call_as(plugins(), context(&parameters), &recorder).await;

    assert_eq!(answer["kind"], "tooLarge", "{answer}");
    assert_eq!(
        last_line(&recorder),
        "a request of plugin calls-out failed: it may have at most 262144 bytes in an answer (it is the same for all plugins and has no setting)"
    );
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

    let recorder = Arc::new(Recorder::default());
    let answer = call_as(&plugins, context(&parameters), &recorder).await;

    assert_eq!(answer["kind"], "invalid", "{answer}");
    let line = last_line(&recorder);
    assert!(
        line.contains("1000 bytes in the body of a request"),
        "{line}"
    );
    assert!(demo.requests().is_empty());
}

#[tokio::test]
async fn an_address_over_the_limit_is_not_called() {
    let long = format!("https://refused.example/{}", "x".repeat(20_000));
    let recorder = Arc::new(Recorder::default());

    let answer = call_as(plugins(), context(&json!({"url": long})), &recorder).await;

    assert_eq!(answer["kind"], "invalid", "{answer}");
    let line = last_line(&recorder);
    assert!(line.contains("16384 bytes in an address"), "{line}");
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
    let recorder = Arc::new(Recorder::default());
    let run = async |parameters: Value| {
        let result = start_with(&plugins, "calls-out", context(&parameters), &recorder).await;
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
    let line = last_line(&recorder);
    assert!(line.contains("at most 2 requests at once"), "{line}");

    let long = "x".repeat(90 << 10);
    let body = json!({"x": long}).to_string();
    let in_all =
        run(json!({"url": url(&demo, "/echo/run"), "method": "POST", "body": body, "times": 4}))
            .await;
    assert_eq!(
        in_all,
        [Value::Null, Value::Null, Value::Null, json!("tooLarge")]
    );
    let line = last_line(&recorder);
    assert!(
        line.contains("307200 bytes in the answers to all its requests"),
        "{line}"
    );
}
