//! `orchestrator serve --demo`: a server to look around in, alive within seconds.
//!
//! It is the server as it is, over the pretend components of the tests, on a folder that is made for it and removed with
//! it: nothing that a real server has is read or written. What there is to see is told to it through its own API
//! (`orchestrations.json`), as a client would.

mod fill;

use crate::app::{self, Log};
use crate::config::Settings;
use anyhow::Context as _;
use demo_components::{DemoServer, Options};
use std::fs;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Arguments that would lead it to somebody's data, or that it needs for itself.
pub(super) const ITS_OWN: [&str; 9] = [
    "config",
    "data_dir",
    "database_url",
    "components_url",
    "outbound_allow",
    "outbound_ca",
    "token_backend",
    "tls_cert",
    "tls_key",
];

/// Runs it until SIGTERM or SIGINT.
///
/// # Errors
/// What a server needs is missing or in use, or a setting is wrong.
pub(super) async fn serve(settings: Settings) -> anyhow::Result<()> {
    let components = DemoServer::start(Options::default()).await;
    let components = components.context("the pretend components cannot be started")?;
    let folder = tempfile::Builder::new()
        .prefix("orchestrator-demo-")
        .tempdir()
        .context("no folder can be made")?;
    let settings = on_pretence(settings, &folder, &components)?;
    let config = settings.load()?;
    let log = Log::start(config.log.clone());
    let given = config.master_token.clone();
    let token_file = config.data_dir.join(app::MASTER_TOKEN_FILE);
    let (sender, address) = oneshot::channel();
    let serving = app::serve_and_tell(config, log, |url| {
        // Whoever waits for it ends with the server.
        let _ = sender.send(url.to_owned());
    });
    let showing = async {
        let url = address.await.context("the server ended")?;
        let token = match given {
            Some(token) => token,
            None => fs::read_to_string(token_file)?.trim().to_owned(),
        };
        fill::fill(&url, &token, components.base_url()).await?;
        println!();
        println!("Look around: {url}/ui/#/sign-in?token={token}");
        println!("Everything in there is made up, and is gone when this server stops (Ctrl-C).");
        // Until the server ends.
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        ended = serving => ended,
        failed = showing => failed,
    }
}

fn on_pretence(
    settings: Settings,
    folder: &TempDir,
    components: &DemoServer,
) -> anyhow::Result<Settings> {
    let ca = folder.path().join("components-ca.pem");
    fs::write(&ca, components.ca_pem())?;
    Ok(Settings {
        data_dir: Some(folder.path().join("data")),
        components_url: Some(components.base_url().to_owned()),
        outbound_allow: vec!["127.0.0.1/32".to_owned()],
        outbound_ca: Some(ca),
        // Its address and the link are what people look for.
        log: settings.log.clone().or_else(|| Some("warn".to_owned())),
        ..settings
    })
}
