//! What follows from the end of tasks: the next phase of their jobs, or the end of these, for many jobs at once.
//!
//! The jobs' orchestrations are locked, so that the end of a phase is seen once, and queues have one ready job.

use super::claims::LeasedStep;
use super::dialect::Dialect;
use super::job_events::News;
use super::job_rows::job_column;
use super::jobs::advance_queues;
use super::new_runs::{NewRuns, insert_runs};
use super::promises::promise_notifications;
use super::rows::{Columns, to_json};
use super::runs::Accepted;
use super::tokens::drop_unused_token;
use super::{Result, Store, Tx};
use crate::domain::ids::{HostId, JobId};
use crate::domain::job::{Job, Status, TaskEnd, outcome, stops_job};
use crate::domain::phases::{end_of, next_active};
use crate::domain::time::Timestamp;
use crate::metrics::JobEnd;
use std::collections::{BTreeMap, HashMap};

/// The end of a task, which may be its phase's.
pub(super) struct PhaseEnd {
    pub(super) now: Timestamp,
    /// The host that takes the job's next task.
    pub(super) taker: Option<HostId>,
}

/// What became of a job.
pub(super) struct Advance {
    pub(super) accepted: Accepted,
    pub(super) leased: Option<Box<LeasedStep>>,
    pub(super) ended: Option<JobEnd>,
}

/// A job that is over.
pub(super) struct Finished {
    pub(super) job: Job,
    pub(super) status: Status,
    pub(super) now: Timestamp,
    /// Its live orchestration uses its token.
    pub(super) keeps_token: bool,
}

impl Finished {
    pub(super) fn end(&self) -> JobEnd {
        JobEnd {
            status: self.status,
            ran: self.job.start_at.map(|start| self.now.since(start)),
        }
    }
}

/// A job without a running task.
struct Idle {
    job: Job,
    /// By position.
    ends: Vec<(usize, Status)>,
    now: Timestamp,
    keeps_token: bool,
    is_open: bool,
}

/// Where a phase is over, begins the next one or ends the job. Jobs whose phase goes on are left out.
pub(super) async fn advance_jobs(
    store: &Store,
    tx: &mut Tx,
    ends: BTreeMap<JobId, PhaseEnd>,
    news: &mut News,
) -> Result<HashMap<JobId, Advance>> {
    let mut advanced = HashMap::new();
    if ends.is_empty() {
        return Ok(advanced);
    }
    let mut finished = Vec::new();
    let mut going_on = Vec::new();
    for (id, mut idle) in find_idle(store, tx, &ends).await? {
        let tasks = idle.job.tasks();
        let (mut task_ends, mut last) = (Vec::with_capacity(idle.ends.len()), 0);
        for (position, status) in &idle.ends {
            last = *position;
            task_ends.push(TaskEnd {
                status: *status,
                continue_on_failure: tasks.get(last).is_some_and(|task| task.continue_on_failure),
            });
        }
        let next = if stops_job(&task_ends) {
            Vec::new()
        } else {
            next_active(&tasks, end_of(&tasks, last))
        };
        let end = ends.get(&id);
        let now = end.map_or(idle.now, |end| end.now.max(idle.now));
        let ends_job = next.is_empty();
        drop(tasks);
        let (mut has_more, mut ended) = (true, None);
        if ends_job {
            idle.now = now;
            let over = Finished {
                status: outcome(&task_ends),
                job: idle.job,
                now,
                keeps_token: idle.keeps_token,
            };
            ended = Some(over.end());
            finished.push(over);
        } else {
            let taker = end.and_then(|end| end.taker).filter(|_| idle.is_open);
            has_more = taker.is_none() || next.len() > 1;
            going_on.push(NewRuns {
                job: idle.job,
                positions: next,
                host: taker.unwrap_or(HostId(0)),
                most_leased: usize::from(taker.is_some()),
                now,
            });
        }
        let accepted = Accepted::Yes { has_more, ends_job };
        let advance = Advance {
            accepted,
            leased: None,
            ended,
        };
        advanced.insert(id, advance);
    }
    for step in insert_runs(tx, going_on, news).await? {
        if let Some(advance) = advanced.get_mut(&step.job.id) {
            advance.leased = Some(Box::new(step));
        }
    }
    finish_jobs(tx, finished, news).await?;
    Ok(advanced)
}

