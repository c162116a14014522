//! The loop that sends spans to a collector, by OTLP over HTTP.
//!
//! Spans go in batches: what has come within a second, or as many as make a request. A collector that is away, or busy, is
//! asked once more; then the batch is dropped and counted: traces are worth less than the memory that they would fill.

use super::messages::encode;
use super::{MOST_QUEUED, Span};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::wake::Stop;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use tokio::sync::mpsc;

/// Most spans of one request.
const MOST_TOGETHER: usize = 512;
/// Spans gather for so long.
const GATHER: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// Why there can be no traces.
#[derive(Debug, thiserror::Error)]
#[error("the client for traces cannot be made: {0}")]
pub struct TracesError(String);

/// Sends what a [`Tracer`](super::Tracer) is told.
#[derive(Debug)]
pub struct Exporter {
    http: reqwest::Client,
    /// Where requests go: the collector's address with `/v1/traces`.
    address: String,
    resource: Vec<(&'static str, String)>,
    clock: Clock,
    metrics: Metrics,
}

impl Exporter {
    /// For the collector at `endpoint`, which may be `http` or `https`; `installation` names this one among others.
    ///
    /// # Errors
    /// Where this system can make no client.
    pub fn new(
        endpoint: &str,
        installation: &str,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<Self, TracesError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(public_authorities()?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("Orchestrator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TracesError(error.to_string()))?;
        Ok(Self {
            http,
            address: format!("{endpoint}/v1/traces"),
            resource: vec![
                ("service.name", "orchestrator".to_owned()),
                ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
                ("service.namespace", installation.to_owned()),
                ("process.pid", std::process::id().to_string()),
            ],
            clock,
            metrics,
        })
    }

    /// Until the stop, and then what is left, once.
    pub async fn run(self, mut spans: mpsc::Receiver<Span>, stop: Stop) {
        let mut batch = Vec::new();
        while !stop.is_stopped() {
            tokio::select! {
                () = stop.stopped() => {}
                received = spans.recv_many(&mut batch, MOST_TOGETHER) => {
                    if received == 0 {
                        break;
                    }
                    self.gather(&mut spans, &mut batch, &stop).await;
                    self.send(&batch, true).await;
                    batch.clear();
                }
            }
        }
        spans.close();
        let mut left = Vec::new();
        spans.recv_many(&mut left, MOST_QUEUED).await;
        if !left.is_empty() {
            self.send(&left, false).await;
        }
    }

    async fn gather(&self, spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>, stop: &Stop) {
        let until = self.clock.now().plus(GATHER);
        while batch.len() < MOST_TOGETHER {
            let room = MOST_TOGETHER - batch.len();
            tokio::select! {
                received = spans.recv_many(batch, room) => if received == 0 { return },
                () = self.clock.sleep_until(until) => return,
                () = stop.stopped() => return,
            }
        }
    }

    async fn send(&self, spans: &[Span], may_repeat: bool) {
        let count = spans.len();
        let body = encode(&self.resource, spans);
        let mut sent = self.post(body.clone()).await;
        if sent.is_err() && may_repeat {
            self.clock.sleep(PAUSE_AFTER_ERROR).await;
            sent = self.post(body).await;
        }
        if let Err(error) = sent {
            self.metrics.spans_dropped(count as u64);
            tracing::warn!(spans = count, error, "traces could not be sent");
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let request = self
            .http
            .post(&self.address)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        // Without the address: it may hold a secret of the collector's.
        let answer = request.send().await;
        let answer = answer.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("the collector answered {status}"))
        }
    }
}

fn public_authorities() -> Result<rustls::ClientConfig, TracesError> {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider);
    let config = config
        .with_safe_default_protocol_versions()
        .map_err(|error| TracesError(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
