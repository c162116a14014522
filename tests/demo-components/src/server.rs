//! The listener: TLS, HTTP/1.1 with keep-alive, and the handle by which a test holds the service.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::certs::{CertificateError, Certificates};
use crate::jobs::JobSummary;
use crate::record::{RecordedRequest, WaitedTooLong};
use crate::routes::{Demo, router};

const HANDSHAKE_AT_MOST: Duration = Duration::from_secs(10);
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Put on a response that must not be sent: the connection is closed in its stead.
#[derive(Clone)]
pub(crate) struct CloseConnection;

#[derive(Debug, thiserror::Error)]
#[error("closed without an answer, as was asked for")]
struct ClosedOnPurpose;

#[derive(Debug)]
pub struct Options {
    pub listen: SocketAddr,
    /// Without them, new ones are made and kept in memory.
    pub certificates: Option<Certificates>,
}

impl Default for Options {
    /// A free port of 127.0.0.1 and certificates of its own.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificates: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
}

/// A running service; dropping it stops it and cuts its connections.
pub struct DemoServer {
    demo: Arc<Demo>,
    address: SocketAddr,
    certificates: Certificates,
    listening: JoinHandle<()>,
}

impl DemoServer {
    /// Answers once the port is open. Must be called within a tokio runtime, on which it then runs.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let certificates = match options.certificates {
            Some(given) => given,
            None => Certificates::generate()?,
        };
        let tls = TlsAcceptor::from(Arc::new(certificates.server_config()?));
        let cannot = |source| StartError::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;

        let demo = Arc::new(Demo::new(format!("https://{}", reachable(address))));
        let listening = tokio::spawn(accept(listener, tls, router(demo.clone())));
        Ok(Self {
            demo,
            address,
            certificates,
            listening,
        })
    }

    /// `https://127.0.0.1:port`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.demo.base_url
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client has to trust.
    pub fn ca_pem(&self) -> &str {
        self.certificates.ca_pem()
    }

    /// The same authority for another service.
    pub fn certificates(&self) -> Certificates {
        self.certificates.clone()
    }

    /// What arrived since the start or the last clearing, oldest first; tokens are not masked.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.demo.log.all()
    }

    pub fn clear_requests(&self) {
        self.demo.log.clear();
    }

    /// Waits until what was recorded satisfies `enough`; looks at once and after each request.
    pub async fn wait_for(
        &self,
        enough: impl Fn(&[RecordedRequest]) -> bool,
        at_most: Duration,
    ) -> Result<Vec<RecordedRequest>, WaitedTooLong> {
        self.demo.log.wait_for(enough, at_most).await
    }

    /// Every job that was ever started, oldest first.
    pub fn jobs(&self) -> Vec<JobSummary> {
        self.demo.jobs.all()
    }

    /// Every job there is now is found finished from here on, so no test has to wait for one.
    pub fn finish_jobs(&self) {
        self.demo.jobs.end_all();
    }

    /// Like dropping it, but the port is closed when this returns.
    pub async fn stop(mut self) {
        self.listening.abort();
        // The result is that of an aborted task and says nothing.
        _ = (&mut self.listening).await;
    }
}

impl fmt::Debug for DemoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Listening on every address is not an address one can call.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => {}
        IpAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
    }
    address
}

/// Owns the connections: they end with it.
pub(crate) async fn accept(listener: TcpListener, tls: TlsAcceptor, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, tls.clone(), router.clone()));
                }
                Err(_) => tokio::time::sleep(PAUSE_AFTER_FAILED_ACCEPT).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How a connection ended is the client's matter: it is the side under test.
async fn serve(stream: TcpStream, tls: TlsAcceptor, router: Router) {
    _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_AT_MOST, tls.accept(stream)).await else {
        return;
    };
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match response.extensions().get::<CloseConnection>() {
                Some(_) => Err(ClosedOnPurpose),
                None => Ok(response),
            }
        }
    });
    _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
