//! Signals: SIGTERM and SIGINT end the server in order, SIGHUP has it look at files again.

use crate::wake::{Stop, Wake};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT, received from when this is made: before the server says that it listens, so that whoever started it
/// may stop it at once.
pub(super) struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// One of them has come.
    pub(super) async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// SIGHUP: what is read from files is looked at again.
pub(super) async fn poke_on_hangup(wake: Wake, stop: Stop) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return tracing::warn!("SIGHUP cannot be received");
    };
    while !stop.is_stopped() {
        tokio::select! {
            () = stop.stopped() => {}
            _ = hangup.recv() => wake.poke(),
        }
    }
}
