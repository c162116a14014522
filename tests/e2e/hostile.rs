//! A plugin that tries everything, through the whole server: it gets nothing but clear errors, and finds no secret.

use crate::support::guests::{guest, with_manifest};
use crate::support::process::{Installation, MASTER, Process, files_below};
use crate::support::steps::demo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use demo_components::DemoServer;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

const PASSWORD: &str = "password-of-the-shop";
/// Stands in the plugin's parameters, so that a search for it has to succeed.
const CANARY: &str = "canary-that-the-plugin-is-told";

/// The installation's operator shares the plugin: it may call whatever the server lets through.
fn shared(installation: Installation) -> Installation {
    let folder = installation.dir.path().join("shared");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("t.wasm"), guest("tries-everything")).expect("written");
    installation.with(format!("--shared-plugins={}", folder.display()))
}

async fn started() -> (DemoServer, Installation, Process) {
    let demo = demo().await;
    let installation = shared(Installation::new(&demo))
        .with("--step-cpu-seconds=5".to_owned())
        .with("--log=debug".to_owned());
    let process = installation.start().await;
    let basic = json!({"type": "basic", "username": "me", "password": PASSWORD, "hosts": [demo.base_url()]});
    let put = process.client().put("/credentials/shop", basic).await;
    put.expect(201);
    (demo, installation, process)
}

/// Runs these tasks in the orchestration, which is made where there is none, and returns the job.
async fn run(process: &Process, tasks: Value) -> Value {
    let client = process.client();
    let path = "/orchestrations/1";
    if client.get(path).await.status == 404 {
        let body = json!({"name": "Hostile", "tasks": tasks});
        client.post("/orchestrations", body).await.expect(201);
    } else {
        client
            .put(&format!("{path}/tasks"), tasks)
            .await
            .expect(202);
    }
    let job = client.post(&format!("{path}/jobs"), json!({})).await;
    process.finished(&job.expect(201)["id"]).await
}

fn entry(job: &Value, index: usize) -> &Value {
    &job["results"]["tasks"][index]
}

/// What the guest is told of a secret; the same arithmetic as the guest's.
fn of_secret(secret: &str) -> Value {
    let hash = secret.bytes().fold(0_u64, |hash, byte| {
        hash.wrapping_mul(1_099_511_628_211)
            .wrapping_add(u64::from(byte) + 1)
    });
    json!({"length": secret.len(), "hash": hash.to_string()})
}

fn get(url: &str) -> Value {
    json!({"url": url, "method": "GET"})
}

fn post(url: &str, body: &Value, headers: &[(&str, &str)]) -> Value {
    json!({"url": url, "method": "POST", "body": body.to_string(), "headers": headers})
}

