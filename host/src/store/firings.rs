//! Firings: due ticks become jobs, many to a transaction.
//!
//! Each statement is for a whole batch, so that ten thousand ticks of one minute cost seconds and not minutes. Who fires
//! locks the orchestrations first and takes only those that nobody has locked: hosts that fire the same minute share it
//! out instead of waiting for each other. That a tick becomes one job is the compare-and-set on `next_scheduled_at`, in
//! the transaction that inserts the job and the ledger's row.

use super::dialect::Dialect;
use super::job_events::News;
use super::quotas::{Accounts, Admission};
use super::rows::{Columns, to_json};
use super::{Result, Store, Tx};
use crate::domain::alarm::{Alarms, JobTimes};
use crate::domain::crontab::Crontab;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId};
use crate::domain::job::Status;
use crate::domain::notification::Notification;
use crate::domain::quota::OverQuota;
use crate::domain::tick::{Firing, TickOutcome};
use crate::domain::time::Timestamp;
use crate::metrics::Metrics;
use sqlx::any::AnyRow;
use std::collections::{BTreeSet, HashMap};

/// One due orchestration and what its schedule asks for.
struct Due {
    id: i64,
    project: ProjectId,
    due_at: i64,
    firing: Firing,
    /// Its project is disabled: the schedule is held before this tick, as in a pause that begins now.
    is_held: bool,
    /// The tick that a quota kept from firing.
    skipped: Option<(Timestamp, OverQuota)>,
    /// When the job that it becomes has waited too long.
    alarm_at: Option<Timestamp>,
}

/// What to do about an orchestration that another transaction has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Locked {
    PassOver,
    Wait,
}

impl Store {
    /// Orchestrations that are due at `now`, in the order in which they are to be fired: the longest overdue of every
    /// project, then the second of every project, and so on. Up to `limit`, the longest overdue ones.
    pub async fn list_due_orchestrations(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OrchestrationId>> {
        let rows = sqlx::query(
            "SELECT id, project_id FROM orchestrations WHERE next_scheduled_at <= $1 \
             ORDER BY next_scheduled_at LIMIT $2",
        )
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            let columns = Columns::of(row, "orchestrations");
            due.push((
                ProjectId(columns.int("project_id")?),
                OrchestrationId(columns.int("id")?),
            ));
        }
        Ok(in_turns(due))
    }

    /// The earliest time at which any orchestration is due.
    pub async fn next_due_time(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT next_scheduled_at FROM orchestrations WHERE next_scheduled_at IS NOT NULL \
             ORDER BY next_scheduled_at LIMIT 1",
        )
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Columns::of(&row, "orchestrations").time("next_scheduled_at"))
            .transpose()
    }

    /// Turns those of these orchestrations that are due into jobs, in one transaction. One that another host has fired, or
    /// is firing, or that is being changed, is passed over. Returns how many were taken in hand.
    pub async fn fire_ticks(&self, ids: Vec<OrchestrationId>, now: Timestamp) -> Result<usize> {
        self.fire(ids, Locked::PassOver, now).await
    }

    /// The same for one orchestration; waits for whoever has it locked.
    pub async fn fire_tick_in_turn(&self, id: OrchestrationId, now: Timestamp) -> Result<usize> {
        // One only: a transaction that held others while it waits could be waited for in turn.
        self.fire(vec![id], Locked::Wait, now).await
    }

    async fn fire(
        &self,
        ids: Vec<OrchestrationId>,
        locked: Locked,
        now: Timestamp,
    ) -> Result<usize> {
        let store = self.clone();
        let firing = self.write(move |tx| {
            Box::pin(async move {
                // Projects before orchestrations: everybody takes locks in this order.
                let projects = list_projects(tx, &ids).await?;
                let mut accounts = Accounts::open(&store, tx, projects, now).await?;
                let mut due = lock_due(tx, &ids, locked, now).await?;
                for one in &mut due {
                    one.ask_for_leave(&mut accounts);
                }
                accounts.close(tx).await?;
                if !due.is_empty() {
                    advance_schedules(tx, &due).await?;
                    let jobs = insert_jobs(tx, &due, now).await?;
                    insert_ticks(tx, &due, &jobs).await?;
                    tell_of_jobs(tx, &due, &jobs, now).await?;
                    record_skips(tx, &due).await?;
                }
                Ok(due)
            })
        });
        let due = firing.await?;
        for one in &due {
            one.count(&self.metrics, now);
        }
        Ok(due.len())
    }
}

