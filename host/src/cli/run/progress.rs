//! How far a job is: on a terminal a few lines that are drawn anew, else a line per event.

use crate::cli::jobs::log_line;
use crate::cli::print::{clean, show_duration};
use crate::domain::time::Timestamp;
use orchestrator_client::{Event, Job, Status};
use std::io::{self, IsTerminal, Stderr, Write};

/// Tasks that are shown at once, at most: of more, those that run come first.
const MOST_ROWS: usize = 12;

pub(super) struct Progress {
    err: Stderr,
    is_terminal: bool,
    shows_logs: bool,
    job: i64,
    name: String,
    status: Status,
    since: Timestamp,
    rows: Vec<Row>,
    /// Lines of the last drawing, which the next one takes the place of.
    drawn: usize,
}

struct Row {
    id: String,
    target: String,
    status: Option<Status>,
    /// When its status was seen first.
    since: Timestamp,
    took: Option<u64>,
    message: String,
}

impl Progress {
    pub(super) fn begin(job: &Job, name: &str, shows_logs: bool, now: Timestamp) -> Self {
        let tasks = job.tasks.as_deref().unwrap_or_default();
        let rows = tasks.iter().filter(|task| task.active).map(|task| Row {
            id: task.id.clone().unwrap_or_default(),
            target: clean(task.target()),
            status: None,
            since: now,
            took: None,
            message: String::new(),
        });
        let err = io::stderr();
        Self {
            is_terminal: err.is_terminal(),
            err,
            shows_logs,
            job: job.id,
            name: clean(name),
            status: job.status.clone(),
            since: now,
            rows: rows.collect(),
            drawn: 0,
        }
    }

    pub(super) fn tell(&mut self, event: &Event, now: Timestamp) -> io::Result<()> {
        let is_news = self.note(event, now);
        let is_line = matches!(event.event.as_str(), "log" | "limit");
        let is_shown = if is_line {
            self.shows_logs
        } else {
            is_news && !self.is_terminal
        };
        if is_shown {
            self.wipe()?;
            writeln!(self.err, "{}", log_line(event))?;
        }
        self.draw(now)
    }

    /// `false`: nothing that was not known.
    fn note(&mut self, event: &Event, now: Timestamp) -> bool {
        let Some(status) = &event.status else {
            return false;
        };
        let Some(task) = &event.task else {
            let is_news = self.status != *status;
            self.status = status.clone();
            return is_news;
        };
        let Some(row) = self.rows.iter_mut().find(|row| row.id == task.id) else {
            return true;
        };
        let message = event.message.as_deref().map(clean).unwrap_or_default();
        let is_news = row.status.as_ref() != Some(status) || row.message != message;
        if row.status.as_ref() != Some(status) {
            if row.status.is_some() {
                row.took = Some(now.since(row.since).as_secs());
            }
            row.since = now;
        }
        row.status = Some(status.clone());
        row.message = message;
        is_news
    }

    /// Once more, where there is a terminal.
    pub(super) fn draw(&mut self, now: Timestamp) -> io::Result<()> {
        if !self.is_terminal {
            return Ok(());
        }
        let width = terminal_size::terminal_size_of(&self.err);
        let width = width.map_or(80, |(width, _)| usize::from(width.0));
        let lines = self.lines(now);
        self.wipe()?;
        for line in &lines {
            // A line that wraps would be two, and only one would be wiped. Wide letters count twice.
            let mut room = width.saturating_sub(1);
            let fits = line.chars().take_while(|c| {
                let needed = if c.is_ascii() { 1 } else { 2 };
                let is_room = needed <= room;
                room = room.saturating_sub(needed);
                is_room
            });
            writeln!(self.err, "{}", fits.collect::<String>())?;
        }
        self.drawn = lines.len();
        self.err.flush()
    }

    fn lines(&self, now: Timestamp) -> Vec<String> {
        let count = |is: fn(&Row) -> bool| self.rows.iter().filter(|row| is(row)).count();
        let ended = count(|row| row.status.as_ref().is_some_and(is_end));
        let mut lines = vec![format!(
            "Job {} of {}: {}, {ended} of {} tasks, {}",
            self.job,
            self.name,
            self.status,
            self.rows.len(),
            show_duration(now.since(self.since).as_secs())
        )];
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        if rows.len() > MOST_ROWS {
            // Stable: within each kind the order of the tasks stays.
            rows.sort_by_key(|row| match &row.status {
                Some(status) if !is_end(status) => 0,
                Some(Status::Success) => 3,
                Some(_) => 1,
                None => 2,
            });
        }
        for row in rows.iter().take(MOST_ROWS) {
            let (mark, status) = match &row.status {
                None => ("·", "waiting"),
                Some(Status::Success) => ("✓", "success"),
                Some(status) if is_end(status) => ("✗", status.as_str()),
                Some(status) => ("▸", status.as_str()),
            };
            let time = match (&row.status, row.took) {
                (Some(status), took) if is_end(status) => took.map(show_duration),
                (Some(_), _) => Some(show_duration(now.since(row.since).as_secs())),
                (None, _) => None,
            };
            let time = time.unwrap_or_default();
            let (id, target, message) = (&row.id, &row.target, &row.message);
            let line = format!("  {mark} {id:>3} {target:<24} {status:<10} {time:<12} {message}");
            lines.push(line.trim_end().to_owned());
        }
        if let Some(more) = rows.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
            lines.push(format!("  … {more} more"));
        }
        lines
    }

    /// Takes the last drawing away.
    fn wipe(&mut self) -> io::Result<()> {
        if self.drawn > 0 {
            write!(self.err, "\u{1b}[{}A\r\u{1b}[J", self.drawn)?;
            self.drawn = 0;
        }
        Ok(())
    }

    /// The result is printed in its place.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.wipe()?;
        self.err.flush()
    }
}

fn is_end(status: &Status) -> bool {
    !matches!(status, Status::Waiting | Status::Processing)
}
