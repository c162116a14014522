//! The whole API under requests that nobody would write: every address with every method, with ids, queries, headers and
//! bodies that are generated or damaged. Whatever comes, the answer is no failure of ours, and a refusal is in the envelope.
//!
//! `ORCHESTRATOR_FUZZ_CASES` sets the number of cases, `ORCHESTRATOR_FUZZ_SEED` where the generator starts.

use super::{create, start};
use crate::support::client::Client;
use crate::support::server::Server;
use orchestrator::domain::crontab::Crontab;
use orchestrator::plugins::Manifest;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};

/// Quick: the tests run on two databases.
const CASES: u64 = 1_500;

#[expect(
    clippy::disallowed_methods,
    reason = "a test that is told from outside how much to do"
)]
fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Xorshift: the same sequence for the same seed.
struct Generator(u64);

impl Generator {
    fn new() -> Self {
        Self(number("ORCHESTRATOR_FUZZ_SEED", 20_261_124).max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("small")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn text(&mut self) -> String {
        let length = if self.one_in(20) {
            5_000
        } else {
            self.below(12)
        };
        let alphabet: Vec<char> = "aZ09 _-./\\%*,?#\"'{}[]<>\0\n\t\u{7f}\u{a0}é漢🙂\u{202e}"
            .chars()
            .collect();
        (0..length).map(|_| *self.pick(&alphabet)).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 9 } else { 11 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => json!(self.next() as i64),
            3 => json!(self.pick(&[0.5, -1e300, 1e-9, 1e15])),
            4 => serde_json::from_str("123456789012345678901234567890.5e9").expect("a number"),
            5 => json!(self.pick(&[0, 1, -1, 2, 59, 60, i64::MAX, i64::MIN])),
            6 => json!(self.pick(&[
                "",
                "1",
                "0",
                "true",
                "null",
                "*/5 * * * *",
                "https://a.example",
                "a@b.example"
            ])),
            7 | 8 => json!(self.text()),
            9 => {
                let length = self.below(4);
                (0..length).map(|_| self.value(depth - 1)).collect()
            }
            _ => {
                let length = self.below(4);
                let object: Map<String, Value> = (0..length)
                    .map(|_| (self.text(), self.value(depth - 1)))
                    .collect();
                Value::Object(object)
            }
        }
    }

    /// Replaces, removes or repeats something somewhere.
    fn damage(&mut self, value: &mut Value) {
        let goes_deeper = !self.one_in(3);
        match value {
            Value::Object(object) if goes_deeper && !object.is_empty() => {
                let at = self.below(object.len());
                let key = object.keys().nth(at).expect("counted").clone();
                if self.one_in(6) {
                    object.remove(&key);
                } else if let Some(inner) = object.get_mut(&key) {
                    self.damage(inner);
                }
            }
            Value::Array(array) if goes_deeper && !array.is_empty() => {
                let at = self.below(array.len());
                match self.below(4) {
                    0 => array.push(array[at].clone()),
                    1 => drop(array.remove(at)),
                    _ => self.damage(&mut array[at]),
                }
            }
            other => *other = self.value(3),
        }
    }

    fn body(&mut self) -> Vec<u8> {
        let mut value = self.pick(&bodies()).clone();
        for _ in 0..self.below(4) {
            self.damage(&mut value);
        }
        let mut bytes = value.to_string().into_bytes();
        match self.below(12) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 => {
                for _ in 0..=self.below(5) {
                    let at = self.below(bytes.len());
                    bytes[at] = self.next() as u8;
                }
            }
            2 => bytes = (0..self.below(200)).map(|_| self.next() as u8).collect(),
            3 => bytes = "[".repeat(self.below(100_000)).into_bytes(),
            4 => {
                bytes =
                    b"description=a&canManageBuckets=1&componentAccess[]=%zz&bucketPermissions[x"
                        .to_vec();
            }
            5 => bytes.clear(),
            _ => {}
        }
        bytes
    }

    fn id(&mut self) -> String {
        let weird = [
            "0",
            "-1",
            "9223372036854775807",
            "99999999999999999999",
            "%00",
            "%ff",
            "1%2f2",
            "null",
            "🙂",
            "1 OR 1=1",
        ];
        match self.below(4) {
            0 | 1 => (1 + self.below(6)).to_string(),
            2 => "999".into(),
            _ => (*self.pick(&weird)).to_owned(),
        }
    }

