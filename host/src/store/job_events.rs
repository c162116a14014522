//! What happens to jobs: written in the transaction that makes it true, read in one order, kept for a while.
//!
//! A transaction gathers its [`News`] and writes them by one statement at its end. Readers name a place and get what comes
//! after it; what they may read is settled, that is, nothing is ever added before it. On PostgreSQL that is what was
//! written by transactions before the oldest that still runs. There a database may be moved, by dump and restore, to a
//! server that counts its transactions anew: [`settle_moved`] brings what came along to the front.

use super::dialect::Dialect;
use super::rows::{Columns, storable, to_json};
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId};
use crate::domain::job::Status;
use crate::domain::job_event::{Cursor, EVENT_LIFE, EventKind, Heard, JobEvent, LogLine, Share};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;

/// Most events that are removed at once.
const BATCH: i64 = 5_000;
/// How far back the newest events of some kinds are looked for among all.
const MOST_LOOKED_AT: i64 = 5_000;

/// Whose events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsOf {
    Project(ProjectId),
    Job(ProjectId, JobId),
}

impl EventsOf {
    fn project(self) -> ProjectId {
        match self {
            Self::Project(project) | Self::Job(project, _) => project,
        }
    }

    /// With the project as `$1` and the job as `$2`.
    fn condition(self) -> &'static str {
        match self {
            // The job is not asked for; PostgreSQL has to know the type of what it is given all the same.
            Self::Project(_) => "e.project_id = $1 AND $2 = CAST(0 AS BIGINT)",
            Self::Job(..) => "e.project_id = $1 AND e.job_id = $2",
        }
    }

    fn job(self) -> i64 {
        match self {
            Self::Project(_) => 0,
            Self::Job(_, job) => job.0,
        }
    }
}

/// A task's run, as its rows name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunOf {
    pub(super) project: ProjectId,
    pub(super) job: JobId,
    /// Which task of the job's revision.
    pub(super) position: i64,
}

/// What has happened in one transaction, in its order.
#[derive(Debug, Default)]
pub(super) struct News(Vec<NewsRow>);

/// Project, job, time, position; kind, label, code, message.
type NewsRow = (
    i64,
    i64,
    i64,
    Option<i64>,
    &'static str,
    &'static str,
    Option<String>,
    Option<String>,
);

impl News {
    /// The job has this status now.
    pub(super) fn job(&mut self, project: ProjectId, job: JobId, status: Status, at: Timestamp) {
        let (kind, label) = (EventKind::Job.as_str(), status.as_str());
        let row = (project.0, job.0, at.0, None, kind, label, None, None);
        self.0.push(row);
    }

    /// The task began, got on or ended.
    pub(super) fn task(
        &mut self,
        run: RunOf,
        status: Status,
        code: Option<&str>,
        message: Option<&str>,
        at: Timestamp,
    ) {
        let (code, message) = (code.map(storable), message.map(storable));
        self.push(run, EventKind::Task, status.as_str(), code, message, at);
    }

    /// What the task's plugin wrote, as far as there is room for it.
    pub(super) fn lines(&mut self, run: RunOf, lines: &[LogLine], share: &mut Share) {
        for line in lines {
            let (level, text) = (line.level.as_str(), line.text.as_str());
            match share.hear(text.len()) {
                Heard::Kept => {
                    self.push(
                        run,
                        EventKind::Log,
                        level,
                        None,
                        Some(storable(text)),
                        line.at,
                    );
                }
                Heard::Cut => self.cut(run, share, line.at),
                Heard::Dropped => {}
            }
        }
    }

    /// From here on the task's lines are not kept.
    pub(super) fn cut(&mut self, run: RunOf, share: &Share, at: Timestamp) {
        self.push(run, EventKind::Limit, "", None, Some(share.explain()), at);
    }

