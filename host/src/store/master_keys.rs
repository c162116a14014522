//! Which master keys there are, which of them every host has, and the values that are to be sealed anew.
//!
//! A key is *new* until every living host has it, then *current*, then *old* while values sealed under it are left, and
//! *retired* after that. Keys themselves never come here: a row holds a text sealed under its key.

use super::rows::Columns;
use super::{Result, Store};
use crate::domain::ids::HostId;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;

/// What a master key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    New,
    Current,
    Old,
    Retired,
}

impl KeyState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Current => "current",
            Self::Old => "old",
            Self::Retired => "retired",
        }
    }
}

/// One that the database was ever used with.
#[derive(Clone, Debug)]
pub struct MasterKey {
    /// What values sealed under it begin with.
    pub id: u8,
    pub check: Vec<u8>,
    pub state: KeyState,
    pub promoted_at: Option<Timestamp>,
}

/// A column of sealed values. Whose a value is, is a number and a text of its row.
#[derive(Debug)]
pub struct SealedColumn {
    pub table: &'static str,
    pub column: &'static str,
    pub number: &'static str,
    pub text: &'static str,
    /// What the value was sealed for.
    pub purpose: &'static str,
}

/// All of them but the secrets of tokens, which move together with their look-up hash.
pub const SEALED_COLUMNS: &[SealedColumn] = &[
    SealedColumn {
        table: "task_runs",
        column: "state",
        number: "id",
        text: "''",
        purpose: "state",
    },
    SealedColumn {
        table: "credentials",
        column: "sealed",
        number: "project_id",
        text: "name",
        purpose: "credential",
    },
];

/// The place of a sealed value in its column.
#[derive(Clone, Debug)]
pub struct SealedPlace {
    pub number: i64,
    pub text: String,
}

impl Store {
    /// All, oldest first.
    pub async fn list_master_keys(&self) -> Result<Vec<MasterKey>> {
        let sql = "SELECT id, key_check, state, promoted_at FROM master_keys ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&self.read).await?;
        rows.iter().map(read).collect()
    }

    /// Adds a key under its number unless the number is taken.
    pub async fn add_master_key(
        &self,
        id: u8,
        check: Vec<u8>,
        state: KeyState,
        now: Timestamp,
    ) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO master_keys (id, key_check, state, created_at) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (id) DO NOTHING",
                )
                .bind(i64::from(id))
                .bind(check)
                .bind(state.as_str())
                .bind(now.0)
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Says that this host has the key and all current ones.
    pub async fn note_host_key(&self, host: HostId, id: u8) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query("UPDATE hosts SET key_id = $2 WHERE id = $1")
                    .bind(host.0)
                    .bind(i64::from(id))
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Makes a new key the current one, if every living host has it; `false` otherwise.
    pub async fn promote_master_key(&self, id: u8, now: Timestamp) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let promoted = sqlx::query(
                    "UPDATE master_keys SET state = 'current', promoted_at = $2 WHERE id = $1 AND state = 'new' \
                     AND NOT EXISTS (SELECT 1 FROM hosts WHERE key_id < $1)",
                )
                .bind(i64::from(id))
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                if promoted.rows_affected() == 0 {
                    return Ok(false);
                }
                // One that was to be the next, and was taken away again, has sealed nothing.
                sqlx::query(
                    "UPDATE master_keys SET state = CASE state WHEN 'new' THEN 'retired' ELSE 'old' END \
                     WHERE id < $1 AND state <> 'retired'",
                )
                .bind(i64::from(id))
                .execute(tx)
                .await?;
                Ok(true)
            })
        })
        .await
    }

    /// Nothing is sealed under old keys any more.
    pub async fn retire_old_master_keys(&self, current: u8) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE master_keys SET state = 'retired' WHERE state = 'old' AND id < $1",
                )
                .bind(i64::from(current))
                .execute(tx)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Values of a column that are sealed under another key than `current`: the first ones.
    pub async fn list_sealed_otherwise(
        &self,
        of: &'static SealedColumn,
        current: u8,
        limit: u32,
    ) -> Result<Vec<(SealedPlace, Vec<u8>)>> {
        let SealedColumn {
            table,
            column,
            number,
            text,
            ..
        } = of;
        let sql = format!(
            "SELECT {number} AS number, {text} AS text, {column} AS sealed FROM {table} \
             WHERE {column} IS NOT NULL AND substr({column}, 1, 1) <> $1 \
             ORDER BY 1, 2 LIMIT $2"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind([current].as_slice())
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        let read = |row| {
            let columns = Columns::of(row, table);
            let place = SealedPlace {
                number: columns.int("number")?,
                text: columns.text("text")?,
            };
            Ok((place, columns.bytes("sealed")?))
        };
        rows.iter().map(read).collect()
    }

    /// Puts a value that was sealed anew in the place of the old one; `false`: that is gone.
    pub async fn replace_sealed(
        &self,
        of: &'static SealedColumn,
        place: SealedPlace,
        before: Vec<u8>,
        after: Vec<u8>,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let SealedColumn {
                    table,
                    column,
                    number,
                    text,
                    ..
                } = of;
                let sql = format!(
                    "UPDATE {table} SET {column} = $4 WHERE {number} = $1 AND {text} = $2 AND {column} = $3"
                );
                let replaced = sqlx::query(sqlx::AssertSqlSafe(sql))
                    .bind(place.number)
                    .bind(place.text)
                    .bind(before)
                    .bind(after)
                    .execute(tx)
                    .await?;
                Ok(replaced.rows_affected() == 1)
            })
        })
        .await
    }

    /// Secrets of tokens that are sealed under another key than `current`: id, look-up hash, sealed secret.
    pub async fn list_tokens_sealed_otherwise(
        &self,
        current: u8,
        limit: u32,
    ) -> Result<Vec<(i64, Vec<u8>, Vec<u8>)>> {
        let rows = sqlx::query(
            "SELECT id, lookup, sealed FROM tokens WHERE substr(sealed, 1, 1) <> $1 ORDER BY id LIMIT $2",
        )
        .bind([current].as_slice())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let read = |row| {
            let columns = Columns::of(row, "tokens");
            let id = columns.int("id")?;
            Ok((id, columns.bytes("lookup")?, columns.bytes("sealed")?))
        };
        rows.iter().map(read).collect()
    }

    /// Gives a token's secret a new look-up hash and a new seal, unless the secret has changed meanwhile.
    pub async fn move_token_secret(
        &self,
        id: i64,
        before: Vec<u8>,
        lookup: Vec<u8>,
        sealed: Vec<u8>,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let moved = sqlx::query(
                    "UPDATE tokens SET lookup = $3, sealed = $4 WHERE id = $1 AND lookup = $2",
                )
                .bind(id)
                .bind(before)
                .bind(lookup)
                .bind(sealed)
                .execute(tx)
                .await?;
                Ok(moved.rows_affected() == 1)
            })
        })
        .await
    }
}

fn read(row: &AnyRow) -> Result<MasterKey> {
    let columns = Columns::of(row, "master_keys");
    let state = columns.text("state")?;
    Ok(MasterKey {
        id: columns.count("id")?,
        check: columns.bytes("key_check")?,
        state: match state.as_str() {
            "new" => KeyState::New,
            "current" => KeyState::Current,
            "old" => KeyState::Old,
            "retired" => KeyState::Retired,
            _ => return Err(columns.damaged(format!("unknown state {state:?}"))),
        },
        promoted_at: columns.maybe_time("promoted_at")?,
    })
}
