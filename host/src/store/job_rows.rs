//! Jobs and their task runs as they are read: each row is one column, a JSON array of its values.
//!
//! A list has many rows of many columns, and to hand one over column by column costs more than to find it. As one text a
//! row costs the database and us a fraction of that, and a job can bring its runs along in the same row.

use super::dialect::Dialect;
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TaskRunId, TokenId};
use crate::domain::job::{Initiator, InitiatorToken, Job, Status, TaskRun};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::plugin::Usage;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use serde::Deserialize;
use sqlx::any::AnyRow;
use std::sync::Arc;

/// The columns that a [`JobRow`] has, in its order.
pub(super) const JOB_COLUMNS: [&str; 18] = [
    "id",
    "project_id",
    "orchestration_id",
    "revision_id",
    "status",
    "initialized_by",
    "created_at",
    "start_at",
    "end_at",
    "token_id",
    "token_description",
    "initiator_id",
    "initiator_description",
    "initiator_user_agent",
    "notifications_emails",
    "active_tasks",
    "parent_run_id",
    "traceparent",
];

/// A row of `jobs`.
#[derive(Deserialize)]
pub(super) struct JobRow {
    id: i64,
    project_id: i64,
    orchestration_id: i64,
    revision_id: i64,
    status: Status,
    initialized_by: Initiator,
    created_at: i64,
    start_at: Option<i64>,
    end_at: Option<i64>,
    token_id: i64,
    token_description: String,
    initiator_id: Option<i64>,
    initiator_description: Option<String>,
    initiator_user_agent: Option<String>,
    /// JSON text, as the next one.
    notifications_emails: Option<String>,
    active_tasks: Option<String>,
    parent_run_id: Option<String>,
    traceparent: Option<String>,
}

/// The columns that a [`RunRow`] has, in its order.
const RUN_COLUMNS: &str = "t.id, t.position, t.status, t.start_at, t.end_at, t.response, t.error_code, t.message, \
    t.cpu_micros, t.sent_bytes, t.received_bytes";

/// A row of `task_runs`.
#[derive(Deserialize)]
struct RunRow {
    id: i64,
    position: usize,
    status: Status,
    start_at: i64,
    end_at: Option<i64>,
    /// JSON text.
    response: Option<String>,
    error_code: Option<String>,
    message: Option<String>,
    cpu_micros: u64,
    sent_bytes: u64,
    received_bytes: u64,
}

/// Selects a job as the column `job`, of the table or alias `of`.
pub(super) fn job_column(dialect: Dialect, of: &str) -> String {
    let job = dialect.json_array(&JOB_COLUMNS.map(|name| format!("{of}.{name}")).join(", "));
    format!("{} AS job", dialect.json_text(&job))
}

/// Selects the task runs of a job as the column `runs`, of the table or alias `of`.
pub(super) fn runs_column(dialect: Dialect, of: &str) -> String {
    let run = dialect.json_array(RUN_COLUMNS);
    let runs = dialect.json_of_all(&run);
    let runs = dialect.json_text(&runs);
    format!("(SELECT {runs} FROM task_runs t WHERE t.job_id = {of}.id) AS runs")
}

impl JobRow {
    /// What [`job_column`] selected.
    pub(super) fn of(row: &AnyRow) -> Result<Self> {
        Columns::of(row, "jobs").json("job")
    }

    pub(super) fn revision_id(&self) -> RevisionId {
        RevisionId(self.revision_id)
    }

    /// Without task runs. `row` is where it was read.
    pub(super) fn into_job(self, row: &AnyRow, revision: Arc<Revision>) -> Result<Job> {
        let columns = Columns::of(row, "jobs");
        let initiator = self.initiator_id.zip(self.initiator_description);
        let emails = self.notifications_emails.as_deref();
        let emails = emails.map(|text| columns.parsed("notifications_emails", text));
        let tasks = self.active_tasks.as_deref();
        let tasks = tasks.map(|text| columns.parsed("active_tasks", text));
        Ok(Job {
            id: JobId(self.id),
            project_id: ProjectId(self.project_id),
            orchestration_id: OrchestrationId(self.orchestration_id),
            revision,
            status: self.status,
            initialized_by: self.initialized_by,
            created_at: Timestamp(self.created_at),
            start_at: self.start_at.map(Timestamp),
            end_at: self.end_at.map(Timestamp),
            token: TokenReference {
                id: TokenId(self.token_id),
                description: self.token_description,
            },
            initiator: initiator.map(|(id, description)| InitiatorToken {
                id: TokenId(id),
                description,
                user_agent: self.initiator_user_agent,
            }),
            notifications_emails: emails.transpose()?.unwrap_or_default(),
            active_tasks: tasks.transpose()?,
            parent_run_id: self.parent_run_id,
            trace: self.traceparent.as_deref().and_then(TraceContext::parse),
            task_runs: Vec::new(),
        })
    }
}

/// What [`runs_column`] selected, by position.
fn read_runs(row: &AnyRow) -> Result<Vec<TaskRun>> {
    let columns = Columns::of(row, "task_runs");
    let rows: Option<Vec<RunRow>> = columns.maybe_json("runs")?;
    let mut runs = Vec::with_capacity(rows.as_ref().map_or(0, Vec::len));
    for row in rows.unwrap_or_default() {
        let response = row.response.as_deref();
        let response = response.map(|text| columns.parsed("response", text));
        runs.push(TaskRun {
            id: TaskRunId(row.id),
            position: row.position,
            status: row.status,
            start_at: Timestamp(row.start_at),
            end_at: row.end_at.map(Timestamp),
            response: response.transpose()?,
            error_code: row.error_code,
            message: row.message,
            usage: Usage {
                cpu_micros: row.cpu_micros,
                sent_bytes: row.sent_bytes,
                received_bytes: row.received_bytes,
            },
        });
    }
    runs.sort_by_key(|run| run.position);
    Ok(runs)
}

impl Store {
    /// Jobs from rows with [`job_column`], in the same order, without their task runs.
    pub(super) async fn read_jobs(&self, rows: &[AnyRow]) -> Result<Vec<Job>> {
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let job = JobRow::of(row)?;
            let revision = self.revisions.read(&self.read, job.revision_id()).await?;
            jobs.push(job.into_job(row, revision)?);
        }
        Ok(jobs)
    }

    /// The same from rows with [`runs_column`] as well, with their task runs.
    pub(super) async fn read_jobs_with_runs(&self, rows: &[AnyRow]) -> Result<Vec<Job>> {
        let mut jobs = self.read_jobs(rows).await?;
        for (job, row) in jobs.iter_mut().zip(rows) {
            job.task_runs = read_runs(row)?;
        }
        Ok(jobs)
    }

    /// As [`Store::read_jobs`], in a transaction.
    pub(super) async fn read_jobs_in(&self, tx: &mut Tx, rows: &[AnyRow]) -> Result<Vec<Job>> {
        let jobs = rows.iter().map(JobRow::of).collect::<Result<Vec<_>>>()?;
        let ids = jobs.iter().map(JobRow::revision_id).collect();
        let revisions = self.revisions.read_all_in(&self.read, tx, ids).await?;
        let jobs = jobs.into_iter().zip(rows).map(|(job, row)| {
            let revision = revisions.get(&job.revision_id());
            let missing = || Columns::of(row, "jobs").damaged("its revision is missing");
            job.into_job(row, Arc::clone(revision.ok_or_else(missing)?))
        });
        jobs.collect()
    }
}
