//! One call's requests: what is checked before a request leaves, and what is done to its answer.

mod told;
mod traced;

use super::client::CONNECT_TIMEOUT;
use super::mask::Mask;
use super::{Outbound, failure};
use crate::domain::step::{Failure, FailureKind};
use crate::plugins::credentials::Credentials;
use crate::plugins::hosts::HostPattern;
use crate::plugins::lanes::Within;
use crate::plugins::limits::Signals;
use crate::plugins::output::Output;
use crate::plugins::rehearsal::{NoAnswer, Rehearsal};
use crate::plugins::remedy::{Limit, Sayings};
use crate::plugins::services::{LogLevel, StepError, StepServices, TokenRefusal};
use crate::plugins::settings::StepLimits;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, request};
use http_body_util::{BodyExt, Full};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, Semaphore};
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

const MOST_URL_BYTES: usize = 16 << 10;
const TOKEN: HeaderName = HeaderName::from_static("x-storageapi-token");

/// Headers of the connection, not of what goes through it: a plugin sets none and sees none.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Others that the host alone sets. Compressed answers and parts of answers could not be searched for the token.
const HOST_OWNED: [HeaderName; 11] = [
    TOKEN,
    header::AUTHORIZATION,
    header::COOKIE,
    header::USER_AGENT,
    header::ACCEPT_ENCODING,
    header::RANGE,
    header::IF_RANGE,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
];

/// Which addresses one call may reach, and which of them get the run's token.
pub(in crate::plugins) struct Grant {
    pub(in crate::plugins) plugin: String,
    /// What its manifest asks for.
    pub(in crate::plugins) hosts: Arc<[HostPattern]>,
    /// What its project grants of that; `None`: all.
    pub(in crate::plugins) granted_hosts: Option<Arc<[HostPattern]>>,
    pub(in crate::plugins) sayings: Sayings,
    pub(in crate::plugins) task_origins: Vec<url::Origin>,
    pub(in crate::plugins) token_origins: Vec<url::Origin>,
    /// Added to requests to their own hosts.
    pub(in crate::plugins) credentials: Arc<Credentials>,
}

/// The requests of one call of a plugin.
pub(in crate::plugins) struct Call {
    outbound: Arc<Outbound>,
    grant: Grant,
    /// None for deliveries: they have no token, and nothing of theirs is in doubt.
    services: Option<(Arc<dyn StepServices>, Handle)>,
    limits: StepLimits,
    signals: Arc<Signals>,
    output: Output,
    slots: Semaphore,
    /// Set once something may have been sent.
    marked: OnceCell<()>,
    /// Tokens and credentials that went out: what must not come back to the plugin.
    secrets: Mutex<Vec<String>>,
}

impl Call {
    pub(in crate::plugins) fn new(
        outbound: Arc<Outbound>,
        grant: Grant,
        services: Option<(Arc<dyn StepServices>, Handle)>,
        limits: &StepLimits,
        signals: Arc<Signals>,
        output: Output,
    ) -> Self {
        Self {
            outbound,
            grant,
            services,
            limits: limits.clone(),
            signals,
            output,
            slots: Semaphore::new(limits.http_requests_at_once),
            marked: OnceCell::new(),
            secrets: Mutex::default(),
        }
    }

    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        let slot = self.slots.try_acquire();
        let (head, body) = request.into_parts();
        let checked = self.check(&head);
        // Taken in any case: a plugin that cannot get rid of its body sees a broken stream instead of the refusal.
        let body = self.collect(body).await;
        let (url, body) = (checked?, body?);
        let _slot = slot.map_err(|_| {
            let most = self.limits.http_requests_at_once;
            self.tell(Some(Limit::HttpAtOnce), &format!("{most} requests at once"));
            Error::ConnectionLimitReached
        })?;

