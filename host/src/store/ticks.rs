//! Ticks: what became of every time at which an orchestration was due.
//!
//! A tick fires by compare-and-set on `next_scheduled_at`, in one transaction with the job that it becomes, so that any
//! number of hosts may try. Ticks that did not fire are one row per gap.

use super::jobs::{JobRow, insert_job};
use super::quotas::{Accounts, Admission};
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::crontab::Crontab;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TokenId};
use crate::domain::job::Initiator;
use crate::domain::orchestration::{Orchestration, TokenReference};
use crate::domain::quota::OverQuota;
use crate::domain::tick::{Firing, Gap, TickOutcome};
use crate::domain::time::Timestamp;

/// An orchestration whose time has come.
#[derive(Clone, Debug)]
pub struct DueOrchestration {
    pub id: OrchestrationId,
    pub project_id: ProjectId,
    pub crontab_record: Option<String>,
    pub next_scheduled_at: Timestamp,
}

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub outcome: TickOutcome,
    pub from: Timestamp,
    pub to: Timestamp,
    pub ticks: u64,
    pub job_id: Option<JobId>,
    /// Why ticks were skipped.
    pub reason: Option<String>,
}

impl Store {
    /// Orchestrations that are due at `now`, the longest overdue first.
    pub async fn list_due_orchestrations(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueOrchestration>> {
        let rows = sqlx::query(
            "SELECT id, project_id, crontab_record, next_scheduled_at FROM orchestrations \
             WHERE next_scheduled_at <= $1 ORDER BY next_scheduled_at LIMIT $2",
        )
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "orchestrations");
                Ok(DueOrchestration {
                    id: OrchestrationId(columns.int("id")?),
                    project_id: ProjectId(columns.int("project_id")?),
                    crontab_record: columns.maybe_text("crontab_record")?,
                    next_scheduled_at: columns.time("next_scheduled_at")?,
                })
            })
            .collect()
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

    /// Turns due ticks into jobs, all in one transaction. An orchestration that was changed, or fired by another host,
    /// since it was listed is passed over. Returns the jobs.
    pub async fn fire_ticks(
        &self,
        mut firings: Vec<(DueOrchestration, Firing)>,
        now: Timestamp,
    ) -> Result<Vec<JobId>> {
        // Each locks its orchestration: two hosts that fire the same ticks do so in the same order.
        firings.sort_unstable_by_key(|(due, _)| due.id);
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let projects = firings.iter().map(|(due, _)| due.project_id).collect();
                let mut accounts = Accounts::open(&store, tx, projects, now).await?;
                let mut jobs = Vec::with_capacity(firings.len());
                for (due, firing) in &firings {
                    jobs.extend(fire(&store, tx, &mut accounts, due, firing, now).await?);
                }
                accounts.close(tx).await?;
                Ok(jobs)
            })
        })
        .await
    }

    /// The ledger of an orchestration, oldest first.
    pub async fn list_ticks(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
    ) -> Result<Vec<Tick>> {
        let rows = sqlx::query(
            "SELECT outcome, from_at, to_at, ticks, job_id, reason FROM ticks \
             WHERE orchestration_id = $1 AND project_id = $2 ORDER BY from_at",
        )
        .bind(orchestration.0)
        .bind(project.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let columns = Columns::of(row, "ticks");
                let outcome = columns.text("outcome")?;
                Ok(Tick {
                    outcome: TickOutcome::from_text(&outcome)
                        .ok_or_else(|| columns.damaged(format!("unknown outcome {outcome:?}")))?,
                    from: columns.time("from_at")?,
                    to: columns.time("to_at")?,
                    ticks: columns.count("ticks")?,
                    job_id: columns.maybe_int("job_id")?.map(JobId),
                    reason: columns.maybe_text("reason")?,
                })
            })
            .collect()
    }
}

