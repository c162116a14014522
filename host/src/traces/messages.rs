//! The one message of OTLP that is sent, in the encoding of protocol buffers: names and numbers are those of
//! `opentelemetry/proto/collector/trace/v1` and what that is made of.
//!
//! Written by hand, because all of it is numbers, texts and messages within messages.

use super::{Span, SpanKind, Value};

/// How a field is written.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;

const STATUS_ERROR: u64 = 2;

/// A message as it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value);
        self
    }

    fn fixed(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | FIXED_64);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn messages(self, field: u64, values: impl IntoIterator<Item = Self>) -> Self {
        values
            .into_iter()
            .fold(self, |all, one| all.message(field, &one))
    }

    /// Seven bits at a time, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0
                .push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }
}

/// `KeyValue`, with an `AnyValue`.
fn attribute(key: &str, value: &Value) -> Message {
    let value = match value {
        Value::Text(text) => Message::default().text(1, text),
        Value::Number(number) => Message::default().number(3, number.cast_unsigned()),
    };
    Message::default().text(1, key).message(2, &value)
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

fn span(span: &Span) -> Message {
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Consumer => 5,
    };
    let mut message = Message::default()
        .bytes(1, &span.context.trace)
        .bytes(2, &span.context.span);
    if let Some(parent) = &span.parent {
        message = message.bytes(4, parent);
    }
    let attributes = span.attributes.iter();
    message = message
        .text(5, &span.name)
        .number(6, kind)
        .fixed(7, nanos(span.from.0))
        .fixed(8, nanos(span.to.0))
        .messages(9, attributes.map(|(key, value)| attribute(key, value)));
    match &span.failure {
        Some(why) => {
            let status = Message::default().text(2, why).number(3, STATUS_ERROR);
            message.message(15, &status)
        }
        None => message,
    }
}

/// The bytes of an `ExportTraceServiceRequest` that tells these spans of this process.
pub(super) fn encode(resource: &[(&'static str, String)], spans: &[Span]) -> Vec<u8> {
    let attributes = resource
        .iter()
        .map(|(key, value)| attribute(key, &value.clone().into()));
    let resource = Message::default().messages(1, attributes);
    let scope = Message::default()
        .text(1, "orchestrator")
        .text(2, env!("CARGO_PKG_VERSION"));
    let of_scope = Message::default()
        .message(1, &scope)
        .messages(2, spans.iter().map(span));
    let of_resource = Message::default()
        .message(1, &resource)
        .message(2, &of_scope);
    Message::default().message(1, &of_resource).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_written_as_protocol_buffers_have_them() {
        // The examples of the encoding's own documentation.
        assert_eq!(Message::default().number(1, 150).0, [0x08, 0x96, 0x01]);
        let testing = Message::default().text(2, "testing");
        assert_eq!(testing.0, b"\x12\x07testing");
        let nested = Message::default().message(3, &Message::default().number(1, 150));
        assert_eq!(nested.0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let negative = Message::default().number(1, (-2_i64).cast_unsigned());
        assert_eq!(negative.0.len(), 11);
        assert_eq!(
            Message::default().fixed(7, 1).0,
            [0x39, 1, 0, 0, 0, 0, 0, 0, 0]
        );
    }
}