        let mut headers = head.headers;
        for name in HOST_OWNED.into_iter().chain(OF_THE_CONNECTION) {
            headers.remove(name);
        }
        self.add_token(&url, &mut headers).await?;
        self.add_credentials(&url, &mut headers);
        let changes_something = !matches!(head.method, Method::GET | Method::HEAD);
        if changes_something {
            self.mark_sent().await?;
        }
        let mut outgoing = reqwest::Request::new(head.method, url);
        let wants_length = matches!(
            *outgoing.method(),
            Method::POST | Method::PUT | Method::PATCH
        );
        let sent_bytes = body.len();
        if wants_length || !body.is_empty() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            *outgoing.body_mut() = Some(body.into());
        }
        let traced = self.begin_traced(&outgoing, &mut headers);
        *outgoing.headers_mut() = headers;
        if self.signals.is_stopped() {
            return Err(Error::HttpRequestDenied);
        }
        self.signals.add_sent(sent_bytes);
        let answer = match &self.outbound.rehearsal {
            Some(rehearsal) => self.rehearse(rehearsal, &outgoing),
            None => self.exchange(outgoing, options).await,
        };
        self.end_traced(traced, &answer);
        answer
    }

    /// The address, where it may be called.
    fn check(&self, head: &request::Parts) -> Result<Url, Error> {
        if self.signals.is_stopped() {
            return Err(Error::HttpRequestDenied);
        }
        if matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        let text = head.uri.to_string();
        if text.len() > MOST_URL_BYTES {
            self.tell(None, &format!("{MOST_URL_BYTES} bytes in an address"));
            return Err(Error::HttpRequestUriTooLong);
        }
        let url = Url::parse(&text).map_err(|_| Error::HttpRequestUriInvalid)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::HttpRequestUriInvalid);
        }
        if url.scheme() != "https" {
            return Err(self.refuse(&url, "it is not https"));
        }
        let is_granted = |pattern: &HostPattern| pattern.covers(&url, &self.grant.task_origins);
        if !self.grant.hosts.iter().any(is_granted) {
            return Err(self.refuse(&url, "the plugin's manifest does not ask for it"));
        }
        if let Some(granted) = &self.grant.granted_hosts
            && !granted.iter().any(is_granted)
        {
            let hosts: Vec<String> = granted.iter().map(ToString::to_string).collect();
            let hosts = match hosts.as_slice() {
                [] => "no address at all".to_owned(),
                hosts => format!("{} only", hosts.join(", ")),
            };
            return Err(self.refuse(&url, &format!("its project grants it {hosts}")));
        }
        if !self.outbound.lets_through(&url) {
            self.refuse(
                &url,
                "it is a private, loopback or otherwise closed address",
            );
            return Err(Error::DestinationIpProhibited);
        }
        Ok(url)
    }

    fn refuse(&self, url: &Url, why: &str) -> Error {
        let origin = url.origin().ascii_serialization();
        let plugin = &self.grant.plugin;
        self.output.log(
            LogLevel::Warning,
            &format!("the request of plugin {plugin} to {origin} is refused: {why}"),
        );
        Error::HttpRequestDenied
    }

    async fn collect(&self, mut body: WasiBody) -> Result<Vec<u8>, Error> {
        let limit = self.limits.http_request_bytes;
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                if bytes.len() + data.len() > limit {
                    let what = format!("{limit} bytes in the body of a request");
                    self.tell(Some(Limit::HttpRequest), &what);
                    return Err(Error::HttpRequestBodySize(u64::try_from(limit).ok()));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes)
    }

    async fn add_token(&self, url: &Url, headers: &mut HeaderMap) -> Result<(), Error> {
        if !self.grant.token_origins.contains(&url.origin()) {
            return Ok(());
        }
        let Some((services, home)) = &self.services else {
            return Ok(());
        };
        let asked = Arc::clone(services);
        let token = home.spawn(async move { asked.token().await }).await;
        let token = token
            .unwrap_or_else(|_| Err(TokenRefusal::Unavailable("the server is stopping".into())));
        let value = token.and_then(|token| {
            let mut value = HeaderValue::from_str(&token).map_err(|_| {
                TokenRefusal::Unusable("the token cannot be sent in a header".into())
            })?;
            value.set_sensitive(true);
            self.hide_from_now_on(&token);
            Ok(value)
        });
        match value {
            Ok(value) => {
                headers.insert(TOKEN, value);
                Ok(())
            }
            Err(refusal) => {
                self.signals.end_now(match refusal {
                    TokenRefusal::Unusable(reason) => {
                        StepError::Failed(Failure::new(FailureKind::Auth, "TOKEN_UNUSABLE", reason))
                    }
                    TokenRefusal::Unavailable(reason) => StepError::Abandoned(reason),
                });
                Err(Error::HttpRequestDenied)
            }
        }
    }

    fn add_credentials(&self, url: &Url, headers: &mut HeaderMap) {
        for (name, value, hidden) in self.grant.credentials.headers_for(url) {
            headers.insert(name, value.clone());
            for secret in hidden {
                self.hide_from_now_on(secret);
            }
        }
        for name in self.grant.credentials.bound_elsewhere(url) {
            let origin = url.origin().ascii_serialization();
            self.output.log(
                LogLevel::Info,
                &format!("the request to {origin} goes without the credential {name}: it is bound to other hosts"),
            );
        }
    }

    fn hide_from_now_on(&self, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if !secrets.iter().any(|other| other == secret) {
            secrets.push(secret.to_owned());
        }
    }

    async fn mark_sent(&self) -> Result<(), Error> {
        let Some((services, home)) = &self.services else {
            return Ok(());
        };
        let marked = self.marked.get_or_try_init(|| async {
            let asked = Arc::clone(services);
            let marked = home.spawn(async move { asked.mark_sent().await }).await;
            marked.unwrap_or_else(|_| Err("the server is stopping".to_owned()))
        });
        if let Err(reason) = marked.await {
            self.signals.end_now(StepError::Abandoned(reason));
            return Err(Error::HttpRequestDenied);
        }
        Ok(())
    }

    async fn exchange(
        &self,
        outgoing: reqwest::Request,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        let is_head = outgoing.method() == Method::HEAD;
        let usual = self.outbound.connect_timeout;
        let connect = options
            .connect_timeout
            .map_or(usual, |asked| asked.min(usual));
        let answering = CONNECT_TIMEOUT.scope(connect, self.outbound.client.execute(outgoing));
        let answering = Within::new(&self.outbound.home, answering);
        // Where the time is over, the connection was made in time: the connector has its own limit.
        let first_byte = options
            .first_byte_timeout
            .map(|asked| asked.saturating_add(connect));
        let mut answer = within(first_byte, answering)
            .await?
            .map_err(|error| failure::no_answer(&error))?;

        let body = self
            .receive(&mut answer, options.between_bytes_timeout)
            .await?;
        let mut response = Response::new(());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        self.hide_secrets(response, body, is_head)
    }

    /// The answer of a script, treated as one from the network.
    fn rehearse(
        &self,
        rehearsal: &Rehearsal,
        outgoing: &reqwest::Request,
    ) -> Result<Response<WasiBody>, Error> {
        let is_head = outgoing.method() == Method::HEAD;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = outgoing.method().clone();
        *request.uri_mut() = outgoing
            .url()
            .as_str()
            .parse()
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        *request.headers_mut() = outgoing.headers().clone();
        if let Some(body) = outgoing.body().and_then(reqwest::Body::as_bytes) {
            *request.body_mut() = Bytes::copy_from_slice(body);
        }
        let answer = rehearsal.world.answer(request);
        let (head, body) = answer
            .map_err(|why| match why {
                NoAnswer::Refused => Error::ConnectionRefused,
                NoAnswer::Lost => Error::ConnectionTerminated,
            })?
            .into_parts();
        if body.len() > self.limits.http_response_bytes {
            return Err(self.too_large(false));
        }
        self.signals.add_received(body.len());
        self.hide_secrets(Response::from_parts(head, ()), body.into(), is_head)
    }

    async fn receive(
        &self,
        answer: &mut reqwest::Response,
        between_bytes: Option<Duration>,
    ) -> Result<Vec<u8>, Error> {
        let limit = self.limits.http_response_bytes;
        if answer
            .content_length()
            .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit))
        {
            return Err(self.too_large(false));
        }
        let mut body = Vec::new();
        while let Some(data) = within(between_bytes, answer.chunk())
            .await?
            .map_err(|error| failure::lost(&error))?
        {
            let before = self.signals.add_received(data.len());
            let of_all = before.saturating_add(data.len()) > self.limits.http_total_bytes;
            if of_all || body.len() + data.len() > limit {
                return Err(self.too_large(of_all));
            }
            body.extend_from_slice(&data);
        }
        Ok(body)
    }

    fn hide_secrets(
        &self,
        mut response: Response<()>,
        mut body: Vec<u8>,
        is_head: bool,
    ) -> Result<Response<WasiBody>, Error> {
        for name in OF_THE_CONNECTION {
            response.headers_mut().remove(name);
        }
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let mask = Mask::new(secrets.iter().map(String::as_str));
        drop(secrets);
        if !mask.is_empty() {
            let headers = response.headers_mut();
            // Nobody asked for an encoding; what is in such a body could not be searched.
            if let Some(coding) = headers.get(header::CONTENT_ENCODING)
                && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
            {
                let coding = String::from_utf8_lossy(coding.as_bytes()).into_owned();
                return Err(Error::HttpResponseContentCoding(Some(coding)));
            }
            mask.hide_in_headers(headers);
            mask.hide_in_body(&mut body);
        }
        // The body that the plugin reads has its own length.
        if !is_head && response.headers().contains_key(header::CONTENT_LENGTH) {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
        Ok(response.map(|()| body.boxed_unsync()))
    }
}

/// Waits for as long as the plugin asked for; the step's own time bounds it in any case.
async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Result<T, Error> {
    match limit {
        None => Ok(future.await),
        Some(limit) => tokio::time::timeout(limit, future)
            .await
            .map_err(|_| Error::ConnectionReadTimeout),
    }
}
