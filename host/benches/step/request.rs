//! A step with one HTTP call, against a client that makes the same call: both keep their connection to the same server,
//! over TLS.

use crate::{Failure, HostStep, Summary, settings, time};
use demo_components::{DemoServer, Options};
use orchestrator::clock::Clock;
use orchestrator::plugins::{OutboundSettings, PluginSettings, Plugins};
use std::path::Path;

const ROUNDS: usize = 1_000;
const WARM_UP: usize = 100;
/// Most that a step with a call may cost, against the call alone.
const MOST: f64 = 3.0;

pub fn measure(dir: &Path) -> Result<(), Failure> {
    let serving = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let server = serving.block_on(DemoServer::start(Options::default()))?;
    let outbound = OutboundSettings {
        allow: vec!["127.0.0.1/32".parse()?],
        extra_ca_pem: Some(server.ca_pem().as_bytes().to_vec()),
        ..OutboundSettings::default()
    };
    let plugins = Plugins::open(
        PluginSettings {
            outbound,
            ..settings(dir)
        },
        Clock::system(),
    )?;
    let plugin = plugins
        .builtin("http-request")
        .ok_or("there is no http-request")?;
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(server.ca_pem().as_bytes())?])
        .build()?;
    // An address that the server does not write down.
    let url = format!("{}/_jobs", server.base_url());
    let step = HostStep {
        parameters: format!(r#"{{"url": "{url}"}}"#),
        plugins: plugins.clone(),
        plugin,
    };
    let measured = plugins.runtime().spawn(async move {
        let (mut native, mut host) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS + WARM_UP {
            let call = async {
                let answer = client.get(&url).send().await?.error_for_status()?;
                answer.bytes().await.map(drop)
            };
            let native_time = time::<_, reqwest::Error>(call).await?;
            let host_time = time(step.run()).await?;
            if round >= WARM_UP {
                native.push(native_time);
                host.push(host_time);
            }
        }
        Ok::<_, Failure>((native, host))
    });
    let waiting = tokio::runtime::Builder::new_current_thread().build()?;
    let (native, host) = waiting.block_on(measured)??;
    println!("a step with one HTTPS call on a kept connection, against reqwest alone");
    Summary::of(host).print_against(&Summary::of(native), "reqwest alone", MOST);
    drop(server);
    Ok(())
}