    fn push(
        &mut self,
        run: RunOf,
        kind: EventKind,
        label: &'static str,
        code: Option<String>,
        message: Option<String>,
        at: Timestamp,
    ) {
        let position = Some(run.position);
        let (project, job) = (run.project.0, run.job.0);
        let kind = kind.as_str();
        self.0
            .push((project, job, at.0, position, kind, label, code, message));
    }

    /// Writes them, by one statement.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows = Dialect::of(tx).rows(
            "$1",
            &["project_id", "job_id", "happened_at", "position"],
            &["kind", "label", "code", "message"],
        );
        let sql = format!(
            "INSERT INTO job_events (project_id, job_id, happened_at, position, kind, label, code, message) \
             SELECT project_id, job_id, happened_at, position, kind, label, code, message FROM {rows} e"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to_json("job_events", &self.0)?)
            .execute(tx)
            .await?;
        Ok(())
    }
}

impl Store {
    /// Events after a place, in their order.
    pub async fn list_job_events(
        &self,
        of: EventsOf,
        after: Cursor,
        limit: u32,
    ) -> Result<Vec<JobEvent>> {
        let (condition, settled) = (of.condition(), self.dialect.settled("e"));
        // The jobs are looked up for the page alone.
        let sql = format!(
            "SELECT e.id AS id, e.transaction_id AS transaction_id, e.job_id AS job_id, e.happened_at AS happened_at, \
             e.kind AS kind, e.position AS position, e.label AS label, e.code AS code, e.message AS message, \
             j.orchestration_id AS orchestration_id, j.revision_id AS revision_id FROM (SELECT e.* FROM job_events e \
             WHERE {condition} AND (e.transaction_id, e.id) > ($3, $4){settled} \
             ORDER BY e.transaction_id, e.id LIMIT $5) e JOIN jobs j ON j.id = e.job_id \
             ORDER BY e.transaction_id, e.id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(of.project().0)
            .bind(of.job())
            .bind(after.transaction)
            .bind(after.id)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            events.push(self.read_event(row).await?);
        }
        Ok(events)
    }

    /// The place before the newest `count` events of these kinds; the start where there are fewer. Events of other kinds are
    /// passed over, but for a few thousand at most.
    pub async fn find_last_events(
        &self,
        of: EventsOf,
        kinds: &[EventKind],
        count: u32,
    ) -> Result<Cursor> {
        let (condition, settled) = (of.condition(), self.dialect.settled("e"));
        let kinds: Vec<String> = kinds
            .iter()
            .map(|kind| format!("'{}'", kind.as_str()))
            .collect();
        let newest = format!(
            "SELECT e.transaction_id, e.id, e.kind FROM job_events e WHERE {condition}{settled} \
             ORDER BY e.transaction_id DESC, e.id DESC LIMIT $3"
        );
        let of_kinds = format!(
            "SELECT n.transaction_id AS transaction_id, n.id AS id FROM ({newest}) n WHERE n.kind IN ({}) \
             ORDER BY n.transaction_id DESC, n.id DESC LIMIT 1 OFFSET $4",
            kinds.join(", ")
        );
        let of_all = format!(
            "SELECT n.transaction_id AS transaction_id, n.id AS id FROM ({newest}) n \
             ORDER BY n.transaction_id DESC, n.id DESC LIMIT 1 OFFSET $4"
        );
        let farthest = (of_all, MOST_LOOKED_AT - 1);
        for (sql, offset) in [(of_kinds, i64::from(count)), farthest] {
            let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(of.project().0)
                .bind(of.job())
                .bind(MOST_LOOKED_AT)
                .bind(offset)
                .fetch_optional(&self.read)
                .await?;
            if let Some(row) = row {
                return cursor(&Columns::of(&row, "job_events"));
            }
        }
        Ok(Cursor::START)
    }