    fn query(&mut self) -> String {
        if self.one_in(2) {
            return String::new();
        }
        let names = ["limit", "offset", "", "x", "%ff", "limit[]"];
        let values = [
            "1",
            "0",
            "-1",
            "501",
            "18446744073709551616",
            "%00",
            "a",
            "1.5",
            "",
        ];
        let pairs: Vec<String> = (0..self.below(4))
            .map(|_| format!("{}={}", self.pick(&names), self.pick(&values)))
            .collect();
        format!("?{}", pairs.join("&"))
    }
}

/// What each call would like.
fn bodies() -> Vec<Value> {
    let task = json!({"component": "a", "action": "run", "actionParameters": {"a": [1, {"b": null}]}, "phase": 1,
        "timeoutMinutes": 5, "active": true, "continueOnFailure": false});
    let notification =
        json!({"email": "a@b.example", "channel": "waiting", "parameters": {"timeout": 5}});
    vec![
        json!({}),
        json!([]),
        json!({"name": "Main", "crontabRecord": "*/5 * * * *", "active": true, "tokenId": 1, "tasks": [task],
            "notifications": [notification]}),
        json!([task, {"componentUrl": "https://a.example/x"}]),
        json!([notification]),
        json!({"config": 1, "notificationsEmails": ["a@b.example"], "tasks": [task]}),
        json!({"description": "a", "canManageTokens": true, "componentAccess": ["a"], "expiresIn": 60,
            "bucketPermissions": {"in.c-main": "read"}, "isDisabled": false}),
    ]
}

/// Every address of the URL table but those of pages, which answer with files.
fn addresses() -> Vec<String> {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../host/src/api/router.rs");
    let table = std::fs::read_to_string(table).expect("the URL table");
    let addresses: Vec<String> = table
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains(char::is_whitespace))
        .filter(|text| !["/ui", "/ui/{*path}"].contains(text))
        .map(str::to_owned)
        .collect();
    assert!(addresses.len() > 12, "{addresses:?}");
    addresses
}

async fn ask(client: &Client, generator: &mut Generator, addresses: &[String]) {
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::POST,
        Method::PUT,
        Method::HEAD,
        Method::PATCH,
        Method::OPTIONS,
    ];
    let method = generator.pick(&methods).clone();
    let mut path = generator.pick(addresses).replace("{id}", &generator.id());
    if generator.one_in(20) {
        path = format!("/{path}//").replace(' ', "");
    }
    path = path.replace(' ', "%20") + &generator.query();
    // It would end the bearer's own life.
    let is_suicide = path.contains("tokens/1/refresh");
    if is_suicide {
        return;
    }
    let mut request = client.request(method.clone(), &path);
    if generator.one_in(3) {
        let types = [
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
            ";",
            "application/json; charset=\"",
            "é",
        ];
        let value = HeaderValue::from_bytes(generator.pick(&types).as_bytes());
        request = request.header(CONTENT_TYPE, value.expect("a header's value"));
    }
    for name in [
        "Idempotency-Key",
        "X-KBC-RunId",
        "X-User-Agent",
        "X-Forwarded-For",
        "Content-Encoding",
    ] {
        if generator.one_in(8) {
            let values = ["1", "", "é", "a b", "gzip", "1.2.3", "\u{1f642}"];
            let value = HeaderValue::from_bytes(generator.pick(&values).as_bytes());
            request = request.header(name, value.expect("a header's value"));
        }
    }
    if generator.one_in(40) {
        let long = "x".repeat(generator.below(20_000));
        request = request.header("Idempotency-Key", long);
    }
    let mut body = generator.body();
    if path.contains("openapi.json") || path.contains("/ui") || path.contains("/docs") {
        // Nobody reads it there: the connection is closed with it, and an answer longer than a socket holds breaks off.
        body.clear();
    }
    let told = format!("{method} {path} {:?}", String::from_utf8_lossy(&body));
    let answer = client.send(request.body(body)).await;
    let told = format!("{}: {told:.2000}", answer.status);
    assert!(answer.status < 500, "{told}");
    if answer.status >= 400 && method != Method::HEAD {
        let json = &answer.json;
        let is_text = |key: &str| json[key].as_str().is_some_and(|text| !text.is_empty());
        assert_eq!(json["status"], "warning", "{told}");
        assert_eq!(json["error"], "User error", "{told}");
        assert!(
            is_text("code") && is_text("message") && is_text("exceptionId"),
            "{told}: {json}"
        );
        assert!(json.get("runId").is_some(), "{told}: {json}");
    }
}

