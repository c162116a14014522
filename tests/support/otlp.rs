//! A collector of traces: takes what is posted to it by OTLP over HTTP and reads it as the protocol's messages say, by a
//! reader of protocol buffers that shares nothing with the server's writer.

use crate::support::process::until;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A span as it was received.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// In hexadecimal digits, as all ids here.
    pub trace: String,
    pub id: String,
    /// Empty where it has none.
    pub parent: String,
    pub name: String,
    pub kind: u64,
    pub start_nanos: u64,
    pub end_nanos: u64,
    pub attributes: BTreeMap<String, String>,
    /// Code and message, where it has a status.
    pub status: Option<(u64, String)>,
}

/// What has come, and what the senders say of themselves.
#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    services: Vec<String>,
    /// Requests that are still to be refused.
    refusals: usize,
}

/// Ends with the runtime of its test.
pub struct Collector {
    /// For `--otlp-endpoint`.
    pub endpoint: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    /// One that first refuses so many requests.
    pub async fn start(refusals: usize) -> Self {
        let received = Arc::new(Mutex::new(Received {
            refusals,
            ..Received::default()
        }));
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&received));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            endpoint: format!("http://{address}"),
            received,
        }
    }

    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().expect("a lock").spans.clone()
    }

    pub fn services(&self) -> Vec<String> {
        self.received.lock().expect("a lock").services.clone()
    }

    /// The first span that is such, once it has come.
    pub async fn span_when(&self, what: &str, is_such: impl Fn(&Span) -> bool) -> Span {
        until(what, || {
            let spans = self.spans();
            let found = spans.iter().find(|span| is_such(span)).cloned();
            let names: Vec<_> = spans.into_iter().map(|span| span.name).collect();
            std::future::ready(found.ok_or(format!("{names:?}")))
        })
        .await
    }
}

async fn take(
    State(received): State<Arc<Mutex<Received>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut received = received.lock().expect("a lock");
    if received.refusals > 0 {
        received.refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    assert_eq!(headers["content-type"], "application/x-protobuf");
    // ExportTraceServiceRequest.resource_spans
    for of_resource in parts(&body, 1) {
        for resource in parts(of_resource, 1) {
            let attributes = attributes(resource, 1);
            received.services.push(attributes["service.name"].clone());
        }
        for of_scope in parts(of_resource, 2) {
            received
                .spans
                .extend(parts(of_scope, 2).into_iter().map(span));
        }
    }
    StatusCode::OK
}

/// `opentelemetry.proto.trace.v1.Span`
fn span(bytes: &[u8]) -> Span {
    let text = |field| String::from_utf8(first(bytes, field).to_vec()).expect("UTF-8");
    let status = parts(bytes, 15).first().map(|status| {
        let message = String::from_utf8(first(status, 2).to_vec()).expect("UTF-8");
        (number(status, 3), message)
    });
    Span {
        trace: hex(first(bytes, 1)),
        id: hex(first(bytes, 2)),
        parent: hex(first(bytes, 4)),
        name: text(5),
        kind: number(bytes, 6),
        start_nanos: number(bytes, 7),
        end_nanos: number(bytes, 8),
        attributes: attributes(bytes, 9),
        status,
    }
}

/// `KeyValue`s: a text is field 1 of the value, a whole number field 3.
fn attributes(bytes: &[u8], field: u64) -> BTreeMap<String, String> {
    let pair = |pair: &[u8]| {
        let value = first(pair, 2);
        let shown = match parts(value, 1).first() {
            Some(text) => String::from_utf8(text.to_vec()).expect("UTF-8"),
            None => number(value, 3).cast_signed().to_string(),
        };
        (
            String::from_utf8(first(pair, 1).to_vec()).expect("UTF-8"),
            shown,
        )
    };
    parts(bytes, field).into_iter().map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, as they come.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Number(u64::from_le_bytes(number.try_into().expect("eight")))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("short");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("a field of type {other}"),
        };
        all.push((key >> 3, value));
    }
    all
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for place in 0.. {
        let (byte, rest) = bytes.split_first().expect("one more byte");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn parts(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    let of_it = fields(bytes)
        .into_iter()
        .filter(|(number, _)| *number == field);
    of_it
        .map(|(_, value)| match value {
            Field::Bytes(bytes) => bytes,
            Field::Number(number) => panic!("field {field} is the number {number}"),
        })
        .collect()
}

/// Empty where it is not there.
fn first(bytes: &[u8], field: u64) -> &[u8] {
    parts(bytes, field).first().copied().unwrap_or_default()
}

/// 0 where it is not there.
fn number(bytes: &[u8], field: u64) -> u64 {
    let found = fields(bytes)
        .into_iter()
        .find(|(number, _)| *number == field);
    match found {
        Some((_, Field::Number(number))) => number,
        _ => 0,
    }
}
