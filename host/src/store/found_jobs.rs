//! The jobs of a project that match what somebody looks for, over all orchestrations, newest first.
//!
//! A filter may match next to nothing of a long history. So a page looks at a bounded number of jobs and then says where
//! to go on, whether it is full or not: what it costs does not depend on how long the history is. Times are bounds of
//! the walk itself, and what ended badly has an index of its own.

use super::dialect::Dialect;
use super::job_rows::{JOB_COLUMNS, job_column};
use super::rows::{Columns, Query, to_json};
use super::{Result, Store};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId};
use crate::domain::job::{Initiator, Job, Status};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::collections::HashMap;
use std::time::Duration;

/// Most jobs that one page looks at.
const MOST_LOOKED_AT: i64 = 5_000;
/// As the index `jobs_by_failure` has it, word for word.
const FAILURES: &str = "status IN ('warning', 'error', 'cancelled', 'terminated')";

/// What is looked for; with nothing set, all jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobSearch {
    /// Any of these; empty: all.
    pub statuses: Vec<Status>,
    pub initiator: Option<Initiator>,
    pub orchestration: Option<OrchestrationId>,
    /// Created then or later.
    pub since: Option<Timestamp>,
    /// Created then or earlier.
    pub until: Option<Timestamp>,
    /// Ran, or has run so far, at least this long; one that has not started does not count.
    pub at_least: Option<Duration>,
    /// No longer than this.
    pub at_most: Option<Duration>,
}

/// A job without its task runs, and what they come to.
#[derive(Clone, Debug)]
pub struct FoundJob {
    pub job: Job,
    /// Also of an orchestration that was deleted.
    pub orchestration_name: String,
    pub ended_tasks: u64,
    /// Of those, in `warning` or `error`.
    pub failed_tasks: u64,
}

/// A page of them.
#[derive(Clone, Debug)]
pub struct FoundJobs {
    pub jobs: Vec<FoundJob>,
    /// Where to go on: there may be more before this job.
    pub next: Option<JobId>,
}

/// Where a walk goes on: everything before this is still to be looked at.
#[derive(Clone, Copy)]
struct Place {
    created_at: i64,
    id: i64,
}

/// The numbers that a statement binds, in their order.
#[derive(Clone, Default)]
struct Bound(Vec<i64>);

impl Bound {
    /// Binds one more; returns how the statement calls it.
    fn put(&mut self, value: i64) -> String {
        self.0.push(value);
        format!("${}", self.0.len())
    }

    fn query(self, sql: String) -> Query {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        self.0.into_iter().fold(query, Query::bind)
    }
}

impl Store {
    /// At most `limit` jobs that match, of those before `before`. A job that the project does not have has nothing before
    /// it. Jobs that run are measured by `now`.
    pub async fn find_jobs(
        &self,
        project: ProjectId,
        search: &JobSearch,
        before: Option<JobId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<FoundJobs> {
        let mut place = None;
        if let Some(before) = before {
            place = self.place_of(project, before).await?;
            if place.is_none() {
                let (jobs, next) = (Vec::new(), None);
                return Ok(FoundJobs { jobs, next });
            }
        }
        let Statement { sql, bound, looked } =
            search.statement(self.dialect, project, place, limit, now);
        let rows = bound.query(sql).fetch_all(&self.read).await?;
        let mut jobs = self.with_progress(&rows).await?;
        let next = if jobs.len() > limit as usize {
            jobs.truncate(limit as usize);
            jobs.last().map(|last| last.job.id)
        } else {
            match looked {
                Some(looked) => self.last_looked_at(looked).await?,
                None => None,
            }
        };
        Ok(FoundJobs { jobs, next })
    }

    /// How the database goes about it. For tests.
    #[doc(hidden)]
    pub async fn explain_find_jobs(
        &self,
        project: ProjectId,
        search: &JobSearch,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let Statement { sql, bound, .. } = search.statement(self.dialect, project, None, 20, now);
        self.plan(bound.query(self.explained(&sql))).await
    }

    async fn last_looked_at(&self, last: Last) -> Result<Option<JobId>> {
        let row = last
            .bound
            .query(last.sql)
            .fetch_optional(&self.read)
            .await?;
        let id = row.map(|row| Columns::of(&row, "jobs").int("id"));
        Ok(id.transpose()?.map(JobId))
    }

    async fn place_of(&self, project: ProjectId, job: JobId) -> Result<Option<Place>> {
        let row = sqlx::query("SELECT created_at FROM jobs WHERE id = $1 AND project_id = $2")
            .bind(job.0)
            .bind(project.0)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            Ok(Place {
                created_at: Columns::of(&row, "jobs").int("created_at")?,
                id: job.0,
            })
        })
        .transpose()
    }

    async fn with_progress(&self, rows: &[AnyRow]) -> Result<Vec<FoundJob>> {
        let mut found = Vec::with_capacity(rows.len());
        for (job, row) in self.read_jobs(rows).await?.into_iter().zip(rows) {
            found.push(FoundJob {
                job,
                orchestration_name: Columns::of(row, "jobs").text("orchestration_name")?,
                ended_tasks: 0,
                failed_tasks: 0,
            });
        }
        let started = found.iter().filter(|one| one.job.start_at.is_some());
        let started: Vec<_> = started.map(|one| [one.job.id.0]).collect();
        if started.is_empty() {
            return Ok(found);
        }
        let rows = self.dialect.rows("$1", &["of_job"], &[]);
        let sql = format!(
            "SELECT job_id, COUNT(end_at) AS ended, COUNT(CASE WHEN status IN ('warning', 'error') THEN 1 END) AS failed \
             FROM {rows} d JOIN task_runs ON job_id = d.of_job GROUP BY job_id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(to_json("task_runs", &started)?)
            .fetch_all(&self.read)
            .await?;
        let mut counts = HashMap::new();
        for row in &rows {
            let columns = Columns::of(row, "task_runs");
            let count = (columns.count("ended")?, columns.count("failed")?);
            counts.insert(columns.int("job_id")?, count);
        }
        for one in &mut found {
            let count = counts.get(&one.job.id.0).copied();
            (one.ended_tasks, one.failed_tasks) = count.unwrap_or_default();
        }
        Ok(found)
    }
}

