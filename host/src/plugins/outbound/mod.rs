//! The only way from a plugin to the network: each of its requests passes here.
//!
//! In order: https only → the plugin's own `hosts` → the address (numbers here, names in [`client`] after their look-up) →
//! the run's token, for its own origins, and the call's credentials, for theirs → the runner's mark that something may have been sent → the client. What the
//! plugin set on headers that belong to the host is taken off; what comes back is held whole, bounded, and searched for the
//! token before the plugin sees it. Redirects are not followed: the plugin gets them, and its next request passes here too.
//! Headers are never logged.
//!
//! Codes that say "nothing was sent" are given only where that is certain; see [`failure`].

mod address;
mod client;
mod exchange;
mod failure;
mod mask;

pub use address::{BadOutboundAllow, OutboundAllow};
pub(super) use exchange::{Call, Grant};

use super::error::PluginError;
use super::hosts::HostPattern;
use super::rehearsal::Rehearsal;
use super::settings::OutboundSettings;
use address::AddressFilter;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use url::{Host, Url};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The network as all plugins share it.
pub(super) struct Outbound {
    client: reqwest::Client,
    filter: AddressFilter,
    connect_timeout: Duration,
    rehearsal: Option<Rehearsal>,
    /// Where connections live, which all calls share.
    home: Handle,
}

impl Outbound {
    pub(super) fn new(
        settings: &OutboundSettings,
        rehearsal: Option<Rehearsal>,
        home: Handle,
    ) -> Result<Self, PluginError> {
        let filter = AddressFilter::new(settings.allow.clone());
        Ok(Self {
            client: client::build(settings, filter.clone())?,
            filter,
            connect_timeout: settings.connect_timeout,
            rehearsal,
            home,
        })
    }

    /// Says why a project may not grant this host.
    pub(super) fn check_granted(&self, host: &str) -> Result<(), String> {
        match HostPattern::parse(host)? {
            HostPattern::Anywhere => Err("only the operator grants the whole network".into()),
            HostPattern::Below { suffix, .. } if !suffix.trim_start_matches('.').contains('.') => {
                Err(format!(
                    "{host} is too wide: name at least two labels after the *"
                ))
            }
            HostPattern::TaskOrigin | HostPattern::Below { .. } => Ok(()),
            HostPattern::Exactly { .. } => {
                let url = Url::parse(host).map_err(|error| error.to_string())?;
                if self.lets_through(&url) {
                    Ok(())
                } else {
                    Err(format!(
                        "{host} is a private, loopback or otherwise closed address"
                    ))
                }
            }
        }
    }

    /// Whether the address may be called as far as can be told without a look-up.
    fn lets_through(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.filter.lets_through(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.filter.lets_through(IpAddr::V6(address)),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }
}

/// The origins that get the run's token: https only.
pub(super) fn secure_origins<'a>(urls: impl IntoIterator<Item = &'a str>) -> Vec<url::Origin> {
    urls.into_iter()
        .filter_map(|url| Url::parse(url).ok())
        .filter(|url| url.scheme() == "https")
        .map(|url| url.origin())
        .collect()
}

/// The hook that `wasi:http` calls. Without a call no request leaves.
pub(super) struct Hooks(pub(super) Option<Arc<Call>>);

impl Hooks {
    /// The same way for a request whose body and answer are whole.
    pub(super) async fn exchange(
        &self,
        request: http::Request<Bytes>,
        options: RequestOptions,
    ) -> Result<http::Response<Bytes>, Error> {
        let call = self.0.as_ref().ok_or(Error::HttpRequestDenied)?;
        let body = |bytes| Full::new(bytes).map_err(|never| match never {});
        let request = request.map(|bytes| body(bytes).boxed_unsync());
        let (head, body) = call.send(request, options).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(http::Response::from_parts(head, body))
    }
}

type Answer = Result<(http::Response<WasiBody>, Worker), Error>;
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Worker,
    ) -> Box<dyn Future<Output = Answer> + Send> {
        let call = self.0.clone();
        let answer: Pin<Box<dyn Future<Output = Answer> + Send>> = Box::pin(async move {
            let call = call.ok_or(Error::HttpRequestDenied)?;
            let response = call.send(request, options.unwrap_or_default()).await?;
            Ok((response, Box::new(std::future::ready(Ok(()))) as Worker))
        });
        Box::new(answer)
    }
}
