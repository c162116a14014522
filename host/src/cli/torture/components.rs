//! Pretend components over TLS, which remember every start: what the checker holds the tasks' results against.
//!
//! What a component does follows from its name and the parameters of the call: nothing here is thrown for. Beside the
//! tasks' own starts it answers polls, every eighth one with a 500.

use super::certificates::Certificates;
use super::evidence::Start;
use crate::clock::Clock;
use crate::domain::job::Status;
use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Every so many polls fail.
const FAILING_POLL: u64 = 8;

/// The running server; dropping it stops it.
#[derive(Debug)]
pub(super) struct ComponentServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    address: SocketAddr,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    starts: Vec<Start>,
    /// Place of the job's start, when it ends and how.
    jobs: Vec<(usize, crate::domain::time::Timestamp, Status)>,
    polls: u64,
}

/// What a call asks its component to do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wish {
    /// How long it takes.
    millis: u64,
    fails: bool,
}

/// The request is read and not answered.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Silence;

impl ComponentServer {
    pub(super) async fn start(certificates: &Certificates, clock: Clock) -> anyhow::Result<Self> {
        let tls = TlsAcceptor::from(Arc::new(certificates.server_config()?));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("the component server cannot listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock,
            address,
            seen: Mutex::default(),
        });
        let listening = tokio::spawn(accept(listener, tls, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            listening,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// All starts so far, in their order.
    pub(super) fn starts(&self) -> Vec<Start> {
        self.shared.lock().starts.clone()
    }
}

impl Drop for ComponentServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Owns the connections: they end with it.
async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, tls.clone(), Arc::clone(&shared)));
                }
                Err(_) => shared.clock.sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How a connection ends is the host's matter.
async fn serve(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { shared.answer(request).await }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = served.await;
}

type Answer = Result<Response<Full<Bytes>>, Silence>;

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Silence)?.to_bytes();
        let path = parts.uri.path();
        let mut names = path.split('/').skip(1);
        match (parts.method, names.next(), names.next()) {
            (Method::GET, Some("jobs"), Some(id)) => Ok(self.poll(id)),
            (Method::POST, Some(component), Some("run")) => {
                let wish: Wish = serde_json::from_slice(&body).unwrap_or_default();
                self.run(component, &parts.headers, &wish).await
            }
            _ => Ok(reply(
                StatusCode::NOT_FOUND,
                &json!({"message": "nothing here"}),
            )),
        }
    }

    async fn run(&self, component: &str, headers: &HeaderMap, wish: &Wish) -> Answer {
        let (place, is_accepted) = self.note(component, headers);
        if !is_accepted {
            let mut busy = reply(StatusCode::SERVICE_UNAVAILABLE, &json!({"message": "busy"}));
            busy.headers_mut().insert("retry-after", 1.into());
            return Ok(busy);
        }
        let time = Duration::from_millis(wish.millis);
        let status = if wish.fails {
            Status::Error
        } else {
            Status::Success
        };
        match component {
            "mute" => Err(Silence),
            "job" => Ok(self.begin(place, time, status)),
            _ => {
                self.clock.sleep(time).await;
                self.end(place, status);
                let code = if wish.fails {
                    StatusCode::BAD_REQUEST
                } else {
                    StatusCode::OK
                };
                Ok(reply(code, &json!({"rows": 3})))
            }
        }
    }

    /// Remembers a start; a `busy` component does not take the first one of a key.
    fn note(&self, component: &str, headers: &HeaderMap) -> (usize, bool) {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let key = text("idempotency-key").unwrap_or_default().to_owned();
        let mut seen = self.lock();
        let is_accepted =
            component != "busy" || seen.starts.iter().rev().any(|start| start.key == key);
        seen.starts.push(Start {
            key,
            run_id: text("x-kbc-runid").unwrap_or_default().to_owned(),
            is_accepted,
            ended: None,
        });
        (seen.starts.len() - 1, is_accepted)
    }

    fn end(&self, place: usize, status: Status) {
        if let Some(start) = self.lock().starts.get_mut(place) {
            start.ended = Some(status);
        }
    }

    fn begin(&self, place: usize, time: Duration, status: Status) -> Response<Full<Bytes>> {
        let mut seen = self.lock();
        seen.jobs.push((place, self.clock.now().plus(time), status));
        let job = self.job(seen.jobs.len() - 1, Status::Waiting);
        reply(StatusCode::ACCEPTED, &job)
    }

    fn poll(&self, id: &str) -> Response<Full<Bytes>> {
        let mut seen = self.lock();
        seen.polls += 1;
        let number = id.parse().unwrap_or(usize::MAX);
        let Some((place, ends_at, status)) = seen.jobs.get(number).copied() else {
            return reply(StatusCode::NOT_FOUND, &json!({"message": "no such job"}));
        };
        if seen.polls.is_multiple_of(FAILING_POLL) {
            let failing = json!({"message": "ask again"});
            return reply(StatusCode::INTERNAL_SERVER_ERROR, &failing);
        }
        if self.clock.now() < ends_at {
            return reply(StatusCode::OK, &self.job(number, Status::Processing));
        }
        if let Some(start) = seen.starts.get_mut(place) {
            start.ended = Some(status);
        }
        reply(StatusCode::OK, &self.job(number, status))
    }

    fn job(&self, number: usize, status: Status) -> Value {
        let url = format!("https://{}/jobs/{number}", self.address);
        json!({"id": number, "url": url, "status": status, "isFinished": status.is_finished()})
    }
}

fn reply(status: StatusCode, json: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(json.to_string())));
    *response.status_mut() = status;
    let json_type = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json_type);
    response
}