/// A page, as it is asked for.
struct Statement {
    sql: String,
    bound: Bound,
    /// Of a page that does not look at everything.
    looked: Option<Last>,
}

/// The last one of the jobs that a page looks at; none where there are fewer.
struct Last {
    sql: String,
    bound: Bound,
}

impl JobSearch {
    fn statement(
        &self,
        dialect: Dialect,
        project: ProjectId,
        before: Option<Place>,
        limit: u32,
        now: Timestamp,
    ) -> Statement {
        let order = self.order();
        let mut bound = Bound::default();
        let walk = self.walk(project, before, &mut bound);
        let mut walked = bound.clone();
        let filters = self.filters(now, &mut bound);
        // One more than wanted shows whether there are more.
        let wanted = i64::from(limit) + 1;
        let (looked_at, condition, looked) = if filters.is_empty() {
            (wanted, "true".to_owned(), None)
        } else {
            let passed = walked.put(MOST_LOOKED_AT - 1);
            let last = Last {
                sql: format!(
                    "SELECT id FROM jobs WHERE {walk} ORDER BY {order} LIMIT 1 OFFSET {passed}"
                ),
                bound: walked,
            };
            (MOST_LOOKED_AT, filters.join(" AND "), Some(last))
        };
        let sql = format!(
            "SELECT {}, (SELECT o.name FROM orchestrations o WHERE o.id = orchestration_id) AS orchestration_name \
             FROM (SELECT {} FROM jobs WHERE {walk} ORDER BY {order} LIMIT {}) looked_at \
             WHERE {condition} ORDER BY {order} LIMIT {}",
            job_column(dialect, "looked_at"),
            JOB_COLUMNS.join(", "),
            bound.put(looked_at),
            bound.put(wanted),
        );
        Statement { sql, bound, looked }
    }

    /// Which jobs are looked at, as an index answers it.
    fn walk(&self, project: ProjectId, before: Option<Place>, bound: &mut Bound) -> String {
        let project = bound.put(project.0);
        let since = bound.put(self.since.map_or(i64::MIN, |time| time.0));
        let until = self.until.map_or(i64::MAX, |time| time.0);
        if let Some(orchestration) = self.orchestration {
            // As a range of both: by the id alone, the walk would be one through all jobs. No index answers what has a plus.
            return format!(
                "+project_id = {project} AND +created_at >= {since} AND orchestration_id >= {} \
                 AND (orchestration_id, id) < ({}, {}) AND +created_at <= {}",
                bound.put(orchestration.0),
                bound.put(orchestration.0),
                bound.put(before.map_or(i64::MAX, |place| place.id)),
                bound.put(until),
            );
        }
        let place = before.filter(|place| place.created_at <= until);
        let (created_at, id) =
            place.map_or((until, i64::MAX), |place| (place.created_at, place.id));
        let failures = if self.wants_failures() {
            format!(" AND {FAILURES}")
        } else {
            String::new()
        };
        format!(
            "project_id = {project} AND created_at >= {since} AND (created_at, id) < ({}, {}){failures}",
            bound.put(created_at),
            bound.put(id),
        )
    }

    fn order(&self) -> &'static str {
        match self.orchestration {
            // As its index has them.
            Some(_) => "orchestration_id DESC, id DESC",
            None => "created_at DESC, id DESC",
        }
    }

    /// What is asked of each job that is looked at.
    fn filters(&self, now: Timestamp, bound: &mut Bound) -> Vec<String> {
        let mut all = Vec::new();
        if !self.statuses.is_empty() {
            let names: Vec<_> = self.statuses.iter().map(|one| one.as_str()).collect();
            all.push(format!("status IN ('{}')", names.join("', '")));
        }
        if let Some(initiator) = self.initiator {
            all.push(format!("initialized_by = '{}'", initiator.as_str()));
        }
        for (bound_is, time) in [(">=", self.at_least), ("<=", self.at_most)] {
            if let Some(time) = time {
                let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
                let (now, micros) = (bound.put(now.0), bound.put(micros));
                all.push(format!(
                    "COALESCE(end_at, {now}) - start_at {bound_is} {micros}"
                ));
            }
        }
        all
    }

    fn wants_failures(&self) -> bool {
        let is_failure = |one: &Status| one.is_finished() && *one != Status::Success;
        !self.statuses.is_empty() && self.statuses.iter().all(is_failure)
    }
}
