//! Both trees of migrations give the same tables, columns and indexes: queries are one text for both.

use crate::support::database::Database;
use orchestrator::store::Store;
use sqlx::{AnyConnection, Connection, Row};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// Opens a fresh database and returns a connection to it and its folder.
async fn migrated(database: Database) -> Option<(AnyConnection, TempDir)> {
    let dir = tempfile::tempdir().unwrap();
    let url = database.fresh_url(dir.path())?;
    Store::open(&url).await.unwrap();
    Some((AnyConnection::connect(&url).await.unwrap(), dir))
}

async fn texts(connection: &mut AnyConnection, sql: &'static str) -> BTreeSet<String> {
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Name, table, uniqueness, columns and condition, as far as both say it alike.
fn index(definition: &str) -> String {
    // PostgreSQL quotes names that are words of SQL.
    let definition = definition.replace('"', "");
    let is_unique = definition.contains(" UNIQUE ");
    let (head, rest) = definition.split_once('(').unwrap();
    let (columns, condition) = rest.split_once(')').unwrap();
    let words: Vec<&str> = head.split_whitespace().collect();
    let on = words.iter().position(|word| *word == "ON").unwrap();
    let table = words[on + 1].rsplit('.').next().unwrap();
    let mut condition = condition
        .replace("::text", "")
        .replace("= ANY (ARRAY[", "IN ");
    condition.retain(|c| !"()[] ".contains(c));
    format!(
        "{} on {table} ({columns}) {condition} unique: {is_unique}",
        words[on - 1]
    )
}

#[tokio::test]
async fn hosts_that_start_at_once_make_the_tables_together() {
    let dir = tempfile::tempdir().unwrap();
    let Some(url) = Database::Postgres.fresh_url(dir.path()) else {
        return;
    };
    let opened = tokio::join!(Store::open(&url), Store::open(&url), Store::open(&url));
    opened.0.unwrap();
    opened.1.unwrap();
    assert!(!opened.2.unwrap().has_projects().await.unwrap());
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let Some((mut postgres, _)) = migrated(Database::Postgres).await else {
        return;
    };
    let (mut sqlite, _dir) = migrated(Database::Sqlite).await.unwrap();

    let columns_here = texts(
        &mut sqlite,
        "SELECT t.name || '.' || c.name || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN '' ELSE ' null' END || ' ' || \
         CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE lower(c.type) END \
         FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations'",
    )
    .await;
    let columns_there = texts(
        &mut postgres,
        "SELECT (table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '' ELSE ' null' END || ' ' || \
         data_type)::text FROM information_schema.columns WHERE table_schema = current_schema() \
         AND table_name <> '_sqlx_migrations'",
    )
    .await;
    let indexes_here = texts(
        &mut sqlite,
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    )
    .await;
    let indexes_there = texts(
        &mut postgres,
        "SELECT indexdef::text FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%\\_pkey'",
    )
    .await;

    assert!(columns_here.len() > 80 && indexes_here.len() > 15);
    assert_eq!(columns_here, columns_there);
    let all = |definitions: BTreeSet<String>| -> BTreeSet<String> {
        definitions.iter().map(|one| index(one)).collect()
    };
    assert_eq!(all(indexes_here), all(indexes_there));
}