/// One of each project, then another one of each, and so on; within a project as they come.
fn in_turns(due: Vec<(ProjectId, OrchestrationId)>) -> Vec<OrchestrationId> {
    let mut turns: HashMap<ProjectId, usize> = HashMap::new();
    let mut ordered: Vec<_> = due
        .into_iter()
        .map(|(project, id)| {
            let turn = turns.entry(project).or_default();
            *turn += 1;
            (*turn, id)
        })
        .collect();
    ordered.sort_by_key(|(turn, _)| *turn);
    ordered.into_iter().map(|(_, id)| id).collect()
}

impl Due {
    /// Fires only if its project is not disabled and has quota left.
    fn ask_for_leave(&mut self, accounts: &mut Accounts) {
        let Some(tick) = self.firing.tick else { return };
        match accounts.admit(self.project) {
            Admission::Fire => return,
            Admission::Hold => {
                self.is_held = true;
                self.firing.missed = None;
                self.firing.next = None;
            }
            Admission::Skip(over) => self.skipped = Some((tick, over)),
        }
        self.firing.tick = None;
    }

    /// What became of its ticks, once that is durable.
    fn count(&self, metrics: &Metrics, now: Timestamp) {
        if let Some(gap) = &self.firing.missed {
            metrics.ticks_settled(TickOutcome::Missed, gap.ticks);
        }
        if let Some(tick) = self.firing.tick {
            metrics.ticks_settled(self.firing.outcome, 1);
            metrics.tick_fired(now.since(tick));
        }
        if self.skipped.is_some() {
            metrics.ticks_settled(TickOutcome::Skipped, 1);
        }
    }
}

/// Whose these are.
async fn list_projects(tx: &mut Tx, ids: &[OrchestrationId]) -> Result<BTreeSet<ProjectId>> {
    let rows = Dialect::of(tx).rows("$1", &["id"], &[]);
    let sql = format!(
        "SELECT DISTINCT o.project_id AS project_id FROM {rows} d JOIN orchestrations o ON o.id = d.id"
    );
    let ids: Vec<[i64; 1]> = ids.iter().map(|id| [id.0]).collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &ids)?)
        .fetch_all(tx)
        .await?;
    let project = |row| {
        Ok(ProjectId(
            Columns::of(row, "orchestrations").int("project_id")?,
        ))
    };
    rows.iter().map(project).collect()
}

async fn lock_due(
    tx: &mut Tx,
    ids: &[OrchestrationId],
    locked: Locked,
    now: Timestamp,
) -> Result<Vec<Due>> {
    let dialect = Dialect::of(tx);
    let rows = dialect.rows("$1", &["id"], &[]);
    let lock = match locked {
        Locked::PassOver => dialect.lock_free("o"),
        Locked::Wait => dialect.lock("o"),
    };
    let sql = format!(
        "SELECT o.id AS id, o.project_id AS project_id, o.crontab_record AS crontab_record, o.next_scheduled_at AS next_scheduled_at, \
         o.last_scheduled_at AS last_scheduled_at, r.notifications AS notifications \
         FROM {rows} d JOIN orchestrations o ON o.id = d.id JOIN revisions r ON r.id = o.revision_id \
         WHERE o.next_scheduled_at <= $2{lock}"
    );
    let ids: Vec<[i64; 1]> = ids.iter().map(|id| [id.0]).collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &ids)?)
        .bind(now.0)
        .fetch_all(tx)
        .await?;
    rows.iter().map(|row| decide(row, now)).collect()
}

