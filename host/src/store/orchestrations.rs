//! Orchestrations: what is configured, and the schedule that follows from it.
//!
//! A change of the schedule closes the ledger of the old one in the same transaction ([`super::ticks`]), so that every
//! tick that was expected has its outcome.

use super::job_events::News;
use super::locks::lock_orchestration;
use super::orchestration_tokens::{TokenChoice, change_token, choose_token};
use super::plugin_users::hold_named;
use super::quotas::{count_orchestrations, lock_account};
use super::revisions::insert_revision;
use super::rows::{Columns, storable};
use super::ticks::{close_ledger, not_before_ledger};
use super::tokens::{drop_unused_token, tie_token};
use super::{Result, Store, Tx};
use crate::domain::audit::{Action, Change, of_orchestration};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TokenId};
use crate::domain::job::Status;
use crate::domain::notification::Notification;
use crate::domain::orchestration::{Orchestration, next_scheduled_at};
use crate::domain::quota::Quota;
use crate::domain::task::{Task, assign_ids};
use crate::domain::time::Timestamp;

/// An orchestration to be added.
#[derive(Clone, Debug)]
pub struct NewOrchestration {
    pub project_id: ProjectId,
    pub name: String,
    /// Checked to be a crontab.
    pub crontab_record: Option<String>,
    pub active: bool,
    pub token: TokenChoice,
    /// Ids are empty where they are to be assigned.
    pub tasks: Vec<Task>,
    pub notifications: Vec<Notification>,
}

/// What an update changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct OrchestrationChange {
    pub name: Option<String>,
    /// `Some(None)` clears the schedule.
    pub crontab_record: Option<Option<String>>,
    pub active: Option<bool>,
    pub token_id: Option<TokenId>,
    pub tasks: Option<Vec<Task>>,
    pub notifications: Option<Vec<Notification>>,
}

/// What became of an update.
#[derive(Clone, Debug)]
pub enum Updated {
    Done(Box<Orchestration>),
    NotFound,
    /// The project has no token of that id that can be used; nothing was changed.
    NoSuchToken,
}

