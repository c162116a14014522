//! Tokens: found by a keyed hash of their secret, which is kept encrypted beside it.

use super::dialect::Statement;
use super::locks::{TokenOf, lock_token};
use super::rows::{Columns, read_for_keys, storable, to_json};
use super::{Result, Store, StoreError, Tx};
use crate::domain::ids::{OrchestrationId, ProjectId, TokenId};
use crate::domain::orchestration::TokenReference;
use crate::domain::time::Timestamp;
use crate::domain::token::Rights;
use sqlx::any::AnyRow;

/// A token without its secret.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: TokenId,
    pub project_id: ProjectId,
    pub description: String,
    pub created_at: Timestamp,
    pub refreshed_at: Timestamp,
    pub is_disabled: bool,
    pub rights: Rights,
    pub creator: Option<TokenReference>,
}

/// A secret as the database keeps it.
#[derive(Clone, Debug)]
pub struct TokenSecret {
    /// Keyed hash, for look-up.
    pub lookup: Vec<u8>,
    /// Encrypted value, for use.
    pub sealed: Vec<u8>,
}

/// A token to be added.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub description: String,
    pub secret: TokenSecret,
    pub rights: Rights,
    pub creator: Option<TokenReference>,
}

/// Columns of a token, for [`read`].
pub(super) const COLUMNS: &str = "id, project_id, description, created_at, refreshed_at, expires_at, is_disabled, \
    is_master, can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, can_purge_trash, component_access, \
    bucket_permissions, creator_id, creator_description";

impl Store {
    /// The token whose secret has this keyed hash, in whatever project that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::ProjectClosed`] where its project is disabled.
    pub async fn find_token(&self, lookup: &[u8]) -> Result<Option<Token>> {
        let lookups = &self.looked_up.tokens_by_secret;
        lookups.read(self, lookup.to_owned()).await
    }

    pub async fn read_token(&self, project: ProjectId, id: TokenId) -> Result<Option<Token>> {
        self.looked_up.tokens.read(self, (project, id)).await
    }

    /// A token with its secret, for use in a call; `None` where it is gone, disabled or expired.
    pub async fn read_usable_secret(
        &self,
        project: ProjectId,
        id: TokenId,
        now: Timestamp,
    ) -> Result<Option<TokenSecret>> {
        let row = sqlx::query(
            "SELECT lookup, sealed FROM tokens WHERE id = $1 AND project_id = $2 AND is_disabled = 0 \
             AND (expires_at IS NULL OR expires_at > $3)",
        )
        .bind(id.0)
        .bind(project.0)
        .bind(now.0)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            let columns = Columns::of(&row, "tokens");
            Ok(TokenSecret {
                lookup: columns.bytes("lookup")?,
                sealed: columns.bytes("sealed")?,
            })
        })
        .transpose()
    }
}

static FIND_TOKENS: Statement = Statement::new(|dialect| {
    let rows = dialect.rows("$1", &["place"], &["secret"]);
    let secret = dialect.bytes_of_hex("d.secret");
    format!(
        "SELECT d.place AS place, {COLUMNS}, (SELECT disabled_at FROM projects p WHERE p.id = project_id) AS project_disabled_at \
         FROM {rows} d JOIN tokens ON lookup = {secret} \
         WHERE EXISTS (SELECT 1 FROM projects p WHERE p.id = project_id AND p.deleted_at IS NULL)"
    )
});

/// [`Store::find_token`] for many.
pub(super) async fn find_tokens(
    store: &Store,
    lookups: &[Vec<u8>],
) -> Result<Vec<Result<Option<Token>>>> {
    let keys = lookups.iter().map(hex::encode);
    let keys: Vec<_> = keys.enumerate().collect();
    let open = |row: AnyRow| {
        let disabled_at = Columns::of(&row, "projects").maybe_time("project_disabled_at")?;
        match disabled_at {
            Some(_) => Err(StoreError::ProjectClosed),
            None => read(&row),
        }
    };
    read_for_keys(store, "tokens", &FIND_TOKENS, &keys, open).await
}

static READ_TOKENS: Statement = Statement::new(|dialect| {
    let rows = dialect.rows("$1", &["place", "project", "token"], &[]);
    format!(
        "SELECT d.place AS place, {COLUMNS} FROM {rows} d JOIN tokens ON id = d.token AND +project_id = d.project"
    )
});

/// [`Store::read_token`] for many.
pub(super) async fn read_tokens(
    store: &Store,
    keys: &[(ProjectId, TokenId)],
) -> Result<Vec<Result<Option<Token>>>> {
    let bound = keys.iter().enumerate();
    let bound: Vec<_> = bound
        .map(|(place, (project, id))| (place, project.0, id.0))
        .collect();
    read_for_keys(store, "tokens", &READ_TOKENS, &bound, |row| read(&row)).await
}

