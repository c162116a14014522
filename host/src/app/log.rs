//! The server's own log: its format, and its filter, which may be changed while the server runs.
//!
//! The filter is looked up again in the configuration file on SIGHUP: every server has that door, whatever its roles, and
//! nobody opens it from the network. Where a flag or the environment sets the filter, the file has no say.

use super::log_lines::{JsonFields, JsonLines};
use super::signals::poke_on_hangup;
use crate::config::LogSource;
use crate::wake::{Stop, Wake};
use std::fmt;
use std::io::IsTerminal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as layers};

/// Handle to the filter of the log that was started.
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    source: LogSource,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// Begins to log to standard error.
    #[must_use]
    pub fn start(source: LogSource) -> Self {
        let (filter, handle) = reload::Layer::new(EnvFilter::new(&source.filter));
        let lines = layers::layer().with_writer(std::io::stderr);
        let lines = if source.is_json {
            lines.fmt_fields(JsonFields).event_format(JsonLines).boxed()
        } else {
            lines.with_ansi(std::io::stderr().is_terminal()).boxed()
        };
        // Only a test that has one already gets another answer than Ok.
        let _ = Registry::default().with(filter).with(lines).try_init();
        Self {
            filter: handle,
            source,
        }
    }

    /// Takes up what the file says, on each SIGHUP, until the stop.
    pub(super) async fn follow_file(mut self, stop: Stop) {
        let told = Wake::default();
        let listening = poke_on_hangup(told.clone(), stop.clone());
        let rereading = async {
            loop {
                told.poked().await;
                self.reread();
            }
        };
        tokio::select! {
            () = listening => {}
            () = rereading => {}
        }
    }

    fn reread(&mut self) {
        match self.source.reread() {
            Ok(None) => {}
            Ok(Some(filter)) => match self.filter.reload(EnvFilter::new(&filter)) {
                Ok(()) => tracing::info!(filter, "the log's filter is what the file says now"),
                Err(error) => tracing::warn!(%error, "the log's filter stays"),
            },
            Err(error) => tracing::warn!("the log's filter stays: {error}"),
        }
    }
}
