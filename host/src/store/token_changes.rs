//! Tokens that clients make, change, refresh and delete.
//!
//! What a token may give is judged in the transaction that gives it, on the row as it is then. Whoever takes a token
//! into use locks its row first, and so does whoever deletes it: a token is never gone under an orchestration.

use super::locks::{TokenOf, lock_orchestrations_of, lock_token};
use super::rows::{Columns, storable, to_json};
use super::tokens::{COLUMNS, NewToken, Token, TokenSecret, insert_token, read};
use super::{Result, Store, Tx};
use crate::domain::audit::{Action, Change, of_token};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, TokenId};
use crate::domain::orchestration::TokenReference;
use crate::domain::time::Timestamp;
use crate::domain::token::{Rights, RightsChange};

/// What an update changes; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct TokenChange {
    pub description: Option<String>,
    pub is_disabled: Option<bool>,
    pub rights: RightsChange,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum ChangedToken {
    Done(Box<Token>),
    NotFound,
    /// What the caller's rights do not allow.
    Forbidden(&'static str),
    /// A master token keeps all its rights.
    IsMaster,
}

/// What became of the wish to delete a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletedToken {
    Done,
    NotFound,
    IsMaster,
    InUse(TokenUse),
}

/// Who uses a token: the first of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUse {
    pub orchestrations: Vec<OrchestrationId>,
    /// Waiting or processing.
    pub jobs: Vec<JobId>,
}

/// Most users of a token that are named.
const MOST_NAMED: i64 = 5;

impl Store {
    /// All of a project, by ascending id.
    pub async fn list_tokens(&self, project: ProjectId) -> Result<Vec<Token>> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE project_id = $1 ORDER BY id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(project.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Adds a token that belongs to nothing but its project.
    pub async fn create_token(
        &self,
        project: ProjectId,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Token> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let token = Token {
                    id: insert_token(tx, project, &new, now).await?,
                    project_id: project,
                    description: new.description,
                    created_at: now,
                    refreshed_at: now,
                    is_disabled: false,
                    rights: new.rights,
                    creator: new.creator,
                };
                let change = change_of(Action::TokenCreate, token.id, None, Some(&token));
                store.note(tx, project, change, now).await?;
                Ok(token)
            })
        })
        .await
    }

    /// Keeps a token that was made elsewhere, under the id that it has there, or what has changed of it since.
    pub async fn keep_token(&self, token: Token, secret: TokenSecret) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                let rights = &token.rights;
                sqlx::query(
                    "INSERT INTO tokens (id, project_id, description, lookup, sealed, created_at, refreshed_at, \
                     is_disabled, is_master, can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, \
                     can_purge_trash, component_access, bucket_permissions, expires_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $6, 0, $7, $8, $9, $10, $11, $12, $13, $14) \
                     ON CONFLICT (id) DO UPDATE SET description = excluded.description, lookup = excluded.lookup, \
                     sealed = excluded.sealed, is_disabled = 0, component_access = excluded.component_access, \
                     expires_at = excluded.expires_at WHERE tokens.project_id = excluded.project_id",
                )
                .bind(token.id.0)
                .bind(token.project_id.0)
                .bind(storable(&token.description))
                .bind(secret.lookup)
                .bind(secret.sealed)
                .bind(token.created_at.0)
                .bind(i64::from(rights.is_master))
                .bind(i64::from(rights.can_manage_buckets))
                .bind(i64::from(rights.can_manage_tokens))
                .bind(i64::from(rights.can_read_all_file_uploads))
                .bind(i64::from(rights.can_purge_trash))
                .bind(to_json("tokens", &rights.component_access)?)
                .bind(to_json("tokens", &rights.bucket_permissions)?)
                .bind(rights.expires_at.map(|end| end.0))
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Changes a token on behalf of one with the rights `by`. Orchestrations show the new description, jobs keep the one
    /// that they were created with.
    pub async fn update_token(
        &self,
        project: ProjectId,
        id: TokenId,
        change: TokenChange,
        by: Rights,
        now: Timestamp,
    ) -> Result<ChangedToken> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                if change.description.is_some() {
                    // Orchestrations before tokens: everybody takes locks in this order.
                    lock_orchestrations_of(tx, project, id).await?;
                }
                let Some(before) = find_locked(tx, project, id).await? else {
                    return Ok(ChangedToken::NotFound);
                };
                let rights = before.rights.changed(&change.rights, now);
                let is_disabled = change.is_disabled.unwrap_or(before.is_disabled);
                if before.rights.is_master {
                    if !by.is_master {
                        return Ok(ChangedToken::Forbidden("change the master token"));
                    }
                    if rights != before.rights || is_disabled {
                        return Ok(ChangedToken::IsMaster);
                    }
                }
                if let Some(refused) = by.forbid_giving(&rights, Some(&before.rights)) {
                    return Ok(ChangedToken::Forbidden(refused));
                }
                if let Some(description) = &change.description {
                    describe(tx, project, id, description).await?;
                }
                set_rights(tx, project, id, &rights, is_disabled).await?;
                let after = find(tx, project, id).await?;
                let change = change_of(Action::TokenUpdate, id, Some(&before), after.as_ref());
                store.note(tx, project, change, now).await?;
                Ok(after.map_or(ChangedToken::NotFound, |after| {
                    ChangedToken::Done(Box::new(after))
                }))
            })
        })
        .await
    }

    /// Gives a token a new secret on behalf of one with the rights `by`, which gets to see it; the old one is invalid at
    /// once.
    pub async fn refresh_token(
        &self,
        project: ProjectId,
        id: TokenId,
        secret: TokenSecret,
        by: Rights,
        now: Timestamp,
    ) -> Result<ChangedToken> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let Some(before) = find_locked(tx, project, id).await? else {
                    return Ok(ChangedToken::NotFound);
                };
                if let Some(refused) = by.forbid_giving(&before.rights, None) {
                    return Ok(ChangedToken::Forbidden(refused));
                }
                sqlx::query(
                    "UPDATE tokens SET lookup = $3, sealed = $4, refreshed_at = $5 WHERE id = $1 AND project_id = $2",
                )
                .bind(id.0)
                .bind(project.0)
                .bind(secret.lookup.as_slice())
                .bind(secret.sealed.as_slice())
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                let change = change_of(Action::TokenRefresh, id, Some(&before), Some(&before));
                store.note(tx, project, change, now).await?;
                Ok(ChangedToken::Done(Box::new(Token {
                    refreshed_at: now,
                    ..before
                })))
            })
        })
        .await
    }

    /// Deletes a token that is no master and that no orchestration and no open job uses.
    pub async fn delete_token(
        &self,
        project: ProjectId,
        id: TokenId,
        now: Timestamp,
    ) -> Result<DeletedToken> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let Some(token) = find_locked(tx, project, id).await? else {
                    return Ok(DeletedToken::NotFound);
                };
                if token.rights.is_master {
                    return Ok(DeletedToken::IsMaster);
                }
                let users = find_users(tx, id).await?;
                if users != TokenUse::default() {
                    return Ok(DeletedToken::InUse(users));
                }
                sqlx::query("DELETE FROM tokens WHERE id = $1 AND project_id = $2")
                    .bind(id.0)
                    .bind(project.0)
                    .execute(&mut *tx)
                    .await?;
                let change = change_of(Action::TokenDelete, id, Some(&token), None);
                store.note(tx, project, change, now).await?;
                Ok(DeletedToken::Done)
            })
        })
        .await
    }
}

