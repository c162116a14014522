//! `orchestrations delete`, `enable` and `disable`.

use super::{Output, find};
use crate::cli::print::{clean, confirm, print_json};
use anyhow::bail;
use orchestrator_client::OrchestrationBody;
use serde_json::json;
use std::io::Write;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// Which ones
    #[arg(value_name = "ID|NAME", required = true)]
    which: Vec<String>,
    /// Without being asked
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct EnableArgs {
    /// Which ones
    #[arg(value_name = "ID|NAME", required = true)]
    which: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// All are looked for before the first one is deleted.
pub(super) async fn delete(args: DeleteArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = args.output.server.client()?;
    let mut found = Vec::new();
    for which in &args.which {
        found.push(find(&client, which).await?);
    }
    found.dedup_by_key(|one| one.id);
    if !args.yes {
        let names = found.iter();
        let names = names.map(|one| format!("{}  {}\n", one.id, clean(&one.name)));
        let names: String = names.collect();
        if !confirm(&format!("{names}Delete with schedule and waiting jobs?"))? {
            bail!("nothing was deleted");
        }
    }
    for one in &found {
        client.delete_orchestration(one.id).await?;
        if !args.output.json {
            writeln!(out, "deleted {}  {}", one.id, clean(&one.name))?;
        }
    }
    if args.output.json {
        let deleted = found
            .iter()
            .map(|one| json!({"id": one.id, "name": one.name}));
        print_json(&deleted.collect::<Vec<_>>(), out)?;
    }
    Ok(())
}

pub(super) async fn set_active(
    args: EnableArgs,
    active: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let client = args.output.server.client()?;
    let mut changed = Vec::new();
    for which in &args.which {
        let one = find(&client, which).await?;
        let body = OrchestrationBody {
            active: Some(active),
            ..OrchestrationBody::default()
        };
        let one = client.update_orchestration(one.id, &body).await?;
        if !args.output.json {
            let state = if active { "active" } else { "disabled" };
            writeln!(out, "{state} {}  {}", one.id, clean(&one.name))?;
        }
        changed.push(one);
    }
    if args.output.json {
        print_json(&changed, out)?;
    }
    Ok(())
}
