//! An API client: sends, and keeps the whole answer.

use super::document::{Call, Document};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::sync::Once;

/// Bearer of one token, or of none.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub token: Option<String>,
    /// Whether answers are held to the API's document.
    is_held: bool,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `null` where the body is empty.
    pub json: Value,
}

impl Client {
    pub fn new(base: String, token: Option<String>) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another test may have been first: either way there is one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        Self {
            base,
            token,
            is_held: true,
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("client"),
        }
    }

    /// For a server that does not have the API's role, which is what the document speaks of.
    #[must_use]
    pub fn beyond_the_document(self) -> Self {
        Self {
            is_held: false,
            ..self
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).body(body.to_string()))
            .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).body(body.to_string()))
            .await
    }

    /// A request with the token and nothing else; a body that is added has no `Content-Type`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header("X-StorageApi-Token", token),
            None => request,
        }
    }

    /// What comes back may be a stream.
    pub async fn execute(&self, request: reqwest::Request) -> reqwest::Response {
        self.http.execute(request).await.expect("answered")
    }

    /// Whatever comes back has to be what the API's document says.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let call = Call::of(&request);
        let response = self.execute(request).await;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.bytes().await.expect("body");
        if self.is_held {
            Document::get().check(&call, status, &headers, &bytes);
        }
        let is_json = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/json");
        let json = if bytes.is_empty() {
            Value::Null
        } else if is_json {
            serde_json::from_slice(&bytes).expect("JSON")
        } else {
            // A page: the document says where there is one.
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        };
        Answer {
            status,
            headers,
            json,
        }
    }
}

impl Answer {
    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.json);
        self.json
    }

    /// The paths of the faults of a refused body.
    #[track_caller]
    pub fn faults(self) -> Vec<String> {
        let json = self.expect(400);
        assert_eq!(json["code"], "VALIDATION", "{json}");
        let errors = json["errors"].as_array().expect("errors");
        errors
            .iter()
            .map(|error| error["path"].as_str().expect("path").to_owned())
            .collect()
    }

    /// The code of an answer in the error envelope.
    #[track_caller]
    pub fn refusal(self, status: u16) -> String {
        let json = self.expect(status);
        assert_eq!(json["status"], "warning", "{json}");
        assert!(
            json["exceptionId"]
                .as_str()
                .is_some_and(|id| !id.is_empty()),
            "{json}"
        );
        json["code"].as_str().expect("code").to_owned()
    }
}
