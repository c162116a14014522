//! Tries whatever a plugin must not be able to do, and answers with what came of it: of the machine; of the requests that its
//! parameters describe; of a search through all its memory for secrets, of which it is told the length and a hash. With
//! `waste` it uses one thing up instead: `cpu`, `memory`, `stack`, `log` or `calls`.
#![expect(
    unsafe_code,
    reason = "reads its memory from the first byte to the last"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;
use std::{env, fs};

use orchestrator_sdk::http::Request;
use orchestrator_sdk::log;
use orchestrator_sdk::task::{Context, Failure, Step, Task};
use serde_json::{Value, json};

struct TriesEverything;

#[derive(serde::Deserialize)]
struct Parameters {
    waste: Option<String>,
    #[serde(default)]
    requests: BTreeMap<String, Wish>,
    /// The requests go by `wasi:http`, not by one call of the host each.
    #[serde(default)]
    streams: bool,
    #[serde(default)]
    secrets: BTreeMap<String, Secret>,
}

#[derive(serde::Deserialize)]
struct Wish {
    url: String,
    method: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// Of so many bytes, in place of `body`.
    bytes: Option<usize>,
}

#[derive(serde::Deserialize)]
struct Secret {
    length: usize,
    /// [`hash`] of it, in decimal digits.
    hash: String,
}

impl Task for TriesEverything {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        if let Some(what) = &parameters.waste {
            waste(what);
            return Ok(Step::success("{}".to_owned()));
        }
        let requests = parameters.requests.iter();
        let answers: BTreeMap<_, _> = requests
            .map(|(name, wish)| (name, send(wish, parameters.streams)))
            .collect();
        let mut told = json!({ "machine": machine(), "requests": answers });
        // Whatever it has ever heard is said aloud, and is in its memory while that is searched.
        let said = format!("{told} {context:?}");
        // In lines that are not cut, and that overlap by more than a secret has.
        for start in (0..said.len()).step_by(3_500) {
            let end = said.len().min(start + 4_000);
            log::info(&String::from_utf8_lossy(&said.as_bytes()[start..end]));
        }
        eprintln!("{said}");
        let secrets = parameters.secrets.iter();
        let found: BTreeMap<_, _> = secrets
            .map(|(name, one)| (name, occurrences(one)))
            .collect();
        told["found"] = json!(found);
        told["memoryBytes"] = json!(memory_bytes());
        Ok(Step::success(told.to_string()))
    }
}

fn machine() -> Value {
    let mut typed = String::new();
    let text = |got: &str| got.to_owned();
    json!({
        "environment": env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
        "arguments": env::args().collect::<Vec<_>>(),
        "stdin": result(io::stdin().read_to_string(&mut typed).map(|bytes| format!("{bytes} bytes"))),
        "folder": result(env::current_dir().and_then(fs::read_dir).map(|entries| format!("{} entries", entries.count()))),
        "root": result(fs::read_dir("/").map(|entries| format!("{} entries", entries.count()))),
        "read": result(fs::read_to_string("/etc/passwd")),
        "own key": result(fs::read_to_string("master.key")),
        "process": result(fs::read_to_string("/proc/self/environ")),
        "write": result(fs::write("/tmp/tries-everything", "x").map(|()| text("written"))),
        "tcp": result(TcpStream::connect("127.0.0.1:22").map(|_| text("connected"))),
        "listen": result(TcpListener::bind("127.0.0.1:0").map(|_| text("listening"))),
        "udp": result(UdpSocket::bind("127.0.0.1:0").map(|_| text("bound"))),
        "name": result(("localhost", 80).to_socket_addrs().map(|found| format!("{found:?}"))),
    })
}

fn result(got: io::Result<String>) -> Value {
    match got {
        Ok(got) => json!({ "got": got }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn send(wish: &Wish, streams: bool) -> Value {
    let mut request = Request::new(&wish.method, &wish.url);
    for (name, value) in &wish.headers {
        request = request.header(name, value);
    }
    let time = Duration::from_secs(5);
    request = request.answer_timeout(time);
    if streams {
        request = request.connect_timeout(time);
    }
    let body = wish
        .bytes
        .map_or_else(|| wish.body.clone().into_bytes(), |bytes| vec![b'x'; bytes]);
    match request.with_body(body).send() {
        Ok(answer) => {
            let headers = answer.headers().iter();
            let headers: BTreeMap<_, _> = headers
                .map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()))
                .collect();
            let body = String::from_utf8_lossy(answer.body());
            json!({ "status": answer.status(), "headers": headers, "body": body })
        }
        Err(error) => json!({ "error": error.to_string(), "kind": kind(&error) }),
    }
}

fn kind(error: &orchestrator_sdk::http::Error) -> String {
    let text = format!("{error:?}");
    let end = text.find('(').unwrap_or(text.len());
    text[..end].to_owned()
}

fn memory_bytes() -> usize {
    core::arch::wasm32::memory_size(0) * 65_536
}

/// How often a text of that length and hash is in memory.
fn occurrences(secret: &Secret) -> usize {
    let wanted: u64 = secret.hash.parse().unwrap_or_default();
    let end = memory_bytes() - secret.length;
    // A hash that is carried on from byte to byte: the oldest byte's part is taken off. The first byte has the address of
    // nothing.
    let power = (1..secret.length).fold(1_u64, |power, _| power.wrapping_mul(FACTOR));
    let mut hash = (1..=secret.length).fold(0, |hash, at| add(hash, byte(at)));
    let mut found = usize::from(hash == wanted);
    for at in 1..end {
        let oldest = (u64::from(byte(at)) + 1).wrapping_mul(power);
        hash = add(hash.wrapping_sub(oldest), byte(at + secret.length));
        found += usize::from(hash == wanted);
    }
    found
}

const FACTOR: u64 = 1_099_511_628_211;

fn add(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(FACTOR).wrapping_add(u64::from(byte) + 1)
}

fn byte(at: usize) -> u8 {
    // SAFETY: it is below the memory's size, and every byte of a linear memory can be read.
    unsafe { core::ptr::with_exposed_provenance::<u8>(at).read_volatile() }
}

fn waste(what: &str) {
    match what {
        "cpu" => loop {
            black_box(());
        },
        "memory" => {
            let mut taken = Vec::new();
            loop {
                taken.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "stack" => {
            black_box(deeper(0));
        }
        "log" => {
            for _ in 0..1_000 {
                log::info(&"l".repeat(2_000));
            }
        }
        _ => loop {
            log::debug("");
        },
    }
}

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if depth == u64::MAX {
        depth
    } else {
        deeper(depth + 1) ^ black_box(frame)[3]
    }
}

orchestrator_sdk::export_task!(TriesEverything);
