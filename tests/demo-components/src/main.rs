//! `demo-components`: the pretend components as a program of its own, to try the server by hand.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use demo_components::{CATALOG, Certificates, DemoServer, Options};
use tokio::signal::unix::{SignalKind, signal};

/// Pretend components for trying and testing an orchestration server.
///
/// A test aid: it checks no credentials and GET /_requests shows the tokens it was sent.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Folder that keeps the certificates; made with new ones if it has none
    #[arg(long, default_value = "./demo-certs")]
    cert_dir: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // With a default set, a dependency that brings a second provider cannot make the choice unclear.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }

    let folder = &arguments.cert_dir;
    let certificates = Certificates::load_or_create(folder)
        .with_context(|| format!("no certificates in {}", folder.display()))?;
    let options = Options {
        listen: arguments.listen,
        certificates: Some(certificates),
    };
    let server = DemoServer::start(options).await?;

    println!("Components:  {}", server.base_url());
    println!("CA to trust: {}", Certificates::ca_path(folder).display());
    println!(
        "Requests:    GET or DELETE {}/_requests (tokens are shown)",
        server.base_url()
    );
    println!("Jobs:        GET {}/_jobs\n", server.base_url());
    for entry in CATALOG {
        println!(
            "  {:<14} {:<48} {}",
            entry.name, entry.parameters, entry.answers
        );
    }

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    server.stop().await;
    Ok(())
}