fn decide(row: &AnyRow, now: Timestamp) -> Result<Due> {
    let columns = Columns::of(row, "orchestrations");
    let id = columns.int("id")?;
    let due_at = columns.time("next_scheduled_at")?;
    let last_tick = columns.maybe_time("last_scheduled_at")?;
    let crontab = columns.maybe_text("crontab_record")?;
    let crontab = crontab.and_then(|text| Crontab::parse(&text).ok());
    let notifications: Vec<Notification> = columns.json("notifications").unwrap_or_else(|error| {
        // The other orchestrations of the batch are not to suffer for it, and neither is its schedule.
        tracing::error!(%error, orchestration = id, "its alarms are left out");
        Vec::new()
    });
    let times = JobTimes {
        created_at: now,
        start_at: None,
        average: None,
    };
    Ok(Due {
        id,
        project: ProjectId(columns.int("project_id")?),
        is_held: false,
        skipped: None,
        due_at: due_at.0,
        firing: Firing::decide(crontab.as_ref(), due_at, last_tick, now),
        alarm_at: Alarms::of(&notifications, &[]).next_after(&times, None),
    })
}

async fn advance_schedules(tx: &mut Tx, due: &[Due]) -> Result<()> {
    let rows = Dialect::of(tx).rows(
        "$1",
        &["id", "due_at", "next_at", "tick_at", "paused_at"],
        &[],
    );
    let sql = format!(
        "UPDATE orchestrations SET next_scheduled_at = d.next_at, \
         last_scheduled_at = COALESCE(d.tick_at, last_scheduled_at), \
         paused_at = COALESCE(d.paused_at, orchestrations.paused_at), \
         job_count = job_count + CASE WHEN d.tick_at IS NULL THEN 0 ELSE 1 END \
         FROM {rows} d WHERE orchestrations.id = d.id AND next_scheduled_at = d.due_at"
    );
    let bound: Vec<_> = due
        .iter()
        .map(|one| {
            let (next, tick) = (one.firing.next, one.firing.tick);
            let paused = one.is_held.then(|| one.due_at - 1);
            let (next, tick) = (next.map(|at| at.0), tick.map(|at| at.0));
            (one.id, one.due_at, next, tick, paused)
        })
        .collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &bound)?)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds the jobs, each at the end of its orchestration's queue; returns them by orchestration.
async fn insert_jobs(tx: &mut Tx, due: &[Due], now: Timestamp) -> Result<HashMap<i64, i64>> {
    let rows = Dialect::of(tx).rows("$1", &["id", "alarm_at"], &[]);
    // Not EXISTS: for many orchestrations at once PostgreSQL would read all open jobs to answer it.
    let sql = format!(
        "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
         token_id, token_description, alarm_at) \
         SELECT o.project_id, o.id, o.revision_id, 'waiting', \
         CASE WHEN (SELECT id FROM jobs WHERE orchestration_id = o.id AND status = 'waiting' LIMIT 1) IS NULL \
         AND (SELECT id FROM jobs WHERE orchestration_id = o.id AND status = 'processing' LIMIT 1) IS NULL \
         THEN 1 ELSE 0 END, \
         'scheduler', $2, o.token_id, o.token_description, d.alarm_at \
         FROM {rows} d JOIN orchestrations o ON o.id = d.id ORDER BY o.id RETURNING id, orchestration_id"
    );
    let bound: Vec<_> = due
        .iter()
        .filter(|one| one.firing.tick.is_some())
        .map(|one| (one.id, one.alarm_at.map(|at| at.0)))
        .collect();
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &bound)?)
        .bind(now.0)
        .fetch_all(tx)
        .await?;
    let mut jobs = HashMap::with_capacity(rows.len());
    for row in &rows {
        let columns = Columns::of(row, "jobs");
        jobs.insert(columns.int("orchestration_id")?, columns.int("id")?);
    }
    Ok(jobs)
}

