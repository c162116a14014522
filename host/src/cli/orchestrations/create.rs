//! `orchestrations create`: one from the command line; what it cannot say is said in a file for `apply`.

use super::Output;
use super::list::print_one;
use crate::cli::print::print_json;
use orchestrator_client::{Notification, OrchestrationBody, Task};
use serde_json::Map;
use std::io::Write;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// What it is called
    name: String,
    /// When it runs, in UTC, such as '0 3 * * *'; without it, it runs by hand
    #[arg(long, value_name = "EXPRESSION")]
    crontab: Option<String>,
    /// A component's name or https address; repeatable, they run one after the other
    #[arg(long = "task", value_name = "COMPONENT|URL")]
    tasks: Vec<String>,
    /// An address that is mailed when a job fails; repeatable
    #[arg(long = "notify", value_name = "EMAIL")]
    emails: Vec<String>,
    /// Hold its schedule
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn create(args: CreateArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let body = OrchestrationBody {
        name: Some(args.name),
        active: Some(!args.disabled),
        crontab_record: args.crontab.map(Some),
        token_id: None,
        notifications: Some(args.emails.into_iter().map(mail_on_error).collect()),
        tasks: Some(args.tasks.into_iter().map(task).collect()),
    };
    let client = args.output.server.client()?;
    let made = client.create_orchestration(&body).await?;
    if args.output.json {
        return print_json(&made, out);
    }
    print_one(&made, out)?;
    Ok(())
}

fn mail_on_error(email: String) -> Notification {
    Notification {
        email: Some(email),
        channel: "error".to_owned(),
        parameters: Map::new(),
        plugin: None,
        config: None,
    }
}

fn task(target: String) -> Task {
    let is_address = target.contains("://");
    let (component, component_url) = if is_address {
        (None, Some(target))
    } else {
        (Some(target), None)
    };
    Task {
        id: None,
        component,
        component_url,
        action: None,
        action_parameters: Map::new(),
        continue_on_failure: false,
        timeout_minutes: None,
        active: true,
        phase: None,
    }
}
