//! What waits in the database, for whoever watches: one query, whose cost has a bound.
//!
//! Every part reads an index of what is open, and no more than [`MOST_COUNTED`] entries of it: neither what is over nor how
//! much there is makes it slow. It counts over all projects and tells of none.

use super::rows::Columns;
use super::{Result, Store};
use crate::domain::time::Timestamp;
use crate::metrics::{Backlog, MOST_COUNTED, PoolUse};
use std::time::Duration;

/// `$1` is now, `$2` the bound.
const SQL: &str = "WITH \
    waiting AS (SELECT COUNT(*) AS found, MIN(id) AS oldest FROM (SELECT id FROM jobs WHERE status = 'waiting' \
        ORDER BY orchestration_id, id LIMIT $2) w), \
    ready AS (SELECT COUNT(*) AS found, MIN(id) AS oldest FROM (SELECT id FROM jobs WHERE is_ready = 1 \
        ORDER BY project_id, id LIMIT $2) r), \
    running AS (SELECT COUNT(*) AS found FROM (SELECT id FROM jobs WHERE status = 'processing' \
        ORDER BY orchestration_id LIMIT $2) p), \
    tasks AS (SELECT COUNT(*) AS found, COALESCE(SUM(CASE WHEN wake_at <= $1 THEN 1 ELSE 0 END), 0) AS due \
        FROM (SELECT wake_at FROM task_runs WHERE wake_at IS NOT NULL ORDER BY project_id, wake_at LIMIT $2) t), \
    schedules AS (SELECT COUNT(*) AS found, MIN(next_scheduled_at) AS oldest FROM (SELECT next_scheduled_at \
        FROM orchestrations WHERE next_scheduled_at <= $1 ORDER BY next_scheduled_at LIMIT $2) s), \
    sent AS (SELECT COUNT(*) AS found, COALESCE(SUM(CASE WHEN next_attempt_at <= $1 THEN 1 ELSE 0 END), 0) AS due, \
        MIN(next_attempt_at) AS oldest FROM (SELECT next_attempt_at FROM deliveries \
        WHERE next_attempt_at IS NOT NULL ORDER BY next_attempt_at LIMIT $2) d) \
    SELECT waiting.found AS jobs_waiting, ready.found AS jobs_ready, running.found AS jobs_processing, \
    tasks.found AS tasks_waiting, tasks.due AS tasks_due, schedules.found AS schedules_due, \
    schedules.oldest AS due_since, sent.found AS deliveries_pending, sent.due AS deliveries_due, \
    sent.oldest AS delivery_due_at, \
    (SELECT created_at FROM jobs WHERE id = waiting.oldest) AS waiting_since, \
    (SELECT created_at FROM jobs WHERE id = ready.oldest) AS ready_since, \
    (SELECT COUNT(*) FROM hosts WHERE lease_until >= $1) AS hosts \
    FROM waiting, ready, running, tasks, schedules, sent";

impl Store {
    /// What waits at `now`, in all projects together.
    pub async fn read_backlog(&self, now: Timestamp) -> Result<Backlog> {
        let row = sqlx::query(SQL)
            .bind(now.0)
            .bind(i64::from(MOST_COUNTED))
            .fetch_one(&self.read)
            .await?;
        let columns = Columns::of(&row, "jobs");
        let age = |name| -> Result<Duration> {
            let since = columns.maybe_time(name)?;
            Ok(since.map_or(Duration::ZERO, |since| now.since(since)))
        };
        Ok(Backlog {
            jobs_waiting: columns.count("jobs_waiting")?,
            jobs_ready: columns.count("jobs_ready")?,
            jobs_processing: columns.count("jobs_processing")?,
            oldest_waiting: age("waiting_since")?,
            oldest_ready: age("ready_since")?,
            tasks_waiting: columns.count("tasks_waiting")?,
            tasks_due: columns.count("tasks_due")?,
            schedules_due: columns.count("schedules_due")?,
            schedule_overdue: age("due_since")?,
            deliveries_pending: columns.count("deliveries_pending")?,
            deliveries_due: columns.count("deliveries_due")?,
            delivery_overdue: age("delivery_due_at")?,
            hosts: columns.count("hosts")?,
        })
    }

    /// Connections that read, connections that write, and writes that wait in the queue.
    #[must_use]
    pub fn connections(&self) -> (PoolUse, PoolUse, usize) {
        let (write, queued) = self.writer.in_use();
        (super::pool_use(&self.read), write, queued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Row;

    #[tokio::test]
    async fn a_look_at_what_waits_reads_indexes_of_what_is_open_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Store::embedded_url(dir.path())).await.unwrap();
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {SQL}")))
            .bind(0_i64)
            .bind(1_i64)
            .fetch_all(&store.read)
            .await
            .unwrap();

        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let tables = ["jobs", "task_runs", "orchestrations", "deliveries"];
        let of_tables: Vec<_> = steps
            .iter()
            .filter(|step| {
                tables
                    .iter()
                    .any(|table| step.split(' ').nth(1) == Some(table))
            })
            .collect();
        assert_eq!(of_tables.len(), 8, "{steps:?}");
        for step in of_tables {
            assert!(step.contains(" USING "), "{step} in {steps:?}");
        }
        assert!(
            !steps.iter().any(|step| step.contains("TEMP B-TREE")),
            "{steps:?}"
        );
    }
}