/// Adds a token inside a transaction.
pub(super) async fn insert_token(
    tx: &mut Tx,
    project: ProjectId,
    token: &NewToken,
    now: Timestamp,
) -> Result<TokenId> {
    let (creator_id, creator_description) =
        token.creator.as_ref().map_or((None, None), |creator| {
            (Some(creator.id.0), Some(creator.description.as_str()))
        });
    let rights = &token.rights;
    let row = sqlx::query(
        "INSERT INTO tokens (project_id, description, lookup, sealed, created_at, refreshed_at, is_disabled, is_master, \
         can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, can_purge_trash, component_access, \
         bucket_permissions, expires_at, creator_id, creator_description) \
         VALUES ($1, $2, $3, $4, $5, $5, 0, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id",
    )
    .bind(project.0)
    .bind(storable(&token.description))
    .bind(token.secret.lookup.as_slice())
    .bind(token.secret.sealed.as_slice())
    .bind(now.0)
    .bind(i64::from(rights.is_master))
    .bind(i64::from(rights.can_manage_buckets))
    .bind(i64::from(rights.can_manage_tokens))
    .bind(i64::from(rights.can_read_all_file_uploads))
    .bind(i64::from(rights.can_purge_trash))
    .bind(to_json("tokens", &rights.component_access)?)
    .bind(to_json("tokens", &rights.bucket_permissions)?)
    .bind(rights.expires_at.map(|end| end.0))
    .bind(creator_id)
    .bind(creator_description)
    .fetch_one(tx)
    .await?;
    Ok(TokenId(Columns::of(&row, "tokens").int("id")?))
}

/// Ties a token to the orchestration that it was made for.
pub(super) async fn tie_token(
    tx: &mut Tx,
    id: TokenId,
    orchestration: OrchestrationId,
) -> Result<()> {
    sqlx::query("UPDATE tokens SET made_for = $2 WHERE id = $1")
        .bind(id.0)
        .bind(orchestration.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives a token that was made for this orchestration a new secret; the old one is invalid at once. `false`: the token
/// is gone or was made for something else.
pub(super) async fn renew_secret(
    tx: &mut Tx,
    orchestration: OrchestrationId,
    id: TokenId,
    secret: &TokenSecret,
    now: Timestamp,
) -> Result<bool> {
    let renewed = sqlx::query(
        "UPDATE tokens SET lookup = $3, sealed = $4, refreshed_at = $5 WHERE id = $1 AND made_for = $2",
    )
    .bind(id.0)
    .bind(orchestration.0)
    .bind(secret.lookup.as_slice())
    .bind(secret.sealed.as_slice())
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Deletes a token that was made for this orchestration once nothing uses it: no live orchestration and no open job. A
/// token that was given to it stays.
pub(super) async fn drop_unused_token(
    tx: &mut Tx,
    orchestration: OrchestrationId,
    id: TokenId,
) -> Result<()> {
    // In a statement of its own, so that the next one sees who began to use the token until then.
    lock_token(tx, id, TokenOf::Orchestration(orchestration)).await?;
    sqlx::query(
        "DELETE FROM tokens WHERE id = $1 AND made_for = $2 \
         AND NOT EXISTS (SELECT 1 FROM orchestrations WHERE token_id = $1 AND deleted_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE token_id = $1 AND status IN ('waiting', 'processing'))",
    )
    .bind(id.0)
    .bind(orchestration.0)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) fn read(row: &AnyRow) -> Result<Token> {
    let columns = Columns::of(row, "tokens");
    let creator = match (
        columns.maybe_int("creator_id")?,
        columns.maybe_text("creator_description")?,
    ) {
        (Some(id), Some(description)) => Some(TokenReference {
            id: TokenId(id),
            description,
        }),
        _ => None,
    };
    Ok(Token {
        id: TokenId(columns.int("id")?),
        project_id: ProjectId(columns.int("project_id")?),
        description: columns.text("description")?,
        created_at: columns.time("created_at")?,
        refreshed_at: columns.time("refreshed_at")?,
        is_disabled: columns.flag("is_disabled")?,
        rights: Rights {
            is_master: columns.flag("is_master")?,
            can_manage_buckets: columns.flag("can_manage_buckets")?,
            can_manage_tokens: columns.flag("can_manage_tokens")?,
            can_read_all_file_uploads: columns.flag("can_read_all_file_uploads")?,
            can_purge_trash: columns.flag("can_purge_trash")?,
            component_access: columns.json("component_access")?,
            bucket_permissions: columns.json("bucket_permissions")?,
            expires_at: columns.maybe_time("expires_at")?,
        },
        creator,
    })
}