async fn insert_ticks(tx: &mut Tx, due: &[Due], jobs: &HashMap<i64, i64>) -> Result<()> {
    let rows = Dialect::of(tx).rows(
        "$1",
        &["id", "from_at", "to_at", "ticks", "job_id"],
        &["outcome"],
    );
    // `WHERE true`: else SQLite takes the conflict's ON for that of a join.
    let sql = format!(
        "INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks, job_id) \
         SELECT o.project_id, o.id, d.outcome, d.from_at, d.to_at, d.ticks, d.job_id \
         FROM {rows} d JOIN orchestrations o ON o.id = d.id WHERE true \
         ON CONFLICT (orchestration_id, from_at) DO NOTHING"
    );
    let mut bound = Vec::with_capacity(due.len());
    for one in due {
        if let Some(gap) = &one.firing.missed {
            let ticks = i64::try_from(gap.ticks).unwrap_or(i64::MAX);
            let outcome = TickOutcome::Missed.as_str();
            bound.push((one.id, gap.from.0, gap.to.0, ticks, None, outcome));
        }
        if let Some(tick) = one.firing.tick {
            let job = jobs.get(&one.id).copied();
            bound.push((one.id, tick.0, tick.0, 1, job, one.firing.outcome.as_str()));
        }
    }
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("ticks", &bound)?)
        .execute(tx)
        .await?;
    Ok(())
}

/// In the order of the jobs.
async fn tell_of_jobs(
    tx: &mut Tx,
    due: &[Due],
    jobs: &HashMap<i64, i64>,
    now: Timestamp,
) -> Result<()> {
    let mut made: Vec<_> = due
        .iter()
        .filter_map(|one| Some((*jobs.get(&one.id)?, one.project)))
        .collect();
    made.sort_unstable();
    let mut news = News::default();
    for (job, project) in made {
        news.job(project, JobId(job), Status::Waiting, now);
    }
    news.write(tx).await
}

/// Records ticks that a quota kept from firing: each prolongs the gap before it, so that a day of them is one row.
async fn record_skips(tx: &mut Tx, due: &[Due]) -> Result<()> {
    let mut skips: Vec<(i64, i64, String)> = Vec::new();
    for one in due {
        if let Some((tick, over)) = one.skipped {
            let reason = format!("quota {} of {}", over.quota.as_str(), over.limit);
            skips.push((one.id, tick.0, reason));
        }
    }
    if skips.is_empty() {
        return Ok(());
    }
    let rows = Dialect::of(tx).rows("$1", &["id", "tick_at"], &["reason"]);
    // A clock that was set back shows times once more that are in the gap already.
    let sql = format!(
        "UPDATE ticks SET ticks = ticks + CASE WHEN to_at < d.tick_at THEN 1 ELSE 0 END, \
         to_at = CASE WHEN to_at < d.tick_at THEN d.tick_at ELSE to_at END \
         FROM {rows} d WHERE ticks.orchestration_id = d.id AND ticks.outcome = 'skipped' \
         AND ticks.reason = d.reason AND ticks.from_at = \
         (SELECT MAX(t.from_at) FROM ticks t WHERE t.orchestration_id = d.id) RETURNING ticks.orchestration_id AS id"
    );
    let prolonged = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("ticks", &skips)?)
        .fetch_all(&mut *tx)
        .await?;
    let mut done = BTreeSet::new();
    for row in &prolonged {
        done.insert(Columns::of(row, "ticks").int("id")?);
    }
    skips.retain(|(id, ..)| !done.contains(id));
    let sql = format!(
        "INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks, reason) \
         SELECT o.project_id, o.id, 'skipped', d.tick_at, d.tick_at, 1, d.reason \
         FROM {rows} d JOIN orchestrations o ON o.id = d.id WHERE true \
         ON CONFLICT (orchestration_id, from_at) DO NOTHING"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("ticks", &skips)?)
        .execute(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_has_its_turn_before_any_has_a_second_one() {
        let due = [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (2, 21)]
            .map(|(project, id)| (ProjectId(project), OrchestrationId(id)));
        let ordered = [10, 20, 30, 11, 21, 12].map(OrchestrationId);
        assert_eq!(in_turns(due.to_vec()), ordered);
    }
}
