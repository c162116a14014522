//! What projects may still do: their state, their limits and what they have used, read in the transaction that uses
//! more.
//!
//! Counters stand in the project's row, so that nothing is counted over history. Where a limit is watched the row is
//! locked before anything else of the project ([`super::locks`]), hence no two transactions take the last of it. Jobs
//! are counted only while their number is limited: else the jobs of a project would wait for each other for nothing.
//! Computing time and the size of answers are added after the fact, by each host for many steps at once.

use super::dialect::Dialect;
use super::rows::Columns;
use super::{Result, Store, StoreError, Tx};
use crate::domain::ids::ProjectId;
use crate::domain::quota::{Limits, OverQuota, OwnLimits, Quota, Use, day_of};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What steps used, to be added to their project's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepUse {
    /// Computing time.
    pub cpu: Duration,
    /// Of answers that are kept.
    pub bytes: u64,
}

/// A project's quotas, for its bearers and for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectUse {
    pub limits: Limits,
    pub used: Use,
    /// Due ticks that became no job today, because a quota was used up.
    pub skipped_today: u64,
}

/// Columns of a project's account, for [`read`].
pub(super) const COLUMNS: &str = "disabled_at, own_limits, orchestration_count, plugin_count, storage_bytes, use_day, jobs_today, \
    skipped_today, cpu_micros_today";

/// A project as a transaction finds it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) is_open: bool,
    pub(super) limits: Limits,
    pub(super) used: Use,
    pub(super) skipped_today: u64,
}

impl Account {
    /// Whether the project is neither disabled nor deleted.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_open {
            Ok(())
        } else {
            Err(StoreError::ProjectClosed)
        }
    }

    pub(super) fn check(&self, quota: Quota) -> Result<()> {
        Ok(self.limits.check(quota, self.used.of(quota))?)
    }

    /// Whether the project may have one more job.
    pub(super) fn check_job(&self) -> std::result::Result<(), OverQuota> {
        let watched = [
            Quota::JobsPerDay,
            Quota::CpuSecondsPerDay,
            Quota::StorageBytes,
        ];
        watched
            .into_iter()
            .try_for_each(|quota| self.limits.check(quota, self.used.of(quota)))
    }
}

/// What is to be done about a due tick.
pub(super) enum Admission {
    Fire,
    /// The project is disabled.
    Hold,
    Skip(OverQuota),
}

/// The accounts of the projects whose ticks one transaction fires.
pub(super) struct Accounts {
    accounts: BTreeMap<ProjectId, Account>,
    day: i64,
}

impl Accounts {
    /// Locks those in which jobs are counted, in their order.
    pub(super) async fn open(
        store: &Store,
        tx: &mut Tx,
        projects: BTreeSet<ProjectId>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut accounts = BTreeMap::new();
        for project in projects {
            let account = account_for_jobs(store, tx, project, now).await?;
            accounts.insert(project, account);
        }
        Ok(Self {
            accounts,
            day: day_of(now),
        })
    }

    /// Decides about one tick, and counts it.
    pub(super) fn admit(&mut self, project: ProjectId) -> Admission {
        let Some(account) = self.accounts.get_mut(&project) else {
            return Admission::Hold;
        };
        if !account.is_open {
            return Admission::Hold;
        }
        match account.check_job() {
            Ok(()) => {
                account.used.jobs_today += 1;
                Admission::Fire
            }
            Err(over) => {
                account.skipped_today += 1;
                Admission::Skip(over)
            }
        }
    }