async fn fire(
    store: &Store,
    tx: &mut Tx,
    accounts: &mut Accounts,
    due: &DueOrchestration,
    firing: &Firing,
    now: Timestamp,
) -> Result<Option<JobId>> {
    let admission = match firing.tick {
        Some(_) => accounts.admit(due.project_id),
        None => Admission::Fire,
    };
    let tick = match admission {
        Admission::Fire => firing.tick,
        Admission::Hold => {
            hold_schedule(tx, due).await?;
            return Ok(None);
        }
        Admission::Skip(_) => None,
    };
    let taken = sqlx::query(
        "UPDATE orchestrations SET next_scheduled_at = $3, last_scheduled_at = COALESCE($4, last_scheduled_at) \
         WHERE id = $1 AND next_scheduled_at = $2 RETURNING revision_id, token_id, token_description",
    )
    .bind(due.id.0)
    .bind(due.next_scheduled_at.0)
    .bind(firing.next.map(|time| time.0))
    .bind(tick.map(|time| time.0))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = taken else { return Ok(None) };
    if let Some(gap) = &firing.missed {
        insert_gap(tx, due.project_id, due.id, TickOutcome::Missed, gap).await?;
    }
    if let (Admission::Skip(over), Some(skipped)) = (admission, firing.tick) {
        record_skip(tx, due, skipped, over).await?;
    }
    let Some(tick) = tick else {
        return Ok(None);
    };
    let columns = Columns::of(&row, "orchestrations");
    let revision_id = RevisionId(columns.int("revision_id")?);
    let revision = store.revisions.read_in(tx, revision_id).await?;
    let job = JobRow {
        project_id: due.project_id,
        orchestration_id: due.id,
        revision: &revision,
        initialized_by: Initiator::Scheduler,
        token: TokenReference {
            id: TokenId(columns.int("token_id")?),
            description: columns.text("token_description")?,
        },
        initiator: None,
        notifications_emails: &[],
        active_tasks: None,
        parent_run_id: None,
    };
    let job_id = insert_job(tx, &job, now).await?;
    sqlx::query(
        "INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks, job_id) \
         VALUES ($1, $2, $3, $4, $4, 1, $5)",
    )
    .bind(due.project_id.0)
    .bind(due.id.0)
    .bind(firing.outcome.as_str())
    .bind(tick.0)
    .bind(job_id.0)
    .execute(tx)
    .await?;
    Ok(Some(job_id))
}

/// Stops a schedule whose project is disabled, before the tick that is due: as a pause that began then. It goes on when
/// the project does ([`super::purge`]).
pub(super) async fn hold_schedule(tx: &mut Tx, due: &DueOrchestration) -> Result<()> {
    sqlx::query(
        "UPDATE orchestrations SET next_scheduled_at = NULL, paused_at = $2 - 1 \
         WHERE id = $1 AND next_scheduled_at = $2",
    )
    .bind(due.id.0)
    .bind(due.next_scheduled_at.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Records a tick that a quota kept from firing: it prolongs the gap before it, so that a day of them is one row.
async fn record_skip(
    tx: &mut Tx,
    due: &DueOrchestration,
    tick: Timestamp,
    over: OverQuota,
) -> Result<()> {
    let reason = format!("quota {} of {}", over.quota.as_str(), over.limit);
    let prolonged = sqlx::query(
        "UPDATE ticks SET to_at = $2, ticks = ticks + 1 WHERE outcome = 'skipped' AND reason = $3 \
         AND id = (SELECT id FROM ticks WHERE orchestration_id = $1 ORDER BY from_at DESC LIMIT 1)",
    )
    .bind(due.id.0)
    .bind(tick.0)
    .bind(reason.as_str())
    .execute(&mut *tx)
    .await?;
    if prolonged.rows_affected() == 1 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks, reason) \
         VALUES ($1, $2, $3, $4, $4, 1, $5)",
    )
    .bind(due.project_id.0)
    .bind(due.id.0)
    .bind(TickOutcome::Skipped.as_str())
    .bind(tick.0)
    .bind(reason)
    .execute(tx)
    .await?;
    Ok(())
}

/// Records what an orchestration's schedule still expected until `now`: called before the schedule is changed or ended.
pub(super) async fn close_ledger(
    tx: &mut Tx,
    before: &Orchestration,
    now: Timestamp,
) -> Result<()> {
    let (outcome, from) = match (before.paused_at, before.next_scheduled_at) {
        (Some(paused_at), _) => (TickOutcome::Paused, paused_at.next_minute()),
        (None, Some(next)) => (TickOutcome::Missed, next),
        (None, None) => return Ok(()),
    };
    let crontab = before.crontab_record.as_deref().map(Crontab::parse);
    let Some(Ok(crontab)) = crontab else {
        return Ok(());
    };
    if let Some(gap) = Gap::between(&crontab, from, now) {
        insert_gap(tx, before.project_id, before.id, outcome, &gap).await?;
    }
    Ok(())
}

async fn insert_gap(
    tx: &mut Tx,
    project: ProjectId,
    orchestration: OrchestrationId,
    outcome: TickOutcome,
    gap: &Gap,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO ticks (project_id, orchestration_id, outcome, from_at, to_at, ticks) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(project.0)
    .bind(orchestration.0)
    .bind(outcome.as_str())
    .bind(gap.from.0)
    .bind(gap.to.0)
    .bind(i64::try_from(gap.ticks).unwrap_or(i64::MAX))
    .execute(tx)
    .await?;
    Ok(())
}
