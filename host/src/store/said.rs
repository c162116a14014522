//! What a step reports beside its end: what it used, and what its plugin said, which becomes events of its job.
//!
//! Of what the tasks of a job say only so much is kept: each has its share, counted in its run's row.

use super::claims::Lease;
use super::job_events::{News, RunOf};
use super::rows::Columns;
use super::runs::StepEnd;
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, ProjectId};
use crate::domain::job::Status;
use crate::domain::job_event::{Heard, LogLine, Share};
use crate::domain::plugin::Usage;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;

/// Beside the end of a step.
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    pub used: Usage,
    /// Since the last time that something was kept of it.
    pub said: Vec<LogLine>,
    /// How many tasks the job has, among which what is kept of all is shared out.
    pub tasks: usize,
    /// What the task waits for is not what it waited for before.
    pub is_progress: bool,
}

impl From<Usage> for StepReport {
    fn from(used: Usage) -> Self {
        Self {
            used,
            ..Self::default()
        }
    }
}

/// A run whose row counts what was said.
pub(super) struct Speaker {
    pub(super) run: RunOf,
    share: Share,
}

impl StepReport {
    /// Lines of it, and their bytes, that the run's row is to count.
    pub(super) fn weight(&self, end: &StepEnd) -> (i64, i64) {
        let progress = self.progress(end).map(str::len);
        let sizes = self.said.iter().map(|line| line.text.len());
        weight(sizes.chain(progress))
    }

    /// What there is to tell of a step that ended like this.
    pub(super) fn tell(
        &self,
        end: &StepEnd,
        speaker: &mut Speaker,
        now: Timestamp,
        news: &mut News,
    ) {
        let run = speaker.run;
        news.lines(run, &self.said, &mut speaker.share);
        if let Some(text) = self.progress(end) {
            match speaker.share.hear(text.len()) {
                Heard::Kept => news.task(run, Status::Processing, None, Some(text), now),
                Heard::Cut => news.cut(run, &speaker.share, now),
                Heard::Dropped => {}
            }
        }
        if let StepEnd::Done {
            status,
            error_code,
            message,
            ..
        } = end
        {
            let (code, message) = (error_code.as_deref(), message.as_deref());
            news.task(run, *status, code, message, now);
        }
    }

    fn progress<'a>(&self, end: &'a StepEnd) -> Option<&'a str> {
        match end {
            StepEnd::Wait { message, .. } if self.is_progress => message.as_deref(),
            _ => None,
        }
    }
}

/// How many, and how much in all.
fn weight(sizes: impl Iterator<Item = usize>) -> (i64, i64) {
    sizes.fold((0, 0), |(lines, bytes): (i64, i64), size| {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        (lines.saturating_add(1), bytes.saturating_add(size))
    })
}

impl Speaker {
    /// From a row that has already counted this much.
    pub(super) fn read(row: &AnyRow, tasks: usize, (lines, bytes): (i64, i64)) -> Result<Self> {
        let columns = Columns::of(row, "task_runs");
        let before = |name, counted: i64| {
            let all = columns.int(name)?;
            Ok::<_, super::StoreError>(u64::try_from(all.saturating_sub(counted)).unwrap_or(0))
        };
        Ok(Self {
            run: RunOf {
                project: ProjectId(columns.int("project_id")?),
                job: JobId(columns.int("job_id")?),
                position: columns.int("position")?,
            },
            share: Share::of(
                tasks,
                before("said_lines", lines)?,
                before("said_bytes", bytes)?,
            ),
        })
    }
}

impl Store {
    /// Keeps what a step has said until now, for those who watch it. `false`: the lease is lost.
    pub async fn keep_lines(
        &self,
        lease: Lease,
        lines: Vec<LogLine>,
        tasks: usize,
    ) -> Result<bool> {
        self.write(move |tx| Box::pin(async move { keep_lines(tx, lease, &lines, tasks).await }))
            .await
    }
}

async fn keep_lines(tx: &mut Tx, lease: Lease, lines: &[LogLine], tasks: usize) -> Result<bool> {
    let weight = weight(lines.iter().map(|line| line.text.len()));
    let row = sqlx::query(
        "UPDATE task_runs SET said_lines = said_lines + $4, said_bytes = said_bytes + $5 \
         WHERE id = $1 AND host_id = $2 AND epoch = $3 \
         RETURNING project_id, job_id, position, said_lines, said_bytes",
    )
    .bind(lease.run.0)
    .bind(lease.host.0)
    .bind(lease.epoch)
    .bind(weight.0)
    .bind(weight.1)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let mut speaker = Speaker::read(&row, tasks, weight)?;
    let mut news = News::default();
    news.lines(speaker.run, lines, &mut speaker.share);
    news.write(tx).await?;
    Ok(true)
}