    /// The status that a job has ended with, once nothing more will come after that place: what is not settled yet will.
    /// The outer `None`: there is no such job.
    pub async fn find_end_of_events(
        &self,
        project: ProjectId,
        job: JobId,
        after: Cursor,
    ) -> Result<Option<Option<Status>>> {
        let row = sqlx::query(
            "SELECT j.status AS status, (SELECT e.id FROM job_events e WHERE e.job_id = j.id \
             AND (e.transaction_id, e.id) > ($3, $4) LIMIT 1) AS next FROM jobs j \
             WHERE j.id = $2 AND j.project_id = $1",
        )
        .bind(project.0)
        .bind(job.0)
        .bind(after.transaction)
        .bind(after.id)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            let columns = Columns::of(&row, "jobs");
            let status = columns.status("status")?;
            let is_end = status.is_finished() && columns.maybe_int("next")?.is_none();
            Ok(is_end.then_some(status))
        })
        .transpose()
    }

    /// Removes events that are over, at most a batch of them.
    pub async fn forget_job_events(&self, now: Timestamp) -> Result<u64> {
        let life = i64::try_from(EVENT_LIFE.as_micros()).unwrap_or(i64::MAX);
        let end = now.0.saturating_sub(life);
        // Asked without a write, because mostly there is nothing to do.
        let row = sqlx::query("SELECT id, happened_at FROM job_events ORDER BY id LIMIT 1")
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(0) };
        let columns = Columns::of(&row, "job_events");
        let (first, oldest) = (columns.int("id")?, columns.time("happened_at")?);
        if oldest.0 > end {
            return Ok(0);
        }
        self.write(move |tx| {
            Box::pin(async move {
                // Another host may be at it: by turns.
                let lock = Dialect::of(tx).lock_free("e");
                let sql = format!(
                    "DELETE FROM job_events WHERE id IN (SELECT e.id FROM job_events e \
                     WHERE e.id >= $1 AND e.id < $2 AND e.happened_at <= $3{lock})"
                );
                let dropped = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(first)
                    .bind(first.saturating_add(BATCH))
                    .bind(end)
                    .execute(tx)
                    .await?;
                Ok(dropped.rows_affected())
            })
        })
        .await
    }

    async fn read_event(&self, row: &AnyRow) -> Result<JobEvent> {
        let columns = Columns::of(row, "job_events");
        let kind = columns.text("kind")?;
        let revision = RevisionId(columns.int("revision_id")?);
        let task = match columns.maybe_int("position")? {
            Some(position) => {
                let revision = self.revisions.read(&self.read, revision).await?;
                let position = usize::try_from(position).unwrap_or(usize::MAX);
                revision.tasks.get(position).cloned()
            }
            None => None,
        };
        Ok(JobEvent {
            cursor: cursor(&columns)?,
            job_id: JobId(columns.int("job_id")?),
            orchestration_id: OrchestrationId(columns.int("orchestration_id")?),
            at: columns.time("happened_at")?,
            kind: EventKind::from_text(&kind)
                .ok_or_else(|| columns.damaged(format!("unknown kind {kind:?}")))?,
            task,
            label: columns.text("label")?,
            code: columns.maybe_text("code")?,
            message: columns.maybe_text("message")?,
        })
    }
}

fn cursor(columns: &Columns<'_>) -> Result<Cursor> {
    Ok(Cursor {
        transaction: columns.int("transaction_id")?,
        id: columns.int("id")?,
    })
}

/// Where the newest event is of a transaction that this server has not come to yet, the database was moved: what it brought
/// along is before all that happens here.
pub(super) async fn settle_moved(tx: &mut Tx) -> Result<()> {
    let Some(next) = Dialect::of(tx).next_transaction() else {
        return Ok(());
    };
    let sql = format!(
        "SELECT id FROM (SELECT id, transaction_id FROM job_events ORDER BY id DESC LIMIT 1) e \
         WHERE e.transaction_id >= {next}"
    );
    let ahead = sqlx::query(sqlx::AssertSqlSafe(sql))
        .fetch_optional(&mut *tx)
        .await?;
    if ahead.is_none() {
        return Ok(());
    }
    let sql = format!("UPDATE job_events SET transaction_id = 0 WHERE transaction_id >= {next}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}
