//! `orchestrator health`: asks a running server whether it is well, where nothing else is at hand that could (in a container,
//! say).

use super::trust::CaArgs;
use anyhow::bail;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Ask a running server whether it is well
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// Address of the server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Ask whether it is ready, its database and schedules included, and not only whether it lives
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    ca: CaArgs,
}

/// Says nothing where it is well.
///
/// # Errors
/// What it answered, or that it does not.
pub async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(args.ca.tls()?)
        .no_proxy()
        .timeout(PATIENCE)
        .build()?;
    let base = args.url.trim_end_matches('/');
    let path = if args.ready { "ready" } else { "live" };
    let answer = http.get(format!("{base}/health/{path}")).send().await;
    let answer = answer.map_err(|error| args.ca.unanswered(&error, base))?;
    let status = answer.status();
    if !status.is_success() {
        bail!("{base} answered {status}: {}", answer.text().await?);
    }
    Ok(())
}
