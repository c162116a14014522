//! `jobs list`.

use super::{Output, id_of};
use crate::cli::print::{print_json, print_table, show_duration, show_time};
use chrono::DateTime;
use orchestrator_client::{Job, Status};
use std::io::Write;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ListArgs {
    /// The orchestration
    #[arg(value_name = "ID|NAME")]
    which: String,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only those of this status; repeatable
    #[arg(long = "status", value_name = "STATUS", value_parser = status)]
    statuses: Vec<Status>,
    #[command(flatten)]
    output: Output,
}

fn status(text: &str) -> Result<Status, String> {
    match Status::from(text.to_owned()) {
        Status::Other(_) => Err(
            "must be waiting, processing, success, warning, error, cancelled or terminated"
                .to_owned(),
        ),
        status => Ok(status),
    }
}

pub(super) async fn list(args: ListArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let client = args.output.server.client()?;
    let id = id_of(&client, &args.which).await?;
    let page = u32::try_from(args.limit).unwrap_or(u32::MAX);
    let mut pages = client.jobs(id).of_size(page);
    let mut jobs: Vec<Job> = Vec::new();
    while jobs.len() < args.limit {
        let Some(job) = pages.next().await? else {
            break;
        };
        if args.statuses.is_empty() || args.statuses.contains(&job.status) {
            jobs.push(job);
        }
    }
    if args.output.json {
        return print_json(&jobs, out);
    }
    let headings = [
        ">ID",
        "STATUS",
        "MADE BY",
        "MADE (UTC)",
        "BEGAN (UTC)",
        "TOOK",
    ];
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.status.to_string(),
            job.initialized_by.clone(),
            show_time(Some(&job.created_time)),
            show_time(job.start_time.as_deref()),
            took(job.start_time.as_deref(), job.end_time.as_deref()),
        ]
    });
    print_table(&headings, rows, out)?;
    let total = pages.total().unwrap_or_default();
    if args.statuses.is_empty() && total > jobs.len() as u64 {
        eprintln!("{} of {total}; --limit shows more", jobs.len());
    }
    Ok(())
}

/// From the one time to the other.
pub(super) fn took(start: Option<&str>, end: Option<&str>) -> String {
    let time = |text: Option<&str>| DateTime::parse_from_rfc3339(text?).ok();
    let seconds = time(start).and_then(|start| Some((time(end)? - start).num_seconds()));
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or("-".to_owned(), show_duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_took_is_said_once_it_has_ended() {
        let start = Some("2026-11-24T17:06:36+00:00");
        assert_eq!(took(start, Some("2026-11-24T18:07:00+01:00")), "24 s");
        assert_eq!(took(start, None), "-");
    }
}
