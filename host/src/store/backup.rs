//! A copy of an embedded database, made while a server writes to it.

use super::dialect::Dialect;
use super::rows::Columns;
use super::{Result, Store, StoreError};
use sqlx::{AnyConnection, Connection};
use std::path::Path;

/// More than a server makes of anything until somebody restores an old backup of it.
const NUMBERS_LEFT_OUT: i64 = 1_000_000_000;

impl Store {
    /// Copies the embedded database at this address, as it is at one moment, to a file that must not exist yet, and has
    /// SQLite look through the copy. Writers are not held up. The copy is as durable as its file system makes it: syncing
    /// it is the caller's.
    ///
    /// # Errors
    /// An address that is not of an embedded database, or of none that exists; a copy that cannot be written, or is damaged.
    pub async fn back_up(url: &str, to: &Path) -> Result<()> {
        sqlx::any::install_default_drivers();
        if Dialect::of_url(url)? != Dialect::Sqlite {
            return Err(StoreError::Address(
                "it is a server's, which has tools of its own (pg_dump)".into(),
            ));
        }
        if !Self::file_exists(url) {
            return Err(StoreError::Address("there is no database".into()));
        }
        let mut connection = AnyConnection::connect(url).await?;
        sqlx::query("PRAGMA busy_timeout = 5000")
            .execute(&mut connection)
            .await?;
        // One read transaction from its begin to its end: in WAL mode that is a moment, and nobody waits for it.
        sqlx::query("VACUUM INTO $1")
            .bind(to.display().to_string())
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        make_usable(to).await
    }
}

/// Looks through the copy, and has it count on from numbers that the original will not have come to: what was made after
/// the copy is forgotten in it, but not by components and clients, who know it by its number.
async fn make_usable(file: &Path) -> Result<()> {
    let mut copy = AnyConnection::connect(&super::file_url(file)).await?;
    let row = sqlx::query("SELECT quick_check AS found FROM pragma_quick_check LIMIT 1")
        .fetch_one(&mut copy)
        .await?;
    let found = Columns::of(&row, "the copy").text("found")?;
    if found != "ok" {
        return Err(StoreError::Damaged {
            table: "the copy",
            reason: format!("{}: {found}", file.display()),
        });
    }
    sqlx::query("UPDATE sqlite_sequence SET seq = seq + $1")
        .bind(NUMBERS_LEFT_OUT)
        .execute(&mut copy)
        .await?;
    copy.close().await?;
    Ok(())
}
