//! Which server is called, and how.

use crate::cli::trust::CaArgs;
use crate::config::operator_token;
use anyhow::{Context, anyhow};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// An answer takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// Address of a running server; the operator's token is read from ORCHESTRATOR_OPERATOR_TOKEN
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
    #[command(flatten)]
    pub(super) ca: CaArgs,
    /// Print the server's answer as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) struct OperatorClient {
    http: reqwest::Client,
    ca: CaArgs,
    base: String,
    token: String,
}

impl OperatorClient {
    pub(super) fn new(server: &ServerArgs) -> anyhow::Result<Self> {
        let token = operator_token().context(
            "the environment variable ORCHESTRATOR_OPERATOR_TOKEN must hold the operator's token",
        )?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(server.ca.tls()?)
            .no_proxy()
            // The token is for this server only.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("Orchestrator/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            http,
            ca: server.ca.clone(),
            base: server.url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The answer's JSON, `null` where it has none.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method, &url);
        let mut request = request.header("X-Operator-Token", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await;
        let response = response.map_err(|error| self.ca.unanswered(&error, &self.base))?;
        let status = response.status();
        let bytes = response.bytes().await?;
        if status.is_success() {
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&bytes)
                .with_context(|| format!("{} answered with something else than JSON", self.base));
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(refusal(status, path, &answer))
    }
}

fn refusal(status: reqwest::StatusCode, path: &str, answer: &Value) -> anyhow::Error {
    let mut text = match answer.get("message").and_then(Value::as_str) {
        Some(message) => format!("{message} ({status})"),
        None => format!("the server answered {status} to {path}"),
    };
    if status == reqwest::StatusCode::NOT_FOUND {
        text.push_str(": no such project or token, or the server has no operator-token");
    }
    let faults = answer.get("errors").and_then(Value::as_array);
    // The message of one fault names it.
    for fault in faults
        .filter(|faults| faults.len() > 1)
        .into_iter()
        .flatten()
    {
        let part = |key| fault.get(key).and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("\n  {} {}", part("path"), part("message")));
    }
    anyhow!(text)
}
