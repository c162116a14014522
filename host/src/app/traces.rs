//! Traces, where they are wanted: the loop that sends them runs until everything that tells of something has ended.

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::traces::{Exporter, Tracer};
use crate::wake::Stop;
use anyhow::Context;
use tokio::task::JoinHandle;

/// What was started.
pub(super) struct Traces {
    pub(super) tracer: Tracer,
    stop: Stop,
    sending: Option<JoinHandle<()>>,
}

pub(super) fn start(
    config: &Config,
    installation: &str,
    clock: &Clock,
    metrics: &Metrics,
) -> anyhow::Result<Traces> {
    let stop = Stop::default();
    let Some(endpoint) = &config.otlp_endpoint else {
        return Ok(Traces {
            tracer: Tracer::default(),
            stop,
            sending: None,
        });
    };
    let exporter = Exporter::new(endpoint, installation, clock.clone(), metrics.clone())?;
    let (tracer, spans) = Tracer::new(metrics.clone());
    Ok(Traces {
        tracer,
        sending: Some(tokio::spawn(exporter.run(spans, stop.clone()))),
        stop,
    })
}

impl Traces {
    /// Sends what is left.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        self.stop.stop();
        if let Some(sending) = self.sending {
            sending.await.context("traces were not sent")?;
        }
        Ok(())
    }
}
