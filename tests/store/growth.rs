//! What the size of an installation costs each statement on PostgreSQL, counted and not timed: rows that its indexes give.
//!
//! A statement's plan is made once for a connection, at the latest when it is first run, and that may be on an empty
//! database. SQLite decides by the statement alone, compiled as it is.

use crate::support::database::Database;
use crate::support::process::until;
use crate::support::store::{NOON, TestStore, seconds_after, task};
use orchestrator::domain::ids::{HostId, OrchestrationId};
use orchestrator::domain::job::Status;
use orchestrator::domain::plugin::Usage;
use orchestrator::store::{StepEnd, Store};
use sqlx::{AnyConnection, Connection, Row};

/// How many there are beside those that are looked at.
const OTHERS: i64 = 2_000;
const JOBS: usize = 40;
const NAME: &str = "growth";

/// A job from the wish to its end, and what its client reads.
async fn run(test: &TestStore, host: HostId, of: OrchestrationId) {
    let (store, project) = (&test.store, test.project);
    let job = test.job(of, NOON).await;
    let steps = test.claim(host, NOON).await;
    assert_eq!(steps.len(), 1);
    for step in steps {
        let end = StepEnd::Done {
            status: Status::Success,
            response: None,
            error_code: None,
            message: None,
        };
        let ended = store.end_step(step.lease, end, Usage::default(), NOON);
        ended.await.unwrap();
    }
    let read = store.read_job(project, job.id).await.unwrap().unwrap();
    assert_eq!(read.status, Status::Success);
    let found = store.read_orchestration(project, of).await.unwrap();
    let token = found.unwrap().token.id;
    assert!(store.read_token(project, token).await.unwrap().is_some());
    assert!(store.find_token(b"nobody's").await.unwrap().is_none());
    let page = store.list_jobs(project, of, 20, 0).await.unwrap().unwrap();
    assert_eq!(page.jobs.len(), 1);
}

/// What `.cargo/config.toml` asks of the compiler reaches it, unless the environment names flags of its own.
#[tokio::test]
async fn sqlite_keeps_its_plans_whatever_is_bound() {
    let dir = tempfile::tempdir().unwrap();
    let url = Database::Sqlite.fresh_url(dir.path()).unwrap();
    Store::open(&url).await.unwrap();
    let mut connection = AnyConnection::connect(&url).await.unwrap();

    let query = sqlx::query("SELECT compile_options FROM pragma_compile_options");
    let rows = query.fetch_all(&mut connection).await.unwrap();

    let options: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for (option, is_set) in [
        ("ENABLE_QPSG", true),
        ("DEFAULT_MEMSTATUS=0", true),
        ("ENABLE_MEMORY_MANAGEMENT", false),
    ] {
        let found = options.iter().any(|other| other == option);
        assert_eq!(found, is_set, "{option}: {options:?}");
    }
}

#[tokio::test]
async fn a_job_reads_a_handful_of_rows_however_many_others_there_are() {
    // What PostgreSQL knows of the tables' sizes when they begin to grow: nothing, and that they are small.
    for known in [
        "SELECT 1",
        "VACUUM ANALYZE projects, tokens, orchestrations, revisions, jobs, task_runs",
    ] {
        let Some(mut test) = TestStore::new(Database::Postgres).await else {
            return;
        };
        // Other tests are in the same database: these connections have a name.
        test.store.close().await;
        let url = format!("{}&application_name={NAME}", test.url());
        test.store = Store::open(&url).await.unwrap();
        let each = rows_a_job(&test, known).await;
        println!("{each} rows a job after {known}");
        assert!(each > 10, "they are not counted: {each}");
        assert!(each < 200, "{each} after {known}");
    }
}

async fn rows_a_job(test: &TestStore, known: &str) -> i64 {
    // It would learn more at a time of its own.
    let alone = "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relid FROM pg_stat_user_tables \
        WHERE schemaname = current_schema() LOOP \
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', t); END LOOP; END $$";
    test.sql(&[alone.to_owned()]).await;
    let lease_until = seconds_after(NOON, 10);
    let host = test.store.register_host(NOON, lease_until).await.unwrap();
    let first = test.orchestration(vec![task("a")]).await.id;
    // Plans everything, while there is nothing.
    run(test, host, first).await;
    test.sql(&[known.to_owned()]).await;

    let copies = format!("FROM orchestrations, generate_series(1, {OTHERS}) n WHERE id = {first}");
    test.sql(&[
        format!(
            "INSERT INTO orchestrations (project_id, revision_id, name, active, token_id, token_description, created_at, \
             task_number, job_count) SELECT project_id, revision_id, name, active, token_id, token_description, created_at, \
             task_number, 0 {copies}"
        ),
        format!(
            "INSERT INTO tokens (project_id, description, lookup, sealed, created_at, refreshed_at, is_disabled, is_master, \
             can_manage_buckets, can_manage_tokens, can_read_all_file_uploads, can_purge_trash) SELECT t.project_id, \
             t.description, decode(md5(n::text), 'hex'), t.sealed, 0, 0, 0, 0, 0, 0, 0, 0 FROM tokens t, \
             generate_series(1, {OTHERS}) n WHERE t.is_master = 1"
        ),
        // Of others: some that are over, and a queue of each.
        "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, token_id, \
         token_description) SELECT project_id, id, revision_id, status, 0, 'scheduler', 0, token_id, token_description \
         FROM orchestrations, (VALUES ('waiting'), ('success'), ('error')) s (status) ORDER BY id DESC LIMIT 3000"
            .to_owned(),
    ])
    .await;
    let mut looking = AnyConnection::connect(test.url()).await.unwrap();
    gone(test, "query LIKE 'INSERT INTO jobs%LIMIT 3000'").await;
    let wanted = i64::try_from(JOBS).unwrap();
    let rows = sqlx::query("SELECT id FROM orchestrations WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(first.0)
        .bind(wanted)
        .fetch_all(&mut looking)
        .await
        .unwrap();
    // What the copying itself has read.
    let before = rows_read(&mut looking).await;

    for row in &rows {
        run(test, host, OrchestrationId(row.get(0))).await;
    }

    // A connection tells what it has read when it ends, at the latest.
    test.store.close().await;
    looking.close().await.unwrap();
    gone(test, &format!("application_name = '{NAME}'")).await;
    let mut looking = AnyConnection::connect(test.url()).await.unwrap();
    (rows_read(&mut looking).await - before) / wanted
}

/// Returns once no connection is left, but the one that looks, of which this is true.
async fn gone(test: &TestStore, of: &str) {
    let sql = format!(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {of}"
    );
    until("connections to end", || async {
        let mut looking = AnyConnection::connect(test.url()).await.unwrap();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
        let left: i64 = query.fetch_one(&mut looking).await.unwrap().get(0);
        looking.close().await.unwrap();
        (left == 0).then_some(()).ok_or(left.to_string())
    })
    .await;
}

async fn rows_read(connection: &mut AnyConnection) -> i64 {
    let sql = "SELECT SUM(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE schemaname = current_schema()";
    sqlx::query(sql).fetch_one(connection).await.unwrap().get(0)
}
