//! What SQLite and PostgreSQL do not share; everything else is one text for both.
//!
//! SQLite has one writer at a time, so a transaction that writes is alone. On PostgreSQL several hosts, and several
//! writes of one host, run side by side: there the clauses below lock rows ([`super::locks`] says in which order).

use super::{Result, StoreError, Tx};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AnyPool};
use std::str::FromStr;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A statement that requests wait for, so often that to write its text anew would be felt: it is made once.
pub(super) struct Statement {
    write: fn(Dialect) -> String,
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Statement {
    pub(super) const fn new(write: fn(Dialect) -> String) -> Self {
        Self {
            write,
            sqlite: OnceLock::new(),
            postgres: OnceLock::new(),
        }
    }

    pub(super) fn text(&'static self, dialect: Dialect) -> &'static str {
        let text = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        text.get_or_init(|| (self.write)(dialect))
    }
}

impl Dialect {
    /// By the address of the database.
    pub(super) fn of_url(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            // Not quoted: it may hold a password.
            _ => Err(StoreError::Address(
                "it must start with sqlite:// or postgres://".into(),
            )),
        }
    }

    /// The one that a transaction speaks.
    pub(super) fn of(tx: &Tx) -> Self {
        match tx.backend_name() {
            "PostgreSQL" => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    pub(super) fn options(self, url: &str) -> Result<AnyConnectOptions> {
        let separator = if url.contains('?') { '&' } else { '?' };
        let options = match self {
            Self::Sqlite => AnyConnectOptions::from_str(&format!("{url}{separator}mode=rwc")),
            Self::Postgres => AnyConnectOptions::from_str(url),
        };
        options.map_err(|error| match self {
            Self::Sqlite => StoreError::Address(error.to_string()),
            // Its reason could quote a part with the password.
            Self::Postgres => {
                StoreError::Address("it must be postgres://user:password@host:port/database".into())
            }
        })
    }

    /// Readies a fresh connection.
    pub(super) async fn greet(self, connection: &mut AnyConnection) -> sqlx::Result<()> {
        let settings: &[&'static str] = match self {
            // FULL: a commit that was acknowledged survives a power cut.
            Self::Sqlite => &[
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA busy_timeout = 5000",
                "PRAGMA foreign_keys = ON",
            ],
            // A commit is acknowledged once it is durable, whatever the server's default. A host that was cut off in
            // mid-transaction, or one that was suspended there, does not keep its locks.
            Self::Postgres => &[
                "SET synchronous_commit = on",
                "SET default_transaction_isolation = 'read committed'",
                "SET lock_timeout = '10s'",
                "SET idle_in_transaction_session_timeout = '30s'",
                // Queries here are short: compiling one takes longer than running it.
                "SET jit = off",
                // And each has the plan that it is meant to have, whatever it binds: not made five times more for that.
                "SET plan_cache_mode = force_generic_plan",
                // Every query has an index that it is meant to walk, in its order. Plans are kept for a connection's life:
                // one that was made while a table was small must not read all of it once it is large.
                "SET enable_seqscan = off",
                "SET enable_bitmapscan = off",
                "SET enable_mergejoin = off",
                "SET enable_hashjoin = off",
                "SET enable_material = off",
                "SET random_page_cost = 1.1",
            ],
        };
        for setting in settings {
            sqlx::query(*setting).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Has a connection plan its statements anew, by the present size of the tables; `None` where that plays no part.
    pub(super) fn forget_plans(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("DISCARD PLANS"),
        }
    }

    /// Brings the schema up to date. Hosts that start at once wait for each other (on PostgreSQL by an advisory lock).
    pub(super) async fn migrate(self, pool: &AnyPool) -> Result<()> {
        match self {
            Self::Sqlite => sqlx::migrate!("../migrations/sqlite").run(pool).await?,
            Self::Postgres => sqlx::migrate!("../migrations/postgres").run(pool).await?,
        }
        Ok(())
    }

    /// How many `tables` there are where ours would be.
    pub(super) fn count_tables(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT COUNT(*) AS tables FROM sqlite_master WHERE type = 'table'",
            Self::Postgres => {
                "SELECT COUNT(*) AS tables FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        }
    }

    /// What tells a statement's plan, and the column that it is told in.
    pub(super) fn explain(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            Self::Postgres => ("EXPLAIN", "QUERY PLAN"),
        }
    }

    /// The number of the last migration that this version has.
    pub(super) fn newest_migration(self) -> i64 {
        let migrations = match self {
            Self::Sqlite => sqlx::migrate!("../migrations/sqlite"),
            Self::Postgres => sqlx::migrate!("../migrations/postgres"),
        };
        migrations.iter().map(|one| one.version).max().unwrap_or(0)
    }

    /// Begins a transaction that is going to write.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Joins to each row of `p` the first rows of a table, in which `front`, from `FROM` on, names them for one `p`.
    pub(super) fn join_front(self, table: &str, alias: &str, front: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("JOIN {table} {alias} ON {alias}.id IN (SELECT id {front})")
            }
            // The join above would read the whole table here.
            Self::Postgres => format!("CROSS JOIN LATERAL (SELECT * {front}) {alias}"),
        }
    }

    /// A table of rows that are bound as one JSON array of arrays: of numbers, and after them of texts. So a statement for
    /// many rows has one text, whatever their number, and is prepared once per connection.
    ///
    /// What is joined to them is to be looked up by its key. So a condition that another index could answer is written such
    /// that none does, with a plus before a number or an empty text behind a text: while tables are small or statistics old,
    /// a walk through such an index looks as cheap as a look-up.
    pub(super) fn rows(self, parameter: &str, numbers: &[&str], texts: &[&str]) -> String {
        let (number, each) = match self {
            // Each row as it was taken apart: from a text, each column would take it apart again.
            Self::Sqlite => ("", format!("jsonb_each({parameter})")),
            Self::Postgres => (
                "::bigint",
                // Each is an array. To say so makes the planner expect one row instead of a hundred, and begin with it.
                format!(
                    "json_array_elements({parameter}::json) WHERE json_typeof(value) = 'array'"
                ),
            ),
        };
        let numbers = numbers.iter().map(|name| (name, number));
        let columns: Vec<String> = numbers
            .chain(texts.iter().map(|name| (name, "")))
            .enumerate()
            .map(|(at, (name, cast))| format!("(value ->> {at}){cast} AS {name}"))
            .collect();
        format!("(SELECT {} FROM {each})", columns.join(", "))
    }

    /// Those of the jobs of orchestration `$1` whose id is more than `job`, as the beginning of a walk through their index in its
    /// own order. SQLite begins at an equality only; PostgreSQL, told of one, may walk through the ids of everybody's jobs.
    pub(super) fn jobs_after(self, job: &str) -> String {
        match self {
            Self::Sqlite => format!("orchestration_id = $1 AND id > {job}"),
            Self::Postgres => {
                format!("(orchestration_id, id) > ($1, {job}) AND orchestration_id <= $1")
            }
        }
    }

    /// A JSON array of these columns, to be nested in others.
    pub(super) fn json_array(self, columns: &str) -> String {
        let function = match self {
            Self::Sqlite => "json_array",
            Self::Postgres => "json_build_array",
        };
        format!("{function}({columns})")
    }

    /// A JSON array of that of each row, in no order; PostgreSQL says `NULL` where there are none.
    pub(super) fn json_of_all(self, each: &str) -> String {
        match self {
            Self::Sqlite => format!("json_group_array({each})"),
            Self::Postgres => format!("json_agg({each})"),
        }
    }

    /// The text of a JSON value.
    pub(super) fn json_text(self, json: &str) -> String {
        match self {
            Self::Sqlite => json.to_owned(),
            Self::Postgres => format!("{json}::text"),
        }
    }

    /// The bytes of a text of hexadecimal digits.
    pub(super) fn bytes_of_hex(self, text: &str) -> String {
        match self {
            Self::Sqlite => format!("unhex({text})"),
            Self::Postgres => format!("decode({text}, 'hex')"),
        }
    }

    /// A condition on rows of `job_events`: before none of them another one will ever come.
    pub(super) fn settled(self, of: &'static str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(
                " AND {of}.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            ),
        }
    }

    /// A number that no transaction has had yet, where they have numbers.
    pub(super) fn next_transaction(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("pg_snapshot_xmax(pg_current_snapshot())::text::bigint"),
        }
    }

    /// Ends a `SELECT` that locks what it finds for a change; waits for whoever has it locked. `of` is the table.
    pub(super) fn lock(self, of: &'static str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR NO KEY UPDATE OF {of}"),
        }
    }

    /// The same, but does not find what another transaction has locked.
    pub(super) fn lock_free(self, of: &'static str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR NO KEY UPDATE OF {of} SKIP LOCKED"),
        }
    }
}
