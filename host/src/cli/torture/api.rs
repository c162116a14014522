//! Requests as a careful client sends them: to any host, bounded in time, and honest about what it does not know.

use super::dice::Dice;
use super::hosts::Host;
use http::Method;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A suspended host does not answer, and others are there.
const PATIENCE: Duration = Duration::from_secs(6);

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Acknowledged(Value),
    /// 4xx: understood and not done.
    Refused(u16, Value),
    /// It reached no host.
    NotSent,
    /// 503, a broken connection or silence: it may have been done.
    Unknown,
    /// What no client may get.
    Wrong(String),
}

/// A caller of all hosts; cloning it is cheap.
#[derive(Clone, Debug)]
pub(super) struct Api {
    http: reqwest::Client,
    pub(super) hosts: Arc<[Host]>,
    token: String,
}

/// What a request carries besides its path.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) body: Option<Value>,
    /// Asks for a job once: the run id by which the job is known, and the key.
    pub(super) request: Option<String>,
}

impl Call {
    pub(super) fn with(body: Value) -> Self {
        Self {
            body: Some(body),
            request: None,
        }
    }
}

impl Api {
    pub(super) fn new(hosts: Arc<[Host]>, token: String) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { http, hosts, token })
    }

    /// Sends a request to one of the hosts.
    pub(super) async fn send(
        &self,
        dice: &mut Dice,
        method: &Method,
        path: &str,
        call: &Call,
    ) -> Reply {
        let base = dice.pick(&self.hosts).and_then(Host::base);
        let Some(base) = base else {
            return Reply::NotSent;
        };
        let mut request = self
            .http
            .request(method.clone(), format!("{base}{path}"))
            .header("X-StorageApi-Token", &self.token);
        if let Some(name) = &call.request {
            request = request
                .header("X-KBC-RunId", name)
                .header("Idempotency-Key", name);
        }
        if let Some(body) = &call.body {
            request = request.body(body.to_string());
        }
        match request.send().await {
            Ok(response) => read(method, path, response).await,
            Err(error) if error.is_connect() => Reply::NotSent,
            Err(_) => Reply::Unknown,
        }
    }
}

/// The id that an answer names.
pub(super) fn id_of(json: &Value) -> Option<i64> {
    json.get("id").and_then(Value::as_i64)
}

async fn read(method: &Method, path: &str, response: reqwest::Response) -> Reply {
    let status = response.status().as_u16();
    let has_retry_after = response.headers().contains_key("retry-after");
    let Ok(text) = response.text().await else {
        return Reply::Unknown;
    };
    let json = serde_json::from_str(&text).unwrap_or_default();
    match status {
        200..=299 => Reply::Acknowledged(json),
        503 if has_retry_after => Reply::Unknown,
        400..=499 => Reply::Refused(status, json),
        _ => Reply::Wrong(format!("{method} {path} was answered {status}: {text}")),
    }
}
