//! `jobs logs`: what tasks have said, also while they say it.

use super::Output;
use crate::cli::print::clean;
use orchestrator_client::Event;
use std::io::Write;

const PAGE: u32 = 500;
/// What tasks say, and that they said too much.
const KINDS: [&str; 2] = ["log", "limit"];

#[derive(Clone, Debug, clap::Args)]
pub(super) struct LogsArgs {
    /// Id of the job
    id: i64,
    /// Go on until the job has ended
    #[arg(short, long)]
    follow: bool,
    /// Only those of this task: its id or component; repeatable
    #[arg(long = "task", value_name = "ID|COMPONENT")]
    tasks: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// With `--json` a line each.
pub(super) async fn logs(args: LogsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = args.output.server.client()?;
    let mut print = |event: &Event| -> anyhow::Result<()> {
        if !is_wanted(event, &args.tasks) {
            return Ok(());
        }
        if args.output.json {
            serde_json::to_writer(&mut *out, event)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", log_line(event))?;
        }
        // Who reads along wants it now.
        out.flush()?;
        Ok(())
    };
    if args.follow {
        let mut events = client.follow_job(args.id, None);
        while let Some(event) = events.next().await? {
            if KINDS.contains(&event.event.as_str()) {
                print(&event)?;
            }
        }
        return Ok(());
    }
    let mut after: Option<String> = None;
    loop {
        let page = client.job_events(args.id, &KINDS, after.as_deref(), PAGE);
        let page = page.await?;
        for event in &page {
            print(event)?;
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => after = Some(last.id.clone()),
            _ => return Ok(()),
        }
    }
}

fn is_wanted(event: &Event, tasks: &[String]) -> bool {
    let Some(task) = &event.task else {
        return tasks.is_empty();
    };
    tasks.is_empty()
        || tasks
            .iter()
            .any(|wanted| *wanted == task.id || wanted == task.target())
}

/// `2026-11-24 17:06:36.041  2 ex-db  info  3 tables`
pub(in crate::cli) fn log_line(event: &Event) -> String {
    let time = event.time.strip_suffix("+00:00").unwrap_or(&event.time);
    let time = time.replacen('T', " ", 1);
    let whose = match &event.task {
        Some(task) => format!("  {} {}", task.id, clean(task.target())),
        None => format!("  job {}", event.job_id),
    };
    let label = match (&event.level, &event.status) {
        (Some(level), _) => level.as_str(),
        (None, Some(status)) => status.as_str(),
        (None, None) => event.event.as_str(),
    };
    let code = event.code.as_ref().map(|code| format!("  {}", clean(code)));
    let message = event.message.as_ref();
    let message = message.map(|message| format!("  {}", clean(message)));
    let parts = [Some(whose), Some(format!("  {label}")), code, message];
    time + &parts.into_iter().flatten().collect::<String>()
}
