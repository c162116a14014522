//! Tells a fresh server what there is to see, and starts it.

use anyhow::{Context as _, bail};
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};

/// What there is to see.
const CONTENT: &str = include_str!("orchestrations.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    components: Vec<Component>,
    orchestrations: Vec<Orchestration>,
}

/// A name that tasks use, and the pretend component behind it.
#[derive(Deserialize)]
struct Component {
    name: String,
    pretends: String,
}

#[derive(Deserialize)]
struct Orchestration {
    /// How often it is run at once, so that there is something to see before its first minute.
    runs: u32,
    /// As the API wants it.
    body: Value,
}

/// Fills the project of `token` on the server at `url`.
///
/// # Errors
/// The server refuses something, or does not answer.
pub(super) async fn fill(url: &str, token: &str, components_url: &str) -> anyhow::Result<()> {
    let content: Content = serde_json::from_str(CONTENT).context("orchestrations.json")?;
    let server = Server {
        client: Client::builder().no_proxy().build()?,
        url,
        token,
    };
    for component in &content.components {
        let path = format!("/components/{}", component.name);
        let address = format!("{components_url}/{}", component.pretends);
        server
            .ask(Method::PUT, &path, &json!({"url": address}))
            .await?;
    }
    for orchestration in &content.orchestrations {
        let made = server.ask(Method::POST, "/orchestrations", &orchestration.body);
        let made = made.await?;
        let id = made.get("id").and_then(Value::as_i64).context("no id")?;
        let path = format!("/orchestrations/{id}/jobs");
        for _ in 0..orchestration.runs {
            server.ask(Method::POST, &path, &json!({})).await?;
        }
    }
    Ok(())
}

struct Server<'a> {
    client: Client,
    url: &'a str,
    token: &'a str,
}

impl Server<'_> {
    async fn ask(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("X-StorageApi-Token", self.token).json(body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("the demo cannot make {path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| path.to_owned())
    }
}
