//! How one job is shown to people.

use super::list::took;
use crate::cli::print::{clean, print_table, show_duration, show_time};
use orchestrator_client::{Job, TaskResult};
use std::collections::HashMap;
use std::io::{self, Write};

/// With a row for each of its tasks, those included that did not begin.
pub(in crate::cli) fn print_job(job: &Job, out: &mut dyn Write) -> io::Result<()> {
    let took = took(job.start_time.as_deref(), job.end_time.as_deref());
    for (title, value) in [
        ("job", job.id.to_string()),
        ("of", format!("orchestration {}", job.orchestration_id)),
        ("status", job.status.to_string()),
        (
            "made",
            format!(
                "{} by {}",
                show_time(Some(&job.created_time)),
                job.initialized_by
            ),
        ),
        ("began", show_time(job.start_time.as_deref())),
        ("took", took),
        ("address", clean(&job.url)),
    ] {
        writeln!(out, "{title:<9}{value}")?;
    }
    let results = job.results.iter().flat_map(|results| &results.tasks);
    let results: HashMap<&str, &TaskResult> =
        results.map(|result| (result.id.as_str(), result)).collect();
    let tasks = job.tasks.as_deref().unwrap_or_default();
    if tasks.is_empty() {
        return Ok(());
    }
    let rows = tasks.iter().map(|task| {
        let id = task.id.clone().unwrap_or_default();
        let result = results.get(id.as_str());
        let status = match result {
            Some(result) => result.status.to_string(),
            None if !task.active => "not active".to_owned(),
            None if job.is_finished => "not reached".to_owned(),
            None => "waiting".to_owned(),
        };
        let seconds = result.and_then(|result| result.duration);
        vec![
            id,
            task.phase.clone().unwrap_or("-".to_owned()),
            task.target().to_owned(),
            status,
            seconds.map_or("-".to_owned(), show_duration),
            result.map(|result| remark(result)).unwrap_or_default(),
        ]
    });
    writeln!(out)?;
    print_table(
        &["TASK", "PHASE", "COMPONENT", "STATUS", ">TOOK", "MESSAGE"],
        rows,
        out,
    )
}

fn remark(result: &TaskResult) -> String {
    let parts = [&result.code, &result.message];
    let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(": ")
}
