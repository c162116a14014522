//! `orchestrations list` and `show`.

use super::{Output, find};
use crate::cli::print::{clean, print_json, print_table, show_time};
use orchestrator_client::{Notification, Orchestration, Task};
use serde_json::Value;
use std::io::{self, Write};

pub(super) async fn list(output: &Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let all = output.server.client()?.orchestrations().await?;
    if output.json {
        return print_json(&all, out);
    }
    let rows = all.iter().map(|one| {
        let last = one.last_executed_job.as_ref();
        vec![
            one.id.to_string(),
            one.name.clone(),
            if one.active { "active" } else { "disabled" }.to_owned(),
            one.crontab_record.clone().unwrap_or("-".to_owned()),
            show_time(one.next_scheduled_time.as_deref()),
            last.map_or("-".to_owned(), |job| job.status.to_string()),
            show_time(last.and_then(|job| job.start_time.as_deref())),
        ]
    });
    let headings = [
        ">ID",
        "NAME",
        "STATE",
        "SCHEDULE",
        "NEXT (UTC)",
        "LAST JOB",
        "BEGAN (UTC)",
    ];
    print_table(&headings, rows, out)?;
    Ok(())
}

pub(super) async fn show(which: &str, output: &Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let one = find(&output.server.client()?, which).await?;
    if output.json {
        return print_json(&one, out);
    }
    print_one(&one, out)?;
    Ok(())
}

pub(super) fn print_one(one: &Orchestration, out: &mut dyn Write) -> io::Result<()> {
    let last = one.last_executed_job.as_ref();
    let last = last.map_or("-".to_owned(), |job| {
        let began = show_time(job.start_time.as_deref());
        format!("{} {}, began {began}", job.id, job.status)
    });
    for (title, value) in [
        ("id", one.id.to_string()),
        ("name", clean(&one.name)),
        (
            "state",
            if one.active { "active" } else { "disabled" }.to_owned(),
        ),
        (
            "schedule",
            one.crontab_record.as_deref().map_or("-".to_owned(), clean),
        ),
        ("next (UTC)", show_time(one.next_scheduled_time.as_deref())),
        ("last job", last),
        (
            "token",
            format!("{} {}", one.token.id, clean(&one.token.description)),
        ),
        ("address", clean(&one.uri)),
    ] {
        writeln!(out, "{title:<11}{value}")?;
    }
    let tasks = one.tasks.as_deref().unwrap_or_default();
    if !tasks.is_empty() {
        writeln!(out)?;
        let headings = [
            "TASK",
            "PHASE",
            "COMPONENT",
            "ACTION",
            "PARAMETERS",
            "REMARKS",
        ];
        print_table(&headings, tasks.iter().map(task_row), out)?;
    }
    if !one.notifications.is_empty() {
        writeln!(out)?;
        let rows = one.notifications.iter().map(notification_row);
        print_table(&["CHANNEL", "GOES TO", "PARAMETERS"], rows, out)?;
    }
    Ok(())
}

fn task_row(task: &Task) -> Vec<String> {
    let mut remarks = Vec::new();
    if !task.active {
        remarks.push("not active".to_owned());
    }
    if task.continue_on_failure {
        remarks.push("may fail".to_owned());
    }
    if let Some(minutes) = task.timeout_minutes {
        remarks.push(format!("at most {minutes} min"));
    }
    vec![
        task.id.clone().unwrap_or_default(),
        task.phase.clone().unwrap_or("-".to_owned()),
        task.target().to_owned(),
        task.action.clone().unwrap_or("-".to_owned()),
        compact(&Value::Object(task.action_parameters.clone())),
        remarks.join(", "),
    ]
}

fn notification_row(notification: &Notification) -> Vec<String> {
    let mut to = vec![];
    to.extend(notification.plugin.clone());
    to.extend(notification.email.clone());
    to.extend(
        notification
            .config
            .clone()
            .map(|config| compact(&Value::Object(config))),
    );
    vec![
        notification.channel.clone(),
        to.join(" "),
        compact(&Value::Object(notification.parameters.clone())),
    ]
}

/// JSON of one line, not too long for a table; nothing where there is nothing.
fn compact(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value.to_string();
    if text == "{}" {
        return String::new();
    }
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