/// Those of the jobs of which no task runs, with how their tasks ended.
async fn find_idle(
    store: &Store,
    tx: &mut Tx,
    ends: &BTreeMap<JobId, PhaseEnd>,
) -> Result<BTreeMap<JobId, Idle>> {
    let ids: Vec<_> = ends.keys().map(|id| [id.0]).collect();
    let rows = Dialect::of(tx).rows("$1", &["of_job"], &[]);
    let sql = format!(
        "SELECT {}, (SELECT o.token_id FROM orchestrations o WHERE o.id = jobs.orchestration_id AND +o.deleted_at IS NULL) \
         AS live_token, (SELECT p.disabled_at FROM projects p WHERE p.id = jobs.project_id) AS disabled_at \
         FROM {rows} d JOIN jobs ON jobs.id = d.of_job WHERE \
         (SELECT t.id FROM task_runs t WHERE t.job_id = jobs.id AND t.status = 'processing' LIMIT 1) IS NULL",
        job_column(store.dialect, "jobs")
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &ids)?)
        .fetch_all(&mut *tx)
        .await?;
    let mut idle = BTreeMap::new();
    for (row, job) in found.iter().zip(store.read_jobs_in(tx, &found).await?) {
        let columns = Columns::of(row, "jobs");
        let one = Idle {
            keeps_token: columns.maybe_int("live_token")? == Some(job.token.id.0),
            is_open: columns.maybe_int("disabled_at")?.is_none(),
            ends: Vec::new(),
            now: Timestamp(i64::MIN),
            job,
        };
        idle.insert(one.job.id, one);
    }
    let ids: Vec<_> = idle.keys().map(|id| [id.0]).collect();
    if ids.is_empty() {
        return Ok(idle);
    }
    let rows = Dialect::of(tx).rows("$1", &["of_job"], &[]);
    let sql = format!(
        "SELECT t.job_id AS job_id, t.position AS position, t.status AS status, t.end_at AS end_at \
         FROM {rows} d JOIN task_runs t ON t.job_id = d.of_job ORDER BY t.job_id, t.position"
    );
    let runs = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("task_runs", &ids)?)
        .fetch_all(tx)
        .await?;
    for row in &runs {
        let columns = Columns::of(row, "task_runs");
        if let Some(one) = idle.get_mut(&JobId(columns.int("job_id")?)) {
            // Another host may have ended another task at a later time and yet before this one: a job never ends before a
            // task.
            one.now = columns
                .maybe_time("end_at")?
                .map_or(one.now, |end| end.max(one.now));
            one.ends
                .push((columns.count("position")?, columns.status("status")?));
        }
    }
    Ok(idle)
}

/// Ends running jobs, promises their notifications and lets the next jobs of their orchestrations go.
pub(super) async fn finish_jobs(
    tx: &mut Tx,
    finished: Vec<Finished>,
    news: &mut News,
) -> Result<()> {
    if finished.is_empty() {
        return Ok(());
    }
    for one in &finished {
        news.job(one.job.project_id, one.job.id, one.status, one.now);
    }
    let rows = Dialect::of(tx).rows("$1", &["of_job", "ended"], &["outcome"]);
    let sql = format!(
        "UPDATE jobs SET status = d.outcome, end_at = d.ended, alarm_at = NULL \
         FROM {rows} d WHERE jobs.id = d.of_job AND jobs.status || '' = 'processing'"
    );
    let bound: Vec<_> = finished
        .iter()
        .map(|one| (one.job.id.0, one.now.0, one.status.as_str()))
        .collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &bound)?)
        .execute(&mut *tx)
        .await?;
    for one in &finished {
        promise_notifications(tx, &one.job, one.status, one.now).await?;
    }
    let queues: Vec<_> = finished
        .iter()
        .map(|one| one.job.orchestration_id)
        .collect();
    advance_queues(tx, &queues).await?;
    for one in finished.iter().filter(|one| !one.keeps_token) {
        drop_unused_token(tx, one.job.orchestration_id, one.job.token.id).await?;
    }
    Ok(())
}
