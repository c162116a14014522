//! Signals: SIGTERM and SIGINT end the server in order, SIGHUP has it look at files again.

use crate::wake::{Stop, Wake};
use tokio::signal::unix::{SignalKind, signal};

/// SIGTERM or SIGINT has come.
pub(super) async fn until_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals cannot be received: this server stops only when it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
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
