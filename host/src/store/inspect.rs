//! A look at a database that changes nothing: for whoever wants to know what a start would find.

use super::dialect::Dialect;
use super::rows::{Columns, Query};
use super::{Result, Store};
use sqlx::{AnyConnection, Connection};

/// The number of the last migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// That the database has.
    pub present: i64,
    /// That this version brings.
    pub known: i64,
}

impl Store {
    /// The schema of the database at this address; `None` where it has no tables yet.
    ///
    /// # Errors
    /// An address that cannot be used, or a database that does not answer.
    pub async fn inspect(url: &str) -> Result<Option<Schema>> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(url)?;
        let is_file = dialect == Dialect::Sqlite;
        if is_file && !Self::file_exists(url) {
            return Ok(None);
        }
        let mut connection = AnyConnection::connect(url).await?;
        let tables = match dialect {
            Dialect::Sqlite => {
                "SELECT COUNT(*) AS found FROM sqlite_master WHERE name = '_sqlx_migrations'"
            }
            Dialect::Postgres => {
                "SELECT COUNT(*) AS found FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'"
            }
        };
        let row = sqlx::query(tables).fetch_one(&mut connection).await?;
        if Columns::of(&row, "_sqlx_migrations").int("found")? == 0 {
            return Ok(None);
        }
        let newest = "SELECT COALESCE(MAX(version), 0) AS version FROM _sqlx_migrations";
        let row = sqlx::query(newest).fetch_one(&mut connection).await?;
        let present = Columns::of(&row, "_sqlx_migrations").int("version")?;
        connection.close().await?;
        Ok(Some(Schema {
            present,
            known: dialect.newest_migration(),
        }))
    }

    pub(super) fn file_exists(url: &str) -> bool {
        let path = url.trim_start_matches("sqlite://");
        let path = path.split('?').next().unwrap_or(path);
        let decoded = percent_decoded(path);
        std::path::Path::new(&decoded).is_file()
    }

    /// A statement that asks for the plan of this one.
    pub(super) fn explained(&self, sql: &str) -> String {
        let (explain, _) = self.dialect.explain();
        format!("{explain} {sql}")
    }

    /// The plan that such a statement tells, line by line.
    pub(super) async fn plan(&self, explained: Query) -> Result<Vec<String>> {
        let (_, column) = self.dialect.explain();
        let rows = explained.fetch_all(&self.read).await?;
        let line = |row| Columns::of(row, "the plan").text(column);
        rows.iter().map(line).collect()
    }
}

fn percent_decoded(text: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::OsStringExt;
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(decoded)
}
