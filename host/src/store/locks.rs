//! Which rows a transaction locks first, where others may write beside it.
//!
//! One order for all: host, project, orchestration, its jobs, their task runs, deliveries, tokens, plugins. Whoever changes an
//! orchestration, its queue or the state of one of its jobs locks the orchestration's row first; so all of that happens
//! one after another per orchestration, and what is read under the lock stays true. Whoever looks for work takes only
//! what nobody has locked, and so waits for nobody. On SQLite a transaction that writes is alone: there nothing is
//! locked, and what remains of these queries is what they find.

use super::dialect::Dialect;
use super::rows::to_json;
use super::{Result, Tx};
use crate::domain::ids::{HostId, JobId, OrchestrationId, ProjectId, TaskRunId, TokenId};

/// Locks an orchestration.
pub(super) async fn lock_orchestration(
    tx: &mut Tx,
    project: ProjectId,
    id: OrchestrationId,
) -> Result<()> {
    let lock = match Dialect::of(tx) {
        Dialect::Sqlite => return Ok(()),
        dialect => dialect.lock("o"),
    };
    let sql =
        format!("SELECT o.id FROM orchestrations o WHERE o.id = $1 AND o.project_id = $2{lock}");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(project.0)
        .fetch_all(tx)
        .await?;
    Ok(())
}

/// Locks the orchestrations that use a token, in their order.
pub(super) async fn lock_orchestrations_of(
    tx: &mut Tx,
    project: ProjectId,
    token: TokenId,
) -> Result<()> {
    let lock = match Dialect::of(tx) {
        Dialect::Sqlite => return Ok(()),
        dialect => dialect.lock("o"),
    };
    let sql = format!(
        "SELECT o.id FROM orchestrations o WHERE o.token_id = $1 AND o.project_id = $2 AND o.deleted_at IS NULL \
         ORDER BY o.id{lock}"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(token.0)
        .bind(project.0)
        .fetch_all(tx)
        .await?;
    Ok(())
}

/// Locks the orchestration of a job.
pub(super) async fn lock_orchestration_of_job(
    tx: &mut Tx,
    project: ProjectId,
    job: JobId,
) -> Result<()> {
    let lock = match Dialect::of(tx) {
        Dialect::Sqlite => return Ok(()),
        dialect => dialect.lock("o"),
    };
    let sql = format!(
        "SELECT o.id FROM jobs j JOIN orchestrations o ON o.id = j.orchestration_id \
         WHERE j.id = $1 AND j.project_id = $2{lock}"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(job.0)
        .bind(project.0)
        .fetch_all(tx)
        .await?;
    Ok(())
}

/// Locks the orchestrations of task runs, in their order.
pub(super) async fn lock_orchestrations_of_runs(tx: &mut Tx, runs: &[TaskRunId]) -> Result<()> {
    let dialect = Dialect::of(tx);
    if dialect == Dialect::Sqlite || runs.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT o.id FROM {} d JOIN task_runs t ON t.id = d.run JOIN jobs j ON j.id = t.job_id \
         JOIN orchestrations o ON o.id = j.orchestration_id ORDER BY o.id{}",
        dialect.rows("$1", &["run"], &[]),
        dialect.lock("o")
    );
    let runs: Vec<_> = runs.iter().map(|run| [run.0]).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("task_runs", &runs)?)
        .fetch_all(tx)
        .await?;
    Ok(())
}

/// Makes the beginning of an installation a matter of one host at a time.
pub(super) async fn lock_projects(tx: &mut Tx) -> Result<()> {
    if Dialect::of(tx) == Dialect::Postgres {
        sqlx::query("LOCK TABLE projects IN SHARE ROW EXCLUSIVE MODE")
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Whether a host may take work on: `false` once it was declared dead, because nobody would give back what it takes. It
/// stays alive until the transaction ends.
pub(super) async fn hold_host(tx: &mut Tx, host: HostId) -> Result<bool> {
    let lock = match Dialect::of(tx) {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR KEY SHARE",
    };
    let sql = format!("SELECT id FROM hosts WHERE id = $1{lock}");
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(host.0)
        .fetch_all(tx)
        .await?;
    Ok(!found.is_empty())
}

/// Ends a `SELECT` of hosts that are to be declared dead: none that takes work on just now, or that another host is at.
pub(super) fn lock_dead_hosts(tx: &Tx) -> &'static str {
    match Dialect::of(tx) {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
    }
}

/// Locks a host whose work is to be given back, once it is not taking on more.
pub(super) async fn lock_host(tx: &mut Tx, host: HostId) -> Result<()> {
    if Dialect::of(tx) == Dialect::Postgres {
        sqlx::query("SELECT id FROM hosts WHERE id = $1 FOR UPDATE")
            .bind(host.0)
            .fetch_all(tx)
            .await?;
    }
    Ok(())
}

/// Whose token is meant; that of another is not locked.
#[derive(Clone, Copy, Debug)]
pub(super) enum TokenOf {
    Project(ProjectId),
    /// Made for it.
    Orchestration(OrchestrationId),
}

/// Locks a token, for whoever changes it, deletes it or begins to use it.
pub(super) async fn lock_token(tx: &mut Tx, id: TokenId, of: TokenOf) -> Result<()> {
    let lock = match Dialect::of(tx) {
        Dialect::Sqlite => return Ok(()),
        dialect => dialect.lock("t"),
    };
    let (column, owner) = match of {
        TokenOf::Project(project) => ("project_id", project.0),
        TokenOf::Orchestration(orchestration) => ("made_for", orchestration.0),
    };
    let sql = format!("SELECT t.id FROM tokens t WHERE t.id = $1 AND t.{column} = $2{lock}");
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(owner)
        .fetch_all(tx)
        .await?;
    Ok(())
}