async fn prepared(server: &Server) -> Vec<Client> {
    let client = server.client();
    for _ in 0..3 {
        create(&client, json!([{"component": "a"}, {"component": "b"}])).await;
    }
    client
        .post("/orchestrations/1/jobs", json!({}))
        .await
        .expect(201);
    let (plain, _) = server.add_plain_token("Plain").await;
    vec![
        client.clone(),
        client.clone(),
        client,
        plain,
        server.nobody(),
    ]
}

#[tokio::test]
async fn no_request_makes_the_server_fail_and_every_refusal_is_in_the_envelope() {
    let Some(server) = start().await else { return };
    let clients = prepared(&server).await;
    let addresses = addresses();
    let mut generator = Generator::new();
    let (cases, seed) = (number("ORCHESTRATOR_FUZZ_CASES", CASES), generator.0);
    for _ in 0..cases {
        let client = generator.pick(&clients).clone();
        ask(&client, &mut generator, &addresses).await;
    }
    // It goes on as if nothing had been.
    create(&server.client(), json!([])).await;
    println!(
        "{cases} requests over {} addresses, seed {seed}",
        addresses.len()
    );
}

#[test]
fn no_crontab_expression_makes_the_parser_fail() {
    let mut generator = Generator::new();
    let parts = [
        "*",
        "*/5",
        "0",
        "59",
        "60",
        "1-5",
        "5-1",
        "mon",
        "SUN",
        "jan-mar",
        "1,2",
        ",",
        "-",
        "/",
        "?",
        "L",
        "@daily",
        "@reboot",
        "99999999999999999999",
        "*/0",
        "é",
        "\u{a0}",
        "\t",
        "",
        "30",
        "2",
    ];
    let from = "2026-02-28T23:59:59Z".parse().expect("a time");
    let (cases, seed) = (number("ORCHESTRATOR_FUZZ_CASES", 5_000), generator.0);
    let mut good = 0;
    for _ in 0..cases {
        let count = if generator.one_in(4) {
            generator.below(8)
        } else {
            5
        };
        let fields: Vec<String> = (0..count)
            .map(|_| match generator.below(20) {
                0 => generator.text(),
                1..8 => (*generator.pick(&parts)).to_owned(),
                _ => (*generator.pick(&["*", "*/5", "1", "2-5", "3,4"])).to_owned(),
            })
            .collect();
        let text = fields.join(" ");
        match Crontab::parse(&text) {
            Ok(crontab) => {
                good += 1;
                let next = crontab
                    .next_after(from)
                    .expect("it fires: the parser refuses what never does");
                assert!(next > from, "{text:?}");
            }
            Err(fault) => assert!(!fault.to_string().is_empty()),
        }
    }
    assert!(good > 10, "{good} of {cases}");
    println!("{cases} expressions, {good} of them good, seed {seed}");
}

#[test]
fn no_component_makes_the_parser_of_manifests_fail() {
    let mut generator = Generator::new();
    let whole = json!({"id": "a", "version": "0.1.0", "kind": "task", "contract": "0.1", "description": "d",
        "capabilities": ["http"], "hosts": ["task-origin", "https://*"], "restart": "lookup",
        "limits": {"cpu-ms": 10, "wall-ms": 10, "memory-mib": 1},
        "config-schema": {"type": "object", "properties": {"a": {"type": "boolean"}}}});
    let (cases, seed) = (number("ORCHESTRATOR_FUZZ_CASES", 5_000), generator.0);
    for _ in 0..cases {
        let mut manifest = whole.clone();
        for _ in 0..generator.below(3) {
            generator.damage(&mut manifest);
        }
        let mut bytes = component(manifest.to_string().as_bytes());
        match generator.below(4) {
            0 => bytes.truncate(generator.below(bytes.len() + 1)),
            1 => {
                let at = generator.below(bytes.len());
                bytes[at] = generator.next() as u8;
            }
            _ => {}
        }
        if let Err(error) = Manifest::of_component(&bytes) {
            assert!(!error.to_string().is_empty());
        }
    }
    println!("{cases} components, seed {seed}");
}

/// A component of nothing but its manifest.
fn component(manifest: &[u8]) -> Vec<u8> {
    let name = b"orchestrator:manifest";
    let sized = |bytes: &[u8]| {
        let mut all = Vec::new();
        let mut length = bytes.len();
        while length >= 0x80 {
            all.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        all.push(length as u8);
        all.extend_from_slice(bytes);
        all
    };
    let body = [sized(name), manifest.to_vec()].concat();
    [&b"\0asm\x0d\0\x01\0\0"[..], &sized(&body)].concat()
}
