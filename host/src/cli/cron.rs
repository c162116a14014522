//! `orchestrator cron next`: shows when a crontab expression fires.
//!
//! For a user who wants to be sure before an orchestration is created: same parser, same engine,
//! nothing is stored and no server is asked. Output goes to the writers that are handed in, the
//! time too, so that a test reads what a terminal would show.

use std::io::{self, Write};
use std::process::ExitCode;

use chrono::{DateTime, Utc};

use crate::domain::crontab::{Crontab, CrontabError, MAX_CHARACTERS};

/// What clap itself ends with when arguments are wrong.
const EXIT_BAD_ARGUMENT: u8 = 2;

/// Explain crontab expressions
#[derive(Clone, Debug, clap::Args)]
pub struct CronArgs {
    #[command(subcommand)]
    command: CronCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum CronCommand {
    /// Print the next times of an expression, in UTC
    Next(NextArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct NextArgs {
    /// The expression, quoted: five fields, or a name such as @daily
    // A leading hyphen is the expression's fault and is reported as such, with its position.
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    expression: String,
    /// Print times strictly after this one, such as 2026-01-01T00:00:00Z, instead of now
    #[arg(long, value_name = "RFC 3339", value_parser = rfc3339)]
    from: Option<DateTime<Utc>>,
    /// How many times to print
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// Print one JSON array instead of lines
    #[arg(long)]
    json: bool,
}

fn rfc3339(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|error| format!("not a time like 2026-01-01T00:00:00Z ({error})"))
}

/// Runs the subcommand; `now` is where times start unless `--from` says otherwise.
pub fn run(
    args: CronArgs,
    now: DateTime<Utc>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitCode> {
    let CronCommand::Next(args) = args.command;
    let crontab = match Crontab::parse(&args.expression) {
        Ok(crontab) => crontab,
        Err(fault) => {
            point_at(&args.expression, &fault, err)?;
            return Ok(ExitCode::from(EXIT_BAD_ARGUMENT));
        }
    };
    let count = usize::from(args.count);
    let times: Vec<String> = crontab
        .upcoming(args.from.unwrap_or(now))
        .take(count)
        .map(|time| time.to_rfc3339())
        .collect();
    if args.json {
        serde_json::to_writer(&mut *out, &times)?;
        writeln!(out)?;
    } else {
        for time in &times {
            writeln!(out, "{time}")?;
        }
    }
    out.flush()?;
    if times.len() < count {
        writeln!(err, "schedules are computed to the end of the year 2100")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the expression on one line, a caret under the fault, and the fault.
fn point_at(expression: &str, fault: &CrontabError, err: &mut dyn Write) -> io::Result<()> {
    // One column per character, so that the caret stands right: an expression may hold line
    // breaks, tabs, or characters that act on the terminal. Of an overlong one the head is enough.
    let line: String = expression
        .chars()
        .take(MAX_CHARACTERS + 1)
        .map(|character| {
            if character.is_whitespace() {
                ' '
            } else if character.is_ascii_graphic() || character.escape_debug().len() == 1 {
                character
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect();
    let indent = " ".repeat(fault.position.saturating_sub(1));
    writeln!(err, "{line}\n{indent}^\n{fault}")
}