    /// Writes down what was counted.
    pub(super) async fn close(self, tx: &mut Tx) -> Result<()> {
        for (project, account) in &self.accounts {
            if account.limits.of(Quota::JobsPerDay).is_some() {
                set_jobs(tx, *project, account, self.day).await?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// What a project may use and uses.
    pub async fn read_use(&self, project: ProjectId, now: Timestamp) -> Result<Option<ProjectUse>> {
        let sql = format!("SELECT {COLUMNS} FROM projects WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_optional(&self.read)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut account = read(self, &row, now)?;
        let running = sqlx::query(
            "SELECT COUNT(DISTINCT job_id) AS jobs FROM task_runs WHERE project_id = $1 AND host_id IS NOT NULL",
        )
        .bind(project.0)
        .fetch_one(&self.read)
        .await?;
        account.used.running_jobs = Columns::of(&running, "task_runs").count("jobs")?;
        Ok(Some(ProjectUse {
            limits: account.limits,
            used: account.used,
            skipped_today: account.skipped_today,
        }))
    }

    /// Adds what steps used, of many projects at once.
    pub async fn add_step_use(
        &self,
        used: BTreeMap<ProjectId, StepUse>,
        now: Timestamp,
    ) -> Result<()> {
        let day = day_of(now);
        self.write(move |tx| {
            Box::pin(async move {
                for (project, used) in used {
                    start_day(tx, project, day).await?;
                    sqlx::query(
                        "UPDATE projects SET cpu_micros_today = cpu_micros_today + $2, \
                         storage_bytes = storage_bytes + $3 WHERE id = $1",
                    )
                    .bind(project.0)
                    .bind(i64::try_from(used.cpu.as_micros()).unwrap_or(i64::MAX))
                    .bind(i64::try_from(used.bytes).unwrap_or(i64::MAX))
                    .execute(&mut *tx)
                    .await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// The account, locked until the transaction ends.
pub(super) async fn lock_account(
    store: &Store,
    tx: &mut Tx,
    project: ProjectId,
    now: Timestamp,
) -> Result<Account> {
    let lock = Dialect::of(tx).lock("p");
    find(store, tx, project, &lock, now).await
}

/// The account of a project that is to have more jobs, locked where these are counted.
pub(super) async fn account_for_jobs(
    store: &Store,
    tx: &mut Tx,
    project: ProjectId,
    now: Timestamp,
) -> Result<Account> {
    let account = find(store, tx, project, "", now).await?;
    if account.limits.of(Quota::JobsPerDay).is_none() {
        return Ok(account);
    }
    lock_account(store, tx, project, now).await
}

/// Counts jobs that were admitted, on an account from [`account_for_jobs`] that has them already.
pub(super) async fn count_jobs(
    tx: &mut Tx,
    project: ProjectId,
    account: &Account,
    now: Timestamp,
) -> Result<()> {
    if account.limits.of(Quota::JobsPerDay).is_none() {
        return Ok(());
    }
    set_jobs(tx, project, account, day_of(now)).await
}

/// The account is locked.
async fn set_jobs(tx: &mut Tx, project: ProjectId, account: &Account, day: i64) -> Result<()> {
    start_day(tx, project, day).await?;
    sqlx::query("UPDATE projects SET jobs_today = $2, skipped_today = $3 WHERE id = $1")
        .bind(project.0)
        .bind(i64::try_from(account.used.jobs_today).unwrap_or(i64::MAX))
        .bind(i64::try_from(account.skipped_today).unwrap_or(i64::MAX))
        .execute(tx)
        .await?;
    Ok(())
}

/// Begins the day's counters anew where they are another day's.
async fn start_day(tx: &mut Tx, project: ProjectId, day: i64) -> Result<()> {
    sqlx::query(
        "UPDATE projects SET use_day = $2, jobs_today = 0, skipped_today = 0, cpu_micros_today = 0 \
         WHERE id = $1 AND use_day <> $2",
    )
    .bind(project.0)
    .bind(day)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts orchestrations that came or went. The account is locked.
pub(super) async fn count_orchestrations(tx: &mut Tx, project: ProjectId, by: i64) -> Result<()> {
    sqlx::query("UPDATE projects SET orchestration_count = orchestration_count + $2 WHERE id = $1")
        .bind(project.0)
        .bind(by)
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts plugins that came or went, and what is kept of them. The account is locked.
pub(super) async fn count_plugins(
    tx: &mut Tx,
    project: ProjectId,
    by: i64,
    bytes: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE projects SET plugin_count = plugin_count + $2, storage_bytes = storage_bytes + $3 WHERE id = $1",
    )
    .bind(project.0)
    .bind(by)
    .bind(bytes)
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts what is kept from now on. The account is locked.
pub(super) async fn add_storage(tx: &mut Tx, project: ProjectId, bytes: usize) -> Result<()> {
    sqlx::query("UPDATE projects SET storage_bytes = storage_bytes + $2 WHERE id = $1")
        .bind(project.0)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .execute(tx)
        .await?;
    Ok(())
}

async fn find(
    store: &Store,
    tx: &mut Tx,
    project: ProjectId,
    lock: &str,
    now: Timestamp,
) -> Result<Account> {
    let sql = format!("SELECT {COLUMNS} FROM projects p WHERE p.id = $1{lock}");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .fetch_optional(tx)
        .await?;
    row.map_or(Err(StoreError::ProjectClosed), |row| read(store, &row, now))
}

pub(super) fn read(store: &Store, row: &AnyRow, now: Timestamp) -> Result<Account> {
    let columns = Columns::of(row, "projects");
    let own: OwnLimits = columns.json("own_limits")?;
    let is_today = columns.int("use_day")? == day_of(now);
    let today = |name| if is_today { columns.count(name) } else { Ok(0) };
    Ok(Account {
        is_open: columns.maybe_int("disabled_at")?.is_none(),
        limits: store.limits.with(&own),
        used: Use {
            orchestrations: columns.count("orchestration_count")?,
            jobs_today: today("jobs_today")?,
            running_jobs: 0,
            cpu_today: Duration::from_micros(today("cpu_micros_today")?),
            plugins: columns.count("plugin_count")?,
            storage_bytes: columns.count("storage_bytes")?,
        },
        skipped_today: today("skipped_today")?,
    })
}
