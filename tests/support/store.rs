//! A store of its own for each test, on either database, and short ways to fill it.

use super::database::Database;
use super::process::PATIENCE;
use orchestrator::domain::ids::{JobId, OrchestrationId, ProjectId};
use orchestrator::domain::job::{Initiator, Job};
use orchestrator::domain::notification::Notification;
use orchestrator::domain::orchestration::Orchestration;
use orchestrator::domain::task::Task;
use orchestrator::domain::time::Timestamp;
use orchestrator::domain::token::Rights;
use orchestrator::store::{
    Capacity, CreatedJob, FailPoints, LeasedStep, NewJob, NewOrchestration, NewToken, Store,
    TokenChoice, TokenSecret,
};
use serde_json::{Map, Value, json};
use sqlx::{AnyConnection, Connection, Row};
use std::collections::HashMap;
use tempfile::TempDir;

/// 2026-01-05 12:00:00 UTC, a Monday.
pub const NOON: Timestamp = Timestamp(1_767_614_400_000_000);

pub fn seconds_after(start: Timestamp, seconds: i64) -> Timestamp {
    Timestamp(start.0 + seconds * 1_000_000)
}

/// Dropping it removes an embedded database.
pub struct TestStore {
    pub store: Store,
    pub project: ProjectId,
    url: String,
    dir: TempDir,
}

impl TestStore {
    /// With one project; `None` where the database is not installed.
    pub async fn new(database: Database) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let url = database.fresh_url(dir.path())?;
        let store = Store::open(&url).await.unwrap();
        let project = store
            .create_project("first".into(), token("master"), NOON)
            .await
            .unwrap();
        Some(Self {
            store,
            project,
            url,
            dir,
        })
    }

    /// Another host on the same database.
    pub async fn another_host(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    /// How many of a job's tasks wait for their time.
    pub async fn count_waiting_runs(&self, job: JobId) -> i64 {
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        let sql =
            "SELECT COUNT(*) FROM task_runs WHERE job_id = $1 AND wake_at IS NOT NULL AND step > 0";
        let row = sqlx::query(sql).bind(job.0).fetch_one(&mut connection);
        row.await.unwrap().get(0)
    }

    /// Waits until all that was told of jobs can be read: transactions of other tests on the same server may hold it up.
    pub async fn settled(&self) {
        settled(&self.url).await;
    }

    /// The same that dies where it is told to.
    pub async fn failing_host(&self, fail_points: FailPoints) -> Store {
        Store::open_with(&self.url, fail_points).await.unwrap()
    }

    /// The database's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A folder of its own; an embedded database is in it.
    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Runs statements beside the store, as a host of another version or an operator would.
    pub async fn sql(&self, statements: &[String]) {
        let mut connection = AnyConnection::connect(&self.url).await.unwrap();
        for sql in statements {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            query.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    pub async fn another_project(&self) -> ProjectId {
        let token = token(&format!("master of another {}", rand_text()));
        self.store
            .create_project("another".into(), token, NOON)
            .await
            .unwrap()
    }

    /// The same database, opened once more: what a restart finds.
    pub async fn reopen(&mut self) {
        self.store.close().await;
        self.store = Store::open(&self.url).await.unwrap();
    }

    /// An orchestration with these tasks, made at noon with a token of its own.
    pub async fn orchestration(&self, tasks: Vec<Task>) -> Orchestration {
        self.create(new_orchestration(self.project, tasks)).await
    }

    pub async fn create(&self, new: NewOrchestration) -> Orchestration {
        let made = self.store.create_orchestration(new, NOON).await.unwrap();
        made.expect("its token exists")
    }

    pub async fn job(&self, of: OrchestrationId, now: Timestamp) -> Job {
        match self
            .store
            .create_job(new_job(self.project, of), now)
            .await
            .unwrap()
        {
            CreatedJob::Created(job) => *job,
            other => panic!("no job: {other:?}"),
        }
    }

    /// Claims as a host with many free workers.
    pub async fn claim(
        &self,
        host: orchestrator::domain::ids::HostId,
        now: Timestamp,
    ) -> Vec<LeasedStep> {
        let capacity = Capacity {
            free: 100,
            per_project: 100,
            running: HashMap::new(),
        };
        self.store.claim_steps(host, capacity, now).await.unwrap()
    }
}

/// Waits until every event in this database can be read.
pub async fn settled(url: &str) {
    if Store::is_embedded(url) {
        return;
    }
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let sql = "SELECT COUNT(*) FROM job_events \
        WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint";
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
        if row.get::<i64, _>(0) == 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "never settled");
    }
}

fn rand_text() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A token whose look-up value is its description.
pub fn token(description: &str) -> NewToken {
    NewToken {
        description: description.into(),
        secret: TokenSecret {
            lookup: description.as_bytes().to_vec(),
            sealed: b"sealed".to_vec(),
        },
        rights: Rights::of_orchestration(),
        creator: None,
    }
}

pub fn new_orchestration(project: ProjectId, tasks: Vec<Task>) -> NewOrchestration {
    NewOrchestration {
        project_id: project,
        name: "Nightly".into(),
        crontab_record: None,
        active: true,
        token: TokenChoice::Make(token(&format!("orchestration's {}", rand_text()))),
        tasks,
        notifications: Vec::new(),
    }
}

pub fn new_job(project: ProjectId, orchestration: OrchestrationId) -> NewJob {
    NewJob {
        project_id: project,
        orchestration_id: orchestration,
        initialized_by: Initiator::Manually,
        initiator: None,
        notifications_emails: None,
        tasks: None,
        parent_run_id: None,
        trace: None,
    }
}

pub fn task(component: &str) -> Task {
    Task {
        id: String::new(),
        component: Some(component.into()),
        component_url: None,
        action: None,
        action_parameters: Map::new(),
        continue_on_failure: false,
        timeout_minutes: None,
        active: true,
        phase: None,
    }
}

pub fn in_phase(phase: &str, component: &str) -> Task {
    Task {
        phase: Some(phase.into()),
        ..task(component)
    }
}

pub fn notification(channel: &str, parameters: &Value) -> Notification {
    let json = json!({"email": "ops@example.com", "channel": channel, "parameters": parameters});
    serde_json::from_value(json).unwrap()
}
