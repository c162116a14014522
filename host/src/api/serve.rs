//! The listener: connections in, requests to a service, an orderly end.
//!
//! Whoever is slow or idle holds nothing for long: a head, a TLS handshake and the taking of an answer each have a
//! time-out (bodies: `body.rs`), and when there are too many connections the one that waits longest for a request is
//! closed for the next one. Only where all are busy with a request is a new one closed instead.

mod stall;
mod tls;
mod waiting;

pub use tls::{Tls, TlsError};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::Listener;
use futures_util::future::{AbortHandle, Abortable};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stall::Stalling;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use waiting::{Place, Waiting};

/// Largest head of a request, in bytes, and most headers: more are answered 431 and the connection is closed.
const MOST_HEAD_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 100;

/// What the listener bears.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// `None`: plain HTTP.
    pub tls: Option<Tls>,
    pub most_connections: usize,
    /// A request's head must be here after this time; an idle connection waits no longer for its next request. A TLS
    /// handshake takes no longer.
    pub head_patience: Duration,
    /// A peer that takes no byte of its answer for this time is given up.
    pub write_patience: Duration,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            tls: None,
            most_connections: 16_384,
            head_patience: Duration::from_secs(60),
            write_patience: Duration::from_secs(30),
        }
    }
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// The address that the client connected to, where the system tells it.
    pub(super) local: Option<SocketAddr>,
    pub(super) is_tls: bool,
}

/// What requests go to.
pub trait Answers: Clone + Send + Sync + 'static {
    /// Dropping the future ends the request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Answers for Router {
    async fn answer(&self, request: Request) -> Response {
        let Ok(response) = self.clone().oneshot(request).await;
        response
    }
}

/// Answers requests until `shutdown` is over, then takes no new connection, closes the idle ones and returns once the
/// requests under way are answered. Dropping the future cuts them off.
pub async fn serve<S: Answers>(
    mut listener: TcpListener,
    settings: ListenerSettings,
    service: S,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let stop = CancellationToken::new();
    let waiting = Waiting::default();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, peer) = Listener::accept(&mut listener) => {
                if connections.len() >= settings.most_connections && !waiting.close_longest() {
                    tracing::debug!(%peer, "closed: there are too many connections, and all are busy");
                    continue;
                }
                let accepted = Accepted {
                    peer,
                    settings: settings.clone(),
                    service: service.clone(),
                    waiting: waiting.clone(),
                    // One of its own: whoever waits for it looks at it whenever the connection does anything.
                    stop: stop.child_token(),
                };
                connections.spawn(accepted.answer(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.cancel();
    while connections.join_next().await.is_some() {}
}

/// A connection, and what its requests go to.
struct Accepted<S> {
    peer: SocketAddr,
    settings: ListenerSettings,
    service: S,
    waiting: Waiting,
    stop: CancellationToken,
}

impl<S: Answers> Accepted<S> {
    async fn answer(self, stream: TcpStream) {
        // Answers leave at once; a socket that does not take the wish is as good.
        let _ = stream.set_nodelay(true);
        let peer = self.peer;
        let connection = Connection {
            peer,
            local: stream.local_addr().ok(),
            is_tls: self.settings.tls.is_some(),
        };
        let (close, closed) = AbortHandle::new_pair();
        let place = Place::new(&self.waiting, &close);
        let served = async {
            match &self.settings.tls {
                None => self.answer_requests(stream, connection, &place).await,
                Some(tls) => {
                    let patience = self.settings.head_patience;
                    match timeout(patience, tls.acceptor().accept(stream)).await {
                        Ok(Ok(stream)) => self.answer_requests(stream, connection, &place).await,
                        Ok(Err(error)) => tracing::debug!(%peer, "no TLS handshake: {error}"),
                        Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
                    }
                }
            }
        };
        if Abortable::new(served, closed).await.is_err() {
            tracing::debug!(%peer, "closed: idle for longest");
        }
        place.leave();
    }

    async fn answer_requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        connection: Connection,
        place: &Place,
    ) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(connection));
            async move {
                if !place.leave() {
                    // Told to make room at this very moment: the request was not begun.
                    return std::future::pending().await;
                }
                let answer = self.service.answer(request).await;
                place.wait();
                Ok::<_, Infallible>(answer)
            }
        });
        let stream = Stalling::new(stream, self.settings.write_patience);
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.settings.head_patience)
            .max_buf_size(MOST_HEAD_BYTES)
            .max_headers(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let mut served = pin!(served);
        let result = tokio::select! {
            result = &mut served => result,
            () = self.stop.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(peer = %connection.peer, "connection ended early: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