/// Requests that get no answer, and the kind of error that each gets instead.
fn hopeless(base: &str) -> Vec<(&'static str, Value, &'static [&'static str])> {
    let echo = format!("{base}/echo/hopeless");
    let nothing = json!({});
    vec![
        (
            "metadata",
            get("https://169.254.169.254/latest"),
            &["Denied"],
        ),
        (
            "metadata as a number",
            get("https://2852039166/"),
            &["Denied"],
        ),
        ("private", get("https://10.0.0.1/"), &["Denied"]),
        ("loopback", get("https://[::1]:1/"), &["Denied"]),
        ("mapped", get("https://[::ffff:10.0.0.1]/"), &["Denied"]),
        ("link-local", get("https://[fe80::1]/"), &["Denied"]),
        ("anything", get("https://0.0.0.0:1/"), &["Denied"]),
        ("no tls", get(&echo.replace("https", "http")), &["Denied"]),
        ("file", get("file:///etc/passwd"), &["Invalid", "Denied"]),
        (
            "user",
            get(&echo.replace("https://", "https://me:secret@")),
            &["Invalid"],
        ),
        (
            "tunnel",
            json!({"url": echo.clone(), "method": "CONNECT"}),
            &["Invalid"],
        ),
        (
            "line in value",
            post(&echo, &nothing, &[("x-a", "b\r\nx-smuggled: c")]),
            &["Invalid"],
        ),
        (
            "line in name",
            post(&echo, &nothing, &[("x-a: b\r\nx-smuggled", "c")]),
            &["Invalid"],
        ),
        (
            "line in address",
            post(
                &format!("{base}/echo/a HTTP/1.1\r\nx-smuggled: b"),
                &nothing,
                &[],
            ),
            &["Invalid"],
        ),
        (
            "large body",
            json!({"url": echo, "method": "POST", "bytes": 9 << 20}),
            &["Invalid"],
        ),
        (
            "large answer",
            post(&format!("{base}/huge/run"), &json!({"megabytes": 9}), &[]),
            &["TooLarge"],
        ),
    ]
}

/// Headers that a plugin must not set, each in a request of its own.
const FORGED: [(&str, &str); 8] = [
    ("X-StorageApi-Token", "forged-token"),
    ("Authorization", "forged-authorization"),
    ("Proxy-Authorization", "forged-proxy"),
    ("Cookie", "forged-cookie"),
    ("Host", "forged.example"),
    ("Connection", "x-forged"),
    ("Transfer-Encoding", "forged-encoding"),
    ("Upgrade", "forged-protocol"),
];

#[tokio::test]
async fn a_plugin_that_tries_everything_gets_clear_errors_and_finds_no_secret() {
    let (demo, installation, process) = started().await;
    let base = demo.base_url().to_owned();
    // The orchestration's own token, as a component gets it.
    run(&process, json!([{"component": "sync"}])).await;
    let sent = demo.requests();
    let token = sent[0].header("x-storageapi-token").expect("sent");
    let basic = STANDARD.encode(format!("me:{PASSWORD}"));
    let mut requests = serde_json::Map::new();
    for (name, wish, _) in hopeless(&base) {
        requests.insert(name.to_owned(), wish);
    }
    for (name, value) in FORGED {
        let wish = post(
            &format!("{base}/echo/forged"),
            &json!({}),
            &[(name, value), ("x-own", name)],
        );
        requests.insert(format!("forged {name}"), wish);
    }
    let redirect = json!({"to": "https://169.254.169.254/latest"});
    for (name, wish) in [
        (
            "token",
            post(&format!("{base}/echo-token/run"), &json!({}), &[]),
        ),
        (
            "credential",
            post(&format!("{base}/echo/run"), &json!({}), &[]),
        ),
        (
            "redirect",
            post(&format!("{base}/redirect/run"), &redirect, &[]),
        ),
    ] {
        requests.insert(name.to_owned(), wish);
    }
    let parameters = |streams: bool| {
        json!({
            "requests": requests, "streams": streams, "credential": "shop", "note": CANARY,
            "secrets": {
                "token": of_secret(token), "master": of_secret(MASTER), "password": of_secret(PASSWORD),
                "basic": of_secret(&basic), "canary": of_secret(CANARY),
            },
        })
    };

    let task =
        |streams| json!({"component": "tries-everything", "actionParameters": parameters(streams)});
    let job = run(&process, json!([task(true), task(false)])).await;

    for index in [0, 1] {
        assert_eq!(entry(&job, index)["status"], "success", "{job}");
        check_what_it_got(&base, &entry(&job, index)["response"]);
    }
    check_what_arrived(&demo, token, &basic);

    let secrets = [token, MASTER, PASSWORD, &basic].map(str::to_owned);
    let mut answers = vec![job];
    for path in [
        "/jobs",
        "/jobs/2/usage",
        "/orchestrations",
        "/plugins",
        "/credentials",
        "/quotas",
        "/v2/storage/tokens",
    ] {
        answers.push(process.client().get(path).await.json);
    }
    let log = process.log();
    assert!(log.contains(CANARY), "what the plugin logs is there");
    assert!(process.stop().await.success());
    let mut places = files_below(&installation.data_dir());
    places.push(("the log".into(), log.into_bytes()));
    let answers = answers.iter().map(|one| one.to_string().into_bytes());
    places.extend(answers.map(|bytes| ("an answer".into(), bytes)));
    for (place, bytes) in &places {
        for secret in &secrets {
            let mut parts = bytes.windows(secret.len());
            let is_there = parts.any(|part| part == secret.as_bytes());
            assert!(!is_there, "a secret is in {}", place.display());
        }
    }
}

/// Errors for whatever leads anywhere, and answers without a secret.
fn check_what_it_got(base: &str, told: &Value) {
    let machine = &told["machine"];
    assert_eq!(machine["environment"], json!([]));
    assert_eq!(machine["arguments"], json!([]));
    assert_eq!(machine["stdin"], json!({"got": "0 bytes"}));
    let tried = machine.as_object().expect("tries").iter();
    let tried = tried.filter(|(_, got)| got.is_object());
    for (what, got) in tried.filter(|(what, _)| *what != "stdin") {
        let error = got["error"].as_str().unwrap_or_default();
        assert!(!error.is_empty(), "{what}: {got}");
    }
    for (name, _, kinds) in hopeless(base) {
        let got = &told["requests"][name];
        let kind = got["kind"].as_str().unwrap_or_default();
        assert!(kinds.contains(&kind), "{name}: {got}");
        assert!(got["error"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let got = |name: &str| &told["requests"][name];
    assert_eq!(got("redirect")["status"], 307, "not followed");
    assert_eq!(got("token")["status"], 200);
    assert!(got("token")["body"].to_string().contains("***"));
    assert!(got("credential")["body"].to_string().contains("Basic ***"));
    // The search finds what is there, and nothing else of what it looked for.
    let found = &told["found"];
    assert!(found["canary"].as_u64() > Some(0), "{found}");
    for secret in ["token", "master", "password", "basic"] {
        assert_eq!(found[secret], 0, "{secret}: {found}");
    }
}

/// What the plugin forged did not leave; what the host adds did.
fn check_what_arrived(demo: &DemoServer, token: &str, basic: &str) {
    let requests = demo.requests();
    let forged: Vec<_> = requests
        .iter()
        .filter(|one| one.path == "/echo/forged")
        .collect();
    assert!(!forged.is_empty());
    for request in &requests {
        for (name, value) in &request.headers {
            assert!(!value.contains("forged"), "{name}: {value}");
            assert!(!name.contains("smuggled"), "{name}: {value}");
        }
    }
    for request in &forged {
        assert_eq!(request.header("x-storageapi-token"), Some(token));
        let authorization = format!("Basic {basic}");
        assert_eq!(request.header("authorization"), Some(&*authorization));
    }
    assert!(requests.iter().all(|one| !one.path.contains("hopeless")));
}

#[tokio::test]
async fn a_plugin_that_uses_everything_up_is_stopped_each_time_and_the_server_goes_on() {
    let (_demo, _installation, process) = started().await;
    let task = |waste: &str| {
        json!({"component": "tries-everything", "actionParameters": {"waste": waste},
        "continueOnFailure": true, "phase": "all"})
    };
    let wastes = [
        ("cpu", &["CPU_LIMIT"][..], "step-cpu-seconds"),
        ("memory", &["MEMORY_LIMIT"], "step-memory-mib"),
        // Which of the two stacks is used up first is the compiler's matter.
        ("stack", &["STACK_LIMIT", "TRAP"], "plugin tries-everything"),
        ("calls", &["CPU_LIMIT"], "step-cpu-seconds"),
    ];
    let mut tasks: Vec<_> = wastes.iter().map(|(waste, ..)| task(waste)).collect();
    tasks.push(task("log"));

    let job = run(&process, json!(tasks)).await;

    for (index, (waste, codes, named)) in wastes.iter().enumerate() {
        let ended = entry(&job, index);
        let code = ended["code"].as_str().unwrap_or_default();
        assert!(codes.contains(&code), "{waste}: {ended}");
        let message = ended["message"].as_str().unwrap_or_default();
        assert!(message.contains(named), "{waste}: {message}");
    }
    assert_eq!(entry(&job, wastes.len())["status"], "success");
    let log = process.log();
    assert!(log.contains("output beyond 262144 bytes"), "the log limit");
    let flood = log.lines().filter(|line| line.contains("llllllll"));
    assert!(flood.count() < 140, "no more than the limit");
    let next = run(&process, json!([{"component": "sync"}])).await;
    assert_eq!(next["status"], "success");
}

#[tokio::test]
async fn a_plugin_reaches_nothing_that_its_project_does_not_grant() {
    let (demo, _installation, process) = started().await;
    let manifest = json!({
        "id": "tries-some", "version": "1.0.0", "kind": "task", "contract": "0.1", "restart": "idempotent",
        "capabilities": ["http"], "hosts": ["task-origin", "https://granted.example", "https://other.example"],
    });
    let component = with_manifest(guest("tries-everything"), Some(&manifest));
    let client = process.client();
    let upload = client.request(Method::POST, "/plugins").body(component);
    client.send(upload).await.expect(201);
    let grant = json!({"capabilities": ["http"], "hosts": ["https://granted.example"]});
    client
        .put("/plugins/tries-some/grant", grant)
        .await
        .expect(200);
    let requests = json!({
        "own": get(demo.base_url()), "other": get("https://other.example/"), "never": get("https://never.example/"),
    });
    let task = json!({"component": "tries-some", "actionParameters": {"requests": requests}});

    let job = run(&process, json!([task])).await;

    let told = &entry(&job, 0)["response"]["requests"];
    for name in ["own", "other", "never"] {
        assert_eq!(told[name]["kind"], "Denied", "{name}: {job}");
    }
    let log = process.log();
    assert!(log.contains("its project grants it https://granted.example only"));
    assert!(log.contains("the plugin's manifest does not ask for it"));
    assert!(demo.requests().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_after_its_look_up() {
    let demo = demo().await;
    let installation = shared(Installation::trusting_nobody());
    let process = installation.start().await;
    let port = demo.address().port();
    let by_name = get(&format!("https://localhost:{port}/sync/run"));
    let requests = json!({"name": by_name, "number": get(demo.base_url())});
    let task = json!({"component": "tries-everything", "actionParameters": {"requests": requests}});

    let job = run(&process, json!([task])).await;

    let told = &entry(&job, 0)["response"]["requests"];
    for name in ["name", "number"] {
        let error = told[name]["error"].as_str().unwrap_or_default();
        assert!(error.contains("closed network"), "{name}: {job}");
    }
    assert!(demo.requests().is_empty());
}
