//! The HTTP client behind every plugin's requests: pooled connections, no redirects, no proxy from the environment, TLS
//! always, and addresses that are judged between their look-up and the connection.

use super::address::AddressFilter;
use crate::plugins::error::PluginError;
use crate::plugins::settings::OutboundSettings;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Every address of the name is closed to plugins.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to addresses that plugins may not reach")]
pub(super) struct AddressRefused;

/// There was no connection in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
pub(super) struct ConnectTimedOut(Duration);

tokio::task_local! {
    /// How long the request that is being sent by this task waits for its connection.
    pub(super) static CONNECT_TIMEOUT: Duration;
}

pub(super) fn build(
    settings: &OutboundSettings,
    filter: AddressFilter,
) -> Result<reqwest::Client, PluginError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(settings.extra_ca_pem.as_deref())?)
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("Orchestrator/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(FilteredResolver(Arc::new(filter)))
        .connector_layer(BoundConnect(settings.connect_timeout))
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(8)
        .tcp_nodelay(true)
        // A connection whose other end is gone without a word must not take every later request with it.
        .http2_keep_alive_interval(Duration::from_secs(15))
        .http2_keep_alive_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| PluginError::HttpClient(format!("{error:?}")))
}

fn tls(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, PluginError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = extra_ca_pem {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let wrong =
                |error: &dyn std::fmt::Display| PluginError::ExtraAuthority(error.to_string());
            roots
                .add(certificate.map_err(|error| wrong(&error))?)
                .map_err(|error| wrong(&error))?;
            added += 1;
        }
        if added == 0 {
            return Err(PluginError::ExtraAuthority(
                "there is no certificate in it".to_owned(),
            ));
        }
    }
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| PluginError::HttpClient(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The system's look-up, less the addresses that plugins may not reach. What is connected to is what was judged: there is
/// no second look-up. Addresses written as numbers never come here.
struct FilteredResolver(Arc<AddressFilter>);

impl Resolve for FilteredResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let filter = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_trusted = filter.trusts_name(name.as_str());
            let open: Vec<SocketAddr> = found
                .filter(|address| is_trusted || filter.lets_through(address.ip()))
                .collect();
            if open.is_empty() {
                return Err(BoxError::from(AddressRefused));
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Bounds look-up, connection and TLS handshake together, by what the request asks for or else by the setting.
#[derive(Clone, Copy)]
struct BoundConnect(Duration);

impl<S> Layer<S> for BoundConnect {
    type Service = BoundConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BoundConnector {
            inner,
            usual: self.0,
        }
    }
}

#[derive(Clone)]
struct BoundConnector<S> {
    inner: S,
    usual: Duration,
}

impl<S, R> Service<R> for BoundConnector<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The connection is begun on the task of the request that wants it.
        let limit = CONNECT_TIMEOUT.try_get().unwrap_or(self.usual);
        let connecting = tokio::time::timeout(limit, self.inner.call(request));
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected,
                Err(_) => Err(BoxError::from(ConnectTimedOut(limit))),
            }
        })
    }
}
