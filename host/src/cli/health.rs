//! `orchestrator health`: asks a running server whether it is well, where nothing else is at hand that could (in a container,
//! say).

use super::caller::{ConnectionArgs, DEFAULT_URL};
use orchestrator_client::Access;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Ask a running server whether it is well
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// Address of the server
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    url: String,
    /// Ask whether it is ready, its database and schedules included, and not only whether it lives
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Says nothing where it is well.
///
/// # Errors
/// What it answered, or that it does not.
pub async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let builder = args.connection.builder(&args.url, Access::Nobody)?;
    // What is asked for is how it is now.
    let client = builder.timeout(PATIENCE).retries(0).build()?;
    Ok(client.health(args.ready).await?)
}
