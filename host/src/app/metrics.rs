//! The listener at which Prometheus finds what is counted: plain HTTP, a few connections, gone when the server stops.

use crate::api::{ApiState, ListenerSettings, metrics_router, serve};
use crate::wake::Stop;
use anyhow::Context;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Whoever scrapes keeps a connection or two.
const MOST_CONNECTIONS: usize = 64;

/// Takes the address; what is returned serves it until the stop.
pub(super) async fn listen(
    address: SocketAddr,
    state: ApiState,
    stop: Stop,
) -> anyhow::Result<impl Future<Output = ()>> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {address} (metrics-listen)"))?;
    tracing::info!("metrics are at http://{}/metrics", listener.local_addr()?);
    let settings = ListenerSettings {
        most_connections: MOST_CONNECTIONS,
        ..ListenerSettings::default()
    };
    let router = metrics_router(state);
    let stopped = async move { stop.stopped().await };
    Ok(serve(listener, settings, router, stopped))
}
