//! The ledger of ticks: what became of every time at which an orchestration was due.
//!
//! A tick that fired is a row, which [`super::firings`] writes with the job that it became. Ticks that did not fire are
//! one row per gap. A time is in the ledger once: where the clock was set back, what it shows again was accounted for.

use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::crontab::Crontab;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId};
use crate::domain::orchestration::Orchestration;
use crate::domain::tick::{Gap, TickOutcome};
use crate::domain::time::Timestamp;

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub outcome: TickOutcome,
    pub from: Timestamp,
    pub to: Timestamp,
    pub ticks: u64,
    pub job_id: Option<JobId>,
}

impl Store {
    /// The ledger of an orchestration, oldest first.
    pub async fn list_ticks(
        &self,
        project: ProjectId,
        orchestration: OrchestrationId,
    ) -> Result<Vec<Tick>> {
        let rows = sqlx::query(
            "SELECT outcome, from_at, to_at, ticks, job_id FROM ticks \
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
                })
            })
            .collect()
    }
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
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (orchestration_id, from_at) DO NOTHING",
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