/// For the audit log.
fn change_of(action: Action, id: TokenId, before: Option<&Token>, after: Option<&Token>) -> Change {
    let tell = |token: &Token| of_token(&token.description, token.is_disabled, &token.rights);
    Change {
        action,
        subject: id.to_string(),
        before: before.map(tell),
        after: after.map(tell),
    }
}

/// The token, if an orchestration can be given it: it exists and is neither disabled nor expired.
pub(super) async fn choose_usable_token(
    tx: &mut Tx,
    project: ProjectId,
    id: TokenId,
    now: Timestamp,
) -> Result<Option<TokenReference>> {
    let token = find_locked(tx, project, id).await?;
    let usable = token.filter(|token| !token.is_disabled && !token.rights.is_expired(now));
    Ok(usable.map(|token| TokenReference {
        id,
        description: token.description,
    }))
}

/// The token as it is until this transaction ends.
async fn find_locked(tx: &mut Tx, project: ProjectId, id: TokenId) -> Result<Option<Token>> {
    lock_token(tx, id, TokenOf::Project(project)).await?;
    find(tx, project, id).await
}

async fn find(tx: &mut Tx, project: ProjectId, id: TokenId) -> Result<Option<Token>> {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1 AND project_id = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(id.0)
        .bind(project.0)
        .fetch_optional(tx)
        .await?;
    row.as_ref().map(read).transpose()
}

async fn describe(tx: &mut Tx, project: ProjectId, id: TokenId, description: &str) -> Result<()> {
    for sql in [
        "UPDATE tokens SET description = $3 WHERE id = $1 AND project_id = $2",
        "UPDATE orchestrations SET token_description = $3 \
         WHERE token_id = $1 AND project_id = $2 AND deleted_at IS NULL",
    ] {
        sqlx::query(sql)
            .bind(id.0)
            .bind(project.0)
            .bind(storable(description))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn set_rights(
    tx: &mut Tx,
    project: ProjectId,
    id: TokenId,
    rights: &Rights,
    is_disabled: bool,
) -> Result<()> {
    sqlx::query(
        "UPDATE tokens SET is_disabled = $3, can_manage_buckets = $4, can_manage_tokens = $5, \
         can_read_all_file_uploads = $6, can_purge_trash = $7, component_access = $8, bucket_permissions = $9, \
         expires_at = $10 WHERE id = $1 AND project_id = $2",
    )
    .bind(id.0)
    .bind(project.0)
    .bind(i64::from(is_disabled))
    .bind(i64::from(rights.can_manage_buckets))
    .bind(i64::from(rights.can_manage_tokens))
    .bind(i64::from(rights.can_read_all_file_uploads))
    .bind(i64::from(rights.can_purge_trash))
    .bind(to_json("tokens", &rights.component_access)?)
    .bind(to_json("tokens", &rights.bucket_permissions)?)
    .bind(rights.expires_at.map(|end| end.0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn find_users(tx: &mut Tx, id: TokenId) -> Result<TokenUse> {
    let orchestrations = "SELECT id FROM orchestrations WHERE token_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2";
    let jobs = "SELECT id FROM jobs WHERE token_id = $1 AND status IN ('waiting', 'processing') ORDER BY id LIMIT $2";
    let orchestrations = list_ids(tx, orchestrations, id).await?;
    let jobs = list_ids(tx, jobs, id).await?;
    Ok(TokenUse {
        orchestrations: orchestrations.into_iter().map(OrchestrationId).collect(),
        jobs: jobs.into_iter().map(JobId).collect(),
    })
}

async fn list_ids(tx: &mut Tx, sql: &'static str, token: TokenId) -> Result<Vec<i64>> {
    let rows = sqlx::query(sql)
        .bind(token.0)
        .bind(MOST_NAMED)
        .fetch_all(tx)
        .await?;
    let ids = rows.iter().map(|row| Columns::of(row, "tokens").int("id"));
    ids.collect()
}
