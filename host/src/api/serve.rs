//! The listener: connections in, requests to the router, an orderly end.
//!
//! A connection that sends no request within a minute is closed, and so is one whose headers are too many: whoever
//! is slow or idle holds nothing for long.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A request's headers must be here after this time; an idle connection waits no longer for its next request.
const LONGEST_HEAD_WAIT: Duration = Duration::from_secs(60);
/// Largest head of a request, in bytes.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// The address that the client connected to, where the system tells it.
    pub(super) local: Option<SocketAddr>,
}

/// Answers requests until `shutdown` is over, then takes no new connection, closes the idle ones and returns once the
/// requests under way are answered. Dropping the future cuts them off.
pub async fn serve(mut listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let stop = CancellationToken::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, peer) = Listener::accept(&mut listener) => {
                connections.spawn(answer(stream, peer, router.clone(), stop.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.cancel();
    while connections.join_next().await.is_some() {}
}

async fn answer(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // Answers leave at once; a socket that does not take the wish is as good.
    let _ = stream.set_nodelay(true);
    let connection = Connection {
        peer,
        local: stream.local_addr().ok(),
    };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(connection));
        router.clone().oneshot(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEAD_WAIT)
        .max_buf_size(MOST_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let result = tokio::select! {
        result = &mut served => result,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, "connection ended early: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn idle_connections_do_not_keep_a_stopping_server() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "hello"));
        let serving = tokio::spawn(serve(listener, router, stop.clone().cancelled_owned()));
        let mut silent = TcpStream::connect(address).await.expect("connected");
        let mut used = TcpStream::connect(address).await.expect("connected");
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        used.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"hello") {
            assert_ne!(used.read_buf(&mut answer).await.expect("answered"), 0);
        }

        stop.cancel();

        serving.await.expect("ended");
        assert_eq!(used.read_buf(&mut answer).await.expect("closed"), 0);
        assert_eq!(silent.read_buf(&mut answer).await.expect("closed"), 0);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
