//! Databases to measure on, filled by SQL beside the store.

#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "shared with the tests: a server that does not start ends the run"
)]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;

use orchestrator::domain::ids::{HostId, ProjectId};
use orchestrator::domain::orchestration::Orchestration;
use orchestrator::domain::time::Timestamp;
use orchestrator::domain::token::Rights;
use orchestrator::store::{NewOrchestration, NewToken, Store, TokenChoice, TokenSecret};
use postgres::Cluster;
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// 2026-01-05 12:00:00 UTC.
pub const NOON: Timestamp = Timestamp(1_767_614_400_000_000);

pub enum Database {
    Sqlite,
    Postgres(&'static Cluster),
}

impl Database {
    /// Those that are there.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Sqlite];
        all.extend(Cluster::shared().map(Self::Postgres));
        all
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    pub async fn open(&self) -> Result<Filled, Failure> {
        let dir = tempfile::tempdir()?;
        let url = match self {
            Self::Sqlite => Store::embedded_url(dir.path()),
            Self::Postgres(cluster) => cluster.fresh_url(),
        };
        let store = Store::open(&url).await?;
        let project = store
            .create_project("large".into(), token("master"), NOON)
            .await?;
        let host = store.register_host(NOON, Timestamp(i64::MAX / 2)).await?;
        Ok(Filled {
            store,
            project,
            host,
            url,
            _dir: dir,
        })
    }
}

/// A database of its own; dropping it removes an embedded one.
pub struct Filled {
    pub store: Store,
    pub project: ProjectId,
    pub host: HostId,
    url: String,
    _dir: TempDir,
}

impl Filled {
    /// Runs statements without looking at keys of other tables and without waiting for the disk, and lets the database
    /// take stock of what it then has.
    pub async fn fill(&self, statements: &[String]) -> Result<(), Failure> {
        let mut connection = AnyConnection::connect(&self.url).await?;
        let settings: &[&'static str] = if Store::is_embedded(&self.url) {
            &["PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF"]
        } else {
            &["SET session_replication_role = replica"]
        };
        for sql in settings {
            sqlx::query(*sql).execute(&mut connection).await?;
        }
        for sql in statements {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            query.execute(&mut connection).await?;
        }
        if !Store::is_embedded(&self.url) {
            sqlx::query("ANALYZE").execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }

    /// An orchestration with one task, to copy tasks and token from.
    pub async fn model(&self) -> Result<Orchestration, Failure> {
        let tasks = serde_json::from_str(
            r#"[{"id": "1", "component": "a", "actionParameters": {}, "timeoutMinutes": null, "active": true, "continueOnFailure": false, "phase": null}]"#,
        )?;
        let subscription =
            r#"[{"email": "a@example.com", "channel": "processing", "parameters": {}}]"#;
        let new = NewOrchestration {
            project_id: self.project,
            name: "model".into(),
            crontab_record: None,
            active: true,
            token: TokenChoice::Make(token("model")),
            tasks,
            notifications: serde_json::from_str(subscription)?,
        };
        let made = self.store.create_orchestration(new, NOON).await?;
        made.ok_or_else(|| "its token exists".into())
    }
}

/// Begins a statement over `n(i)`, the numbers from 1 on.
pub fn numbers(most: i64) -> String {
    format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) ")
}

/// Adds projects, `number` of them.
pub fn add_projects(number: i64) -> String {
    numbers(number) + "INSERT INTO projects (name, created_at) SELECT 'small', 0 FROM n"
}

/// Adds orchestrations like `model`; `project` is an expression over `i`.
pub fn add_orchestrations(
    model: &Orchestration,
    number: i64,
    project: &str,
    due: Timestamp,
) -> String {
    numbers(number)
        + &format!(
            "INSERT INTO orchestrations (project_id, revision_id, name, crontab_record, active, token_id, \
             token_description, created_at, next_scheduled_at, task_number, job_count) \
             SELECT {project}, {}, 'one of many', '*/5 * * * *', 1, {}, '', 0, {}, 1, 0 FROM n",
            model.revision.id.0, model.token.id.0, due.0
        )
}

fn token(lookup: &str) -> NewToken {
    NewToken {
        description: lookup.into(),
        secret: TokenSecret {
            lookup: lookup.as_bytes().to_vec(),
            sealed: Vec::new(),
        },
        rights: Rights::of_orchestration(),
        creator: None,
    }
}
