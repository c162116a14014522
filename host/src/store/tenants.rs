//! Projects as operators see them: listed, limited, disabled and deleted.
//!
//! Disabling is one row: tokens are refused, due ticks hold their schedules and claims pass the project over by what it
//! says. Deleting is that for good; what there is to remove, and schedules that go on, are chores ([`super::purge`]).

use super::projects::insert_project;
use super::quotas::{self, ProjectUse};
use super::rows::{Columns, storable, to_json};
use super::tokens::NewToken;
use super::{Result, Store, Tx};
use crate::domain::audit::{Action, Change};
use crate::domain::ids::ProjectId;
use crate::domain::quota::{OwnLimit, OwnLimits, Quota};
use crate::domain::time::Timestamp;
use serde_json::json;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// A project with what only operators see of it.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: ProjectId,
    pub name: String,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    /// Whose it is at an external Storage API.
    pub owner: Option<String>,
    pub own_limits: OwnLimits,
    /// Without the jobs that run now.
    pub usage: ProjectUse,
}

/// What an operator changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    pub name: Option<String>,
    pub is_disabled: Option<bool>,
    /// `None` in place of a limit: the server's.
    pub limits: BTreeMap<Quota, Option<OwnLimit>>,
}

fn select(condition: &str) -> String {
    format!(
        "SELECT id, name, created_at, owner, {} FROM projects WHERE deleted_at IS NULL {condition}",
        quotas::COLUMNS
    )
}

impl Store {
    /// All that are not deleted, by ascending id.
    pub async fn list_tenants(&self, now: Timestamp) -> Result<Vec<Tenant>> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(select("ORDER BY id")))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| read(self, row, now)).collect()
    }

    pub async fn read_tenant(&self, id: ProjectId, now: Timestamp) -> Result<Option<Tenant>> {
        let row = sqlx::query(sqlx::AssertSqlSafe(select("AND id = $1")))
            .bind(id.0)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| read(self, &row, now)).transpose()
    }

    /// Adds a project with its master token and limits of its own.
    pub async fn create_tenant(
        &self,
        name: String,
        limits: OwnLimits,
        master: NewToken,
        now: Timestamp,
    ) -> Result<Option<Tenant>> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let id = insert_project(tx, &name, &master, now).await?;
                set_limits(tx, id, &limits).await?;
                let made = find(&store, tx, id, now).await?;
                let change = change_of(Action::ProjectCreate, id, None, made.as_ref());
                store.note(tx, id, change, now).await?;
                Ok(made)
            })
        })
        .await
    }

    /// Changes a project; `None`: there is none of that id.
    pub async fn change_tenant(
        &self,
        id: ProjectId,
        change: ProjectChange,
        now: Timestamp,
    ) -> Result<Option<Tenant>> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                // A write that changes nothing keeps others away from the row, and what is read next stays true.
                sqlx::query("UPDATE projects SET name = name WHERE id = $1")
                    .bind(id.0)
                    .execute(&mut *tx)
                    .await?;
                let Some(before) = find(&store, tx, id, now).await? else {
                    return Ok(None);
                };
                if let Some(name) = &change.name {
                    sqlx::query("UPDATE projects SET name = $2 WHERE id = $1")
                        .bind(id.0)
                        .bind(storable(name))
                        .execute(&mut *tx)
                        .await?;
                }
                match change.is_disabled {
                    Some(true) if before.disabled_at.is_none() => {
                        set_state(tx, id, Some(now), None).await?;
                    }
                    Some(false) if before.disabled_at.is_some() => {
                        set_state(tx, id, None, Some("resume")).await?;
                    }
                    _ => {}
                }
                let mut limits = before.own_limits.clone();
                for (quota, limit) in change.limits {
                    match limit {
                        Some(limit) => limits.insert(quota, limit),
                        None => limits.remove(&quota),
                    };
                }
                set_limits(tx, id, &limits).await?;
                let after = find(&store, tx, id, now).await?;
                let change = change_of(Action::ProjectUpdate, id, Some(&before), after.as_ref());
                store.note(tx, id, change, now).await?;
                Ok(after)
            })
        })
        .await
    }

    /// Deletes a project: for everybody it is gone at once, and everything of it soon. `false`: there is none.
    pub async fn delete_tenant(&self, id: ProjectId, now: Timestamp) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let deleted = sqlx::query(
                    "UPDATE projects SET deleted_at = $2, disabled_at = COALESCE(disabled_at, $2), chore = 'purge', \
                     purged_to = 0, owner = NULL WHERE id = $1 AND deleted_at IS NULL",
                )
                .bind(id.0)
                .bind(now.0)
                .execute(tx)
                .await?;
                Ok(deleted.rows_affected() == 1)
            })
        })
        .await
    }
}

async fn find(store: &Store, tx: &mut Tx, id: ProjectId, now: Timestamp) -> Result<Option<Tenant>> {
    let row = sqlx::query(sqlx::AssertSqlSafe(select("AND id = $1")))
        .bind(id.0)
        .fetch_optional(tx)
        .await?;
    row.map(|row| read(store, &row, now)).transpose()
}

/// For the audit log.
fn change_of(
    action: Action,
    id: ProjectId,
    before: Option<&Tenant>,
    after: Option<&Tenant>,
) -> Change {
    let tell = |one: &Tenant| json!({"name": one.name, "isDisabled": one.disabled_at.is_some(), "quotas": one.own_limits});
    Change {
        action,
        subject: id.to_string(),
        before: before.map(tell),
        after: after.map(tell),
    }
}

async fn set_state(
    tx: &mut Tx,
    id: ProjectId,
    disabled_at: Option<Timestamp>,
    chore: Option<&'static str>,
) -> Result<()> {
    sqlx::query("UPDATE projects SET disabled_at = $2, chore = $3 WHERE id = $1")
        .bind(id.0)
        .bind(disabled_at.map(|time| time.0))
        .bind(chore)
        .execute(tx)
        .await?;
    Ok(())
}

async fn set_limits(tx: &mut Tx, id: ProjectId, limits: &OwnLimits) -> Result<()> {
    sqlx::query("UPDATE projects SET own_limits = $2 WHERE id = $1")
        .bind(id.0)
        .bind(to_json("projects", limits)?)
        .execute(tx)
        .await?;
    Ok(())
}

fn read(store: &Store, row: &AnyRow, now: Timestamp) -> Result<Tenant> {
    let columns = Columns::of(row, "projects");
    let account = quotas::read(store, row, now)?;
    Ok(Tenant {
        id: ProjectId(columns.int("id")?),
        name: columns.text("name")?,
        created_at: columns.time("created_at")?,
        disabled_at: columns.maybe_time("disabled_at")?,
        owner: columns.maybe_text("owner")?,
        own_limits: columns.json("own_limits")?,
        usage: ProjectUse {
            limits: account.limits,
            used: account.used,
            skipped_today: account.skipped_today,
        },
    })
}
