//! Databases with their default durability: an acknowledged commit is on the disk.

#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests: a server that does not start ends the run"
)]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;

use crate::Failure;
use orchestrator::store::Store;
use postgres::Cluster;
use sqlx::{AnyConnection, Connection, Row};
use std::path::Path;

pub enum Database {
    Sqlite,
    Postgres(&'static Cluster),
}

impl Database {
    /// Those that are there.
    pub async fn all() -> Result<Vec<Self>, Failure> {
        sqlx::any::install_default_drivers();
        let mut all = vec![Self::Sqlite];
        if let Some(cluster) = Cluster::shared() {
            // The tests' servers do not wait for the disk; this one does.
            let mut connection = AnyConnection::connect(&cluster.fresh_url()).await?;
            for sql in [
                "ALTER SYSTEM SET fsync = on",
                "ALTER SYSTEM SET full_page_writes = on",
                "SELECT pg_reload_conf()",
            ] {
                sqlx::query(sql).execute(&mut connection).await?;
            }
            all.push(Self::Postgres(cluster));
        }
        Ok(all)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Of a new database.
    pub fn fresh_url(&self, data_dir: &Path) -> String {
        match self {
            Self::Sqlite => Store::embedded_url(data_dir),
            Self::Postgres(cluster) => cluster.fresh_url(),
        }
    }
}

/// A look at what a server has written.
pub struct Look(AnyConnection);

impl Look {
    pub async fn at(url: &str) -> Result<Self, Failure> {
        let mut connection = AnyConnection::connect(url).await?;
        if Store::is_embedded(url) {
            sqlx::query("PRAGMA busy_timeout = 5000")
                .execute(&mut connection)
                .await?;
        }
        Ok(Self(connection))
    }

    pub async fn number(&mut self, sql: &'static str) -> Result<i64, Failure> {
        let row = sqlx::query(sql).fetch_one(&mut self.0).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default())
    }

    /// Rows of numbers.
    pub async fn numbers(&mut self, sql: &'static str) -> Result<Vec<Vec<i64>>, Failure> {
        let rows = sqlx::query(sql).fetch_all(&mut self.0).await?;
        let numbers = |row: &sqlx::any::AnyRow| {
            let values = (0..row.len()).map(|at| row.try_get::<i64, _>(at));
            values.collect::<Result<Vec<_>, _>>()
        };
        Ok(rows.iter().map(numbers).collect::<Result<_, _>>()?)
    }

    pub async fn change(&mut self, sql: String) -> Result<(), Failure> {
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        query.execute(&mut self.0).await?;
        Ok(())
    }
}
