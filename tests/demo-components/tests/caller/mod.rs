//! A running service and a client that trusts it and follows no redirect.

use demo_components::{DemoServer, Options};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;

pub const TOKEN: &str = "123-456-abcdef";

pub struct Caller {
    pub demo: DemoServer,
    pub client: Client,
}

impl Caller {
    pub async fn new() -> anyhow::Result<Self> {
        _ = rustls::crypto::ring::default_provider().install_default();
        let demo = DemoServer::start(Options::default()).await?;
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(demo.ca_pem().as_bytes())?])
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { demo, client })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.demo.base_url()))
            .header("X-StorageApi-Token", TOKEN)
            .header("Idempotency-Key", "key-1")
    }

    pub async fn send(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        self.request(Method::POST, path)
            .body(body.to_string())
            .send()
            .await
    }

    pub async fn fetch(&self, method: Method, path: &str) -> reqwest::Result<Response> {
        self.request(method, path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<(u16, Value)> {
        read(self.send(path, &body).await?).await
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        read(self.fetch(Method::GET, path).await?).await
    }
}

async fn read(response: Response) -> anyhow::Result<(u16, Value)> {
    let code = response.status().as_u16();
    Ok((
        code,
        serde_json::from_slice(&response.bytes().await?).unwrap_or_default(),
    ))
}