impl Store {
    /// Adds an orchestration, with a token where one is to be made. `None`: the project has no such
    /// token, or it is disabled or expired.
    pub async fn create_orchestration(
        &self,
        new: NewOrchestration,
        now: Timestamp,
    ) -> Result<Option<Orchestration>> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let account = lock_account(&store, tx, new.project_id, now).await?;
                account.check_open()?;
                account.check(Quota::Orchestrations)?;
                account.check(Quota::StorageBytes)?;
                let Some(token) = choose_token(tx, new.project_id, &new.token, now).await? else {
                    return Ok(None);
                };
                let mut tasks = new.tasks;
                let task_number = assign_ids(&mut tasks, &[], 0);
                let next = next_scheduled_at(new.crontab_record.as_deref(), new.active, now);
                let paused = (!new.active && new.crontab_record.is_some()).then_some(now.0);
                let row = sqlx::query(
                    "INSERT INTO orchestrations (project_id, revision_id, name, crontab_record, active, token_id, \
                     token_description, created_at, paused_at, next_scheduled_at, task_number, job_count) \
                     VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0) RETURNING id",
                )
                .bind(new.project_id.0)
                .bind(storable(&new.name))
                .bind(new.crontab_record)
                .bind(i64::from(new.active))
                .bind(token.id.0)
                .bind(storable(&token.description))
                .bind(now.0)
                .bind(paused)
                .bind(next.map(|time| time.0))
                .bind(task_number)
                .fetch_one(&mut *tx)
                .await?;
                let id = OrchestrationId(Columns::of(&row, "orchestrations").int("id")?);
                count_orchestrations(tx, new.project_id, 1).await?;
                if !matches!(new.token, TokenChoice::Existing(_)) {
                    tie_token(tx, token.id, id).await?;
                }
                hold_named(tx, new.project_id, &tasks, &new.notifications).await?;
                insert_revision(tx, new.project_id, id, &tasks, &new.notifications, now).await?;
                let made = store.find(tx, new.project_id, id).await?;
                let change = change_of(Action::OrchestrationCreate, id, None, made.as_ref());
                store.note(tx, new.project_id, change, now).await?;
                Ok(made)
            })
        })
        .await
    }

    /// Changes an orchestration. Jobs that exist keep what they were created with.
    pub async fn update_orchestration(
        &self,
        project: ProjectId,
        id: OrchestrationId,
        change: OrchestrationChange,
        now: Timestamp,
    ) -> Result<Updated> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if change.tasks.is_some() || change.notifications.is_some() {
                    let account = lock_account(&store, tx, project, now).await?;
                    account.check(Quota::StorageBytes)?;
                }
                lock_orchestration(tx, project, id).await?;
                let Some(before) = store.find(tx, project, id).await? else {
                    return Ok(Updated::NotFound);
                };
                if let Some(token) = change.token_id
                    && !change_token(tx, &before, token, now).await?
                {
                    return Ok(Updated::NoSuchToken);
                }
                if let Some(name) = &change.name {
                    sqlx::query(
                        "UPDATE orchestrations SET name = $3 WHERE id = $1 AND project_id = $2",
                    )
                    .bind(id.0)
                    .bind(project.0)
                    .bind(storable(name))
                    .execute(&mut *tx)
                    .await?;
                }
                let crontab = change
                    .crontab_record
                    .unwrap_or_else(|| before.crontab_record.clone());
                reschedule(
                    tx,
                    &before,
                    crontab,
                    change.active.unwrap_or(before.active),
                    now,
                )
                .await?;
                if change.tasks.is_some() || change.notifications.is_some() {
                    revise(tx, &before, change.tasks, change.notifications, now).await?;
                }
                let after = store.find(tx, project, id).await?;
                let change = change_of(
                    Action::OrchestrationUpdate,
                    id,
                    Some(&before),
                    after.as_ref(),
                );
                store.note(tx, project, change, now).await?;
                Ok(after.map_or(Updated::NotFound, |after| Updated::Done(Box::new(after))))
            })
        })
        .await
    }

    /// Stops the schedule, cancels waiting jobs and hides the orchestration; a running job finishes. `false`: there is
    /// no such orchestration.
    pub async fn delete_orchestration(
        &self,
        project: ProjectId,
        id: OrchestrationId,
        now: Timestamp,
    ) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                lock_account(&store, tx, project, now).await?;
                lock_orchestration(tx, project, id).await?;
                let Some(before) = store.find(tx, project, id).await? else {
                    return Ok(false);
                };
                let now = not_before_ledger(tx, &before, now).await?;
                count_orchestrations(tx, project, -1).await?;
                close_ledger(tx, &before, now).await?;
                sqlx::query(
                    "UPDATE orchestrations SET deleted_at = $3, next_scheduled_at = NULL, paused_at = NULL \
                     WHERE id = $1 AND project_id = $2",
                )
                .bind(id.0)
                .bind(project.0)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                let cancelled = sqlx::query(
                    "UPDATE jobs SET status = 'cancelled', end_at = $3, is_ready = 0, alarm_at = NULL \
                     WHERE orchestration_id = $1 AND project_id = $2 AND status = 'waiting' RETURNING id",
                )
                .bind(id.0)
                .bind(project.0)
                .bind(now.0)
                .fetch_all(&mut *tx)
                .await?;
                let mut news = News::default();
                for row in &cancelled {
                    let job = JobId(Columns::of(row, "jobs").int("id")?);
                    news.job(project, job, Status::Cancelled, now);
                }
                news.write(tx).await?;
                drop_unused_token(tx, id, before.token.id).await?;
                let change = change_of(Action::OrchestrationDelete, id, Some(&before), None);
                store.note(tx, project, change, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// For the audit log.
pub(super) fn change_of(
    action: Action,
    id: OrchestrationId,
    before: Option<&Orchestration>,
    after: Option<&Orchestration>,
) -> Change {
    Change {
        action,
        subject: id.to_string(),
        before: before.map(of_orchestration),
        after: after.map(of_orchestration),
    }
}

/// Sets crontab and activity. The next time is counted from now, but only where one of the two really changed: saving
/// an orchestration as it is must not skip a tick that is about to fire.
async fn reschedule(
    tx: &mut Tx,
    before: &Orchestration,
    crontab: Option<String>,
    active: bool,
    now: Timestamp,
) -> Result<()> {
    if crontab == before.crontab_record && active == before.active {
        return Ok(());
    }
    let now = not_before_ledger(tx, before, now).await?;
    close_ledger(tx, before, now).await?;
    let next = next_scheduled_at(crontab.as_deref(), active, now);
    let paused = (!active && crontab.is_some()).then_some(now.0);
    sqlx::query(
        "UPDATE orchestrations SET crontab_record = $3, active = $4, paused_at = $5, next_scheduled_at = $6 \
         WHERE id = $1 AND project_id = $2",
    )
    .bind(before.id.0)
    .bind(before.project_id.0)
    .bind(crontab)
    .bind(i64::from(active))
    .bind(paused)
    .bind(next.map(|time| time.0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn revise(
    tx: &mut Tx,
    before: &Orchestration,
    tasks: Option<Vec<Task>>,
    notifications: Option<Vec<Notification>>,
    now: Timestamp,
) -> Result<()> {
    let mut tasks = tasks.unwrap_or_else(|| before.revision.tasks.clone());
    let task_number = assign_ids(&mut tasks, &before.revision.tasks, before.task_number);
    let notifications = notifications.unwrap_or_else(|| before.revision.notifications.clone());
    if tasks == before.revision.tasks && notifications == before.revision.notifications {
        return Ok(());
    }
    hold_named(tx, before.project_id, &tasks, &notifications).await?;
    insert_revision(
        tx,
        before.project_id,
        before.id,
        &tasks,
        &notifications,
        now,
    )
    .await?;
    sqlx::query("UPDATE orchestrations SET task_number = $3 WHERE id = $1 AND project_id = $2")
        .bind(before.id.0)
        .bind(before.project_id.0)
        .bind(task_number)
        .execute(tx)
        .await?;
    Ok(())
}
