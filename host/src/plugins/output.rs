//! What a plugin says beside its answers: log lines, standard output and standard error, all on one budget of bytes.
//!
//! The log reaches people as it is written, and so does standard error, line by line. Of the latter the tail is also kept,
//! for the message of a trap; standard output is counted and dropped.

use super::services::LogLevel;
use bytes::Bytes;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes of standard error that are kept for a trap's message.
const TAIL_BYTES: usize = 2 << 10;
/// Longer lines are cut.
const MOST_LINE_BYTES: usize = 8 << 10;
/// Permit for one write.
const WRITE_BYTES: usize = 64 << 10;

/// Where log lines go.
pub(super) type LogSink = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// One call's output.
#[derive(Clone)]
pub(super) struct Output(Arc<Shared>);

struct Shared {
    log: LogSink,
    limit_bytes: usize,
    /// How the limit is raised.
    remedy: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used_bytes: usize,
    is_full: bool,
    tail: VecDeque<u8>,
    /// Of standard error, what has come of a line.
    begun: Vec<u8>,
}

impl Output {
    pub(super) fn new(limit_bytes: usize, remedy: String, log: LogSink) -> Self {
        Self(Arc::new(Shared {
            log,
            limit_bytes,
            remedy,
            state: Mutex::default(),
        }))
    }

    /// Writes one line to the log, within the budget.
    pub(super) fn log(&self, level: LogLevel, message: &str) {
        if self.take(message.len().saturating_add(1)) {
            (self.0.log)(level, cut(message, MOST_LINE_BYTES));
        }
    }

    /// The end of what the plugin wrote to standard error; empty where it wrote nothing.
    pub(super) fn error_tail(&self) -> String {
        let tail: Vec<u8> = self.lock().tail.iter().copied().collect();
        String::from_utf8_lossy(&tail).trim().to_owned()
    }

    /// Whether there is room for these bytes; says so once when there no longer is.
    fn take(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        if state.is_full {
            return false;
        }
        state.used_bytes = state.used_bytes.saturating_add(bytes);
        state.is_full = state.used_bytes > self.0.limit_bytes;
        let is_full = state.is_full;
        drop(state);
        if is_full {
            let (limit, remedy) = (self.0.limit_bytes, &self.0.remedy);
            (self.0.log)(
                LogLevel::Warning,
                &format!(
                    "the plugin's output beyond {limit} bytes in one step is dropped, the log limit ({remedy})"
                ),
            );
        }
        !is_full
    }

    /// Takes what was written to standard error, and logs the lines that are whole.
    fn hear_error(&self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut state = self.lock();
            state.begun.extend_from_slice(part);
            let is_whole = part.ends_with(b"\n") || state.begun.len() >= MOST_LINE_BYTES;
            if is_whole {
                let line = std::mem::take(&mut state.begun);
                drop(state);
                self.0.log_error(&line);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn log_error(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if !line.is_empty() {
            (self.log)(LogLevel::Stderr, cut(line, MOST_LINE_BYTES));
        }
    }
}

/// The call is over: what was begun is the last line.
impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let begun = std::mem::take(&mut state.unwrap_or_else(PoisonError::into_inner).begun);
        self.log_error(&begun);
    }
}

/// At most so many bytes of `text`, at a character's end.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes))
        .unwrap_or_default()
}

/// Standard output or standard error of a plugin.
#[derive(Clone)]
pub(super) struct Pipe {
    pub(super) output: Output,
    pub(super) keeps_tail: bool,
}

impl Pipe {
    fn accept(&self, bytes: &[u8]) {
        let has_room = self.output.take(bytes.len());
        if self.keeps_tail {
            if has_room {
                self.output.hear_error(bytes);
            }
            let mut state = self.output.lock();
            let kept = bytes
                .get(bytes.len().saturating_sub(TAIL_BYTES)..)
                .unwrap_or_default();
            state.tail.extend(kept);
            let excess = state.tail.len().saturating_sub(TAIL_BYTES);
            state.tail.drain(..excess);
        }
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.accept(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl tokio::io::AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.accept(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_beyond_the_limit_is_dropped_and_said_once() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let log: LogSink = Arc::new(move |level, line: &str| {
            sink.lock()
                .expect("unpoisoned")
                .push((level, line.to_owned()));
        });
        let output = Output::new(10, String::new(), log);

        for _ in 0..3 {
            output.log(LogLevel::Info, "four");
        }

        let lines = lines.lock().expect("unpoisoned");
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2].0, LogLevel::Warning);
        assert!(lines[2].1.contains("10 bytes"));
    }

    #[test]
    fn standard_error_is_logged_line_by_line_and_the_last_one_at_the_end() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let log: LogSink = Arc::new(move |level, line: &str| {
            sink.lock()
                .expect("unpoisoned")
                .push((level, line.to_owned()));
        });
        let output = Output::new(100, String::new(), log);
        let error = Pipe {
            output: output.clone(),
            keeps_tail: true,
        };

        for part in ["fir", "st\nsecond\r\n\n", "thi", "rd"] {
            error.accept(part.as_bytes());
        }
        let before = lines.lock().expect("unpoisoned").len();
        drop((output, error));

        assert_eq!(before, 2);
        let expected = ["first", "second", "third"].map(|line| (LogLevel::Stderr, line.to_owned()));
        assert_eq!(*lines.lock().expect("unpoisoned"), expected);
    }

    #[test]
    fn the_tail_of_standard_error_is_kept_beyond_the_limit() {
        let output = Output::new(1, String::new(), Arc::new(|_, _| {}));
        let pipe = Pipe {
            output: output.clone(),
            keeps_tail: true,
        };

        pipe.accept(&[b'x'; 5000]);
        pipe.accept(b"the end");

        let tail = output.error_tail();
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.ends_with("xthe end"));
    }
}
