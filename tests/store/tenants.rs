//! Projects that are disabled, limited and deleted.

use crate::support::steps::plugins;
use crate::support::store::{
    NOON, TestStore, new_job, new_orchestration, notification, seconds_after, task,
};
use orchestrator::clock::Clock;
use orchestrator::domain::ids::ProjectId;
use orchestrator::domain::job::Status;
use orchestrator::domain::orchestration::Orchestration;
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::quota::{Limits, OverQuota, OwnLimit, Quota};
use orchestrator::domain::time::Timestamp;
use orchestrator::janitor::Janitor;
use orchestrator::registry::Registry;
use orchestrator::scheduler::Scheduler;
use orchestrator::store::{Chore, ProjectChange, Purged, StepEnd, StepUse, StoreError};
use orchestrator::wake::{Pause, Stop, Wake};
use serde_json::json;
use sqlx::{AnyConnection, Connection, Row};
use std::time::Duration;

fn pause(clock: &Clock) -> Pause {
    Pause {
        clock: clock.clone(),
        wake: Wake::default(),
        stop: Stop::default(),
    }
}

async fn schedule(test: &TestStore, now: Timestamp) {
    let clock = Clock::manual(now);
    let scheduler = Scheduler {
        store: test.store.clone(),
        pause: pause(&clock),
        runner: Wake::default(),
        events: Wake::default(),
    };
    scheduler.pass().await.unwrap();
}

async fn tidy(test: &TestStore, now: Timestamp) {
    let clock = Clock::manual(now);
    let janitor = Janitor {
        store: test.store.clone(),
        registry: Registry::new(test.store.clone(), plugins().clone()),
        pause: pause(&clock),
    };
    janitor.pass().await.unwrap();
}

async fn disable(test: &TestStore, project: ProjectId, is_disabled: bool, now: Timestamp) {
    let change = ProjectChange {
        is_disabled: Some(is_disabled),
        ..ProjectChange::default()
    };
    let changed = test.store.change_tenant(project, change, now).await;
    assert!(changed.unwrap().is_some());
}

async fn limit(test: &TestStore, quota: Quota, most: u64) {
    let change = ProjectChange {
        limits: [(quota, Some(OwnLimit::AtMost(most)))].into(),
        ..ProjectChange::default()
    };
    let changed = test.store.change_tenant(test.project, change, NOON).await;
    assert!(changed.unwrap().is_some());
}

async fn every_five_minutes(test: &TestStore) -> Orchestration {
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.crontab_record = Some("*/5 * * * *".into());
    test.create(new).await
}

/// Outcome, first and last minute after noon, and number.
async fn ledger(test: &TestStore, of: &Orchestration) -> Vec<(&'static str, i64, i64, u64)> {
    let ticks = test.store.list_ticks(test.project, of.id).await.unwrap();
    let minute = |time: Timestamp| (time.0 - NOON.0) / 60_000_000;
    ticks
        .iter()
        .map(|tick| {
            let outcome = tick.outcome.as_str();
            (outcome, minute(tick.from), minute(tick.to), tick.ticks)
        })
        .collect()
}

fn minutes(number: i64) -> Timestamp {
    seconds_after(NOON, 60 * number)
}

fn success() -> StepEnd {
    StepEnd::Done {
        status: Status::Success,
        response: None,
        error_code: None,
        message: None,
    }
}

#[tokio::test]
async fn schedules_of_a_disabled_project_stand_still_and_go_on_from_the_present() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let of = every_five_minutes(&test).await;
    schedule(&test, minutes(5)).await;
    disable(&test, test.project, true, minutes(6)).await;

    schedule(&test, minutes(10)).await;
    schedule(&test, minutes(15)).await;

    // Nothing is due, and so nothing is overdue.
    assert_eq!(test.store.next_due_time().await.unwrap(), None);
    disable(&test, test.project, false, minutes(22)).await;
    tidy(&test, minutes(22)).await;
    let next = test.store.next_due_time().await.unwrap();
    assert_eq!(next, Some(minutes(25)));
    schedule(&test, minutes(25)).await;
    assert_eq!(
        ledger(&test, &of).await,
        [
            ("fired", 5, 5, 1),
            ("paused", 10, 20, 3),
            ("fired", 25, 25, 1)
        ]
    );
    assert_eq!(test.store.list_chores().await.unwrap(), []);
}

#[tokio::test]
async fn a_pause_of_its_own_outlasts_that_of_its_project() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let mut new = new_orchestration(test.project, vec![task("a")]);
    new.crontab_record = Some("*/5 * * * *".into());
    new.active = false;
    test.create(new).await;
    disable(&test, test.project, true, minutes(1)).await;

    disable(&test, test.project, false, minutes(7)).await;
    tidy(&test, minutes(7)).await;

    assert_eq!(test.store.next_due_time().await.unwrap(), None);
}

#[tokio::test]
async fn nothing_of_a_disabled_project_is_claimed() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = test.orchestration(vec![task("a"), task("b")]).await;
    test.job(of.id, NOON).await;
    let step = test.claim(host, NOON).await.remove(0);
    disable(&test, test.project, true, NOON).await;

    // The step that runs ends as ever, and what follows from it waits.
    let ended = test
        .store
        .end_step(step.lease, success(), Usage::default(), NOON)
        .await;
    ended.unwrap();

    assert!(test.claim(host, minutes(1)).await.is_empty());
    assert_eq!(test.store.next_wake_time().await.unwrap(), None);
    let job = new_job(test.project, of.id);
    let refused = test.store.create_job(job, NOON).await;
    assert!(
        matches!(refused, Err(StoreError::ProjectClosed)),
        "{refused:?}"
    );
    disable(&test, test.project, false, minutes(2)).await;
    let steps = test.claim(host, minutes(2)).await;
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].task.component.as_deref(), Some("b"));
}

#[tokio::test]
async fn jobs_beyond_the_concurrent_ones_wait_in_their_order() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::ConcurrentJobs, 1).await;
    let other = test.another_project().await;
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let of = test.orchestration(vec![task("a")]).await;
        jobs.push(test.job(of.id, NOON).await.id);
    }
    let of_other = test.create(new_orchestration(other, vec![task("a")])).await;
    let job = new_job(other, of_other.id);
    test.store.create_job(job, NOON).await.unwrap();

    for expected in &jobs {
        let steps = test.claim(host, NOON).await;
        let own: Vec<_> = steps
            .iter()
            .filter(|step| step.job.project_id == test.project)
            .collect();
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].job.id, *expected);
        assert!(test.claim(host, NOON).await.is_empty());
        let ended = test
            .store
            .end_step(own[0].lease, success(), Usage::default(), NOON)
            .await;
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_waits_for_something_remote_leaves_its_place_to_others() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::ConcurrentJobs, 1).await;
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let outer = test.orchestration(vec![task("orchestrator")]).await;
    test.job(outer.id, NOON).await;
    let step = test.claim(host, NOON).await.remove(0);
    let inner = test.orchestration(vec![task("a")]).await;
    let inner = test.job(inner.id, NOON).await;
    let wait = StepEnd::Wait {
        state: b"sealed".to_vec(),
        wake_at: minutes(1),
        response: None,
        message: None,
        component_digest: "d1".into(),
    };
    test.store
        .end_step(step.lease, wait, Usage::default(), NOON)
        .await
        .unwrap();

    let steps = test.claim(host, NOON).await;

    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].job.id, inner.id);
}

#[tokio::test]
async fn many_hosts_at_once_take_no_place_twice() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::ConcurrentJobs, 2).await;
    for _ in 0..12 {
        let of = test.orchestration(vec![task("a")]).await;
        test.job(of.id, NOON).await;
    }
    let mut claims = Vec::new();
    for _ in 0..4 {
        // An embedded database has one host, with one writer.
        let store = if super::database() == crate::support::database::Database::Sqlite {
            test.store.clone()
        } else {
            test.another_host().await
        };
        let host = store.register_host(NOON, NOON).await.unwrap();
        claims.push(tokio::spawn(async move {
            let capacity = orchestrator::store::Capacity {
                free: 10,
                per_project: 10,
                running: std::collections::HashMap::new(),
            };
            store.claim_steps(host, capacity, NOON).await.unwrap().len()
        }));
    }
    let mut claimed = 0;
    for claim in claims {
        claimed += claim.await.unwrap();
    }
    assert_eq!(claimed, 2);
}

#[tokio::test]
async fn due_times_beyond_the_days_jobs_are_one_row_of_the_ledger_with_the_reason() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::JobsPerDay, 2).await;
    let of = every_five_minutes(&test).await;

    for tick in 1..=5 {
        schedule(&test, minutes(5 * tick)).await;
    }

    assert_eq!(
        ledger(&test, &of).await,
        [
            ("fired", 5, 5, 1),
            ("fired", 10, 10, 1),
            ("skipped", 15, 25, 3)
        ]
    );
    let ticks = test.store.list_ticks(test.project, of.id).await.unwrap();
    assert_eq!(ticks[2].reason.as_deref(), Some("quota jobsPerDay of 2"));
    let usage = test.store.read_use(test.project, minutes(26)).await;
    let usage = usage.unwrap().unwrap();
    assert_eq!((usage.used.jobs_today, usage.skipped_today), (2, 3));
    // At midnight they fire again.
    schedule(&test, minutes(12 * 60)).await;
    let last = ledger(&test, &of).await.pop().unwrap();
    assert_eq!(last.0, "caught-up");
}

#[tokio::test]
async fn jobs_that_are_made_at_once_take_no_quota_twice() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::JobsPerDay, 10).await;
    let of = test.orchestration(vec![task("a")]).await;
    let other = test.orchestration(vec![task("a")]).await;
    let mut wishes = Vec::new();
    for number in 0..40 {
        let of = if number % 2 == 0 { of.id } else { other.id };
        let (store, job) = (test.store.clone(), new_job(test.project, of));
        wishes.push(tokio::spawn(
            async move { store.create_job(job, NOON).await },
        ));
    }
    let mut made = 0;
    for wish in wishes {
        match wish.await.unwrap() {
            Ok(_) => made += 1,
            Err(StoreError::OverQuota(over)) => {
                let quota = Quota::JobsPerDay;
                assert_eq!(over, OverQuota { quota, limit: 10 });
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(made, 10);
}

#[tokio::test]
async fn the_servers_limits_are_those_of_projects_without_their_own() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let store = test.store.clone();
    let store = store.with_limits(Limits::new([(Quota::Orchestrations, 1)]));
    let new = || new_orchestration(test.project, Vec::new());
    store.create_orchestration(new(), NOON).await.unwrap();

    let second = store.create_orchestration(new(), NOON).await;
    assert!(
        matches!(second, Err(StoreError::OverQuota(_))),
        "{second:?}"
    );

    limit(&test, Quota::Orchestrations, 2).await;
    store.create_orchestration(new(), NOON).await.unwrap();
}

#[tokio::test]
async fn what_steps_compute_counts_for_their_day() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    limit(&test, Quota::CpuSecondsPerDay, 3).await;
    let of = test.orchestration(vec![task("a")]).await;
    let used = StepUse {
        cpu: Duration::from_millis(1_600),
        bytes: 100,
    };
    for _ in 0..2 {
        let used = [(test.project, used)].into();
        test.store.add_step_use(used, NOON).await.unwrap();
    }

    let job = || new_job(test.project, of.id);
    let refused = test.store.create_job(job(), NOON).await;
    assert!(
        matches!(refused, Err(StoreError::OverQuota(_))),
        "{refused:?}"
    );

    let tomorrow = minutes(12 * 60);
    test.store.create_job(job(), tomorrow).await.unwrap();
    let usage = test.store.read_use(test.project, tomorrow).await;
    assert_eq!(usage.unwrap().unwrap().used.cpu_today, Duration::ZERO);
}

/// Tables that keep blank rows of a deleted project, because their ids are never given again.
const KEPT: &[&str] = &["orchestrations", "revisions"];

async fn connect(test: &TestStore) -> AnyConnection {
    AnyConnection::connect(test.url()).await.unwrap()
}

async fn tables_with_a_project(connection: &mut AnyConnection) -> Vec<String> {
    let sql = match super::database() {
        crate::support::database::Database::Sqlite => {
            "SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND c.name = 'project_id' ORDER BY m.name"
        }
        crate::support::database::Database::Postgres => {
            "SELECT table_name::text FROM information_schema.columns \
             WHERE column_name = 'project_id' AND table_schema = current_schema() ORDER BY 1"
        }
    };
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn count(connection: &mut AnyConnection, table: &str, project: ProjectId) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE project_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(project.0)
        .fetch_one(connection)
        .await;
    row.unwrap().get(0)
}

#[tokio::test]
async fn of_a_deleted_project_nothing_is_left_but_ids() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let other = test.another_project().await;
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let mut orchestrations = Vec::new();
    for project in [test.project, other] {
        let mut new = new_orchestration(project, vec![task("secret-component"), task("b")]);
        new.crontab_record = Some("*/5 * * * *".into());
        new.notifications = vec![notification("error", &json!({}))];
        orchestrations.push(test.create(new).await);
    }
    schedule(&test, minutes(5)).await;
    let steps = test.claim(host, minutes(5)).await;
    let error = StepEnd::Done {
        status: Status::Error,
        response: Some("{}".into()),
        error_code: None,
        message: None,
    };
    for step in &steps {
        let ended = test
            .store
            .end_step(step.lease, error.clone(), Usage::default(), minutes(5));
        ended.await.unwrap();
    }
    test.job(orchestrations[0].id, minutes(6)).await;

    assert!(
        test.store
            .delete_tenant(test.project, minutes(7))
            .await
            .unwrap()
    );
    tidy(&test, minutes(7)).await;

    assert_eq!(test.store.list_chores().await.unwrap(), []);
    let mut connection = connect(&test).await;
    let tables = tables_with_a_project(&mut connection).await;
    assert!(tables.len() >= 7, "{tables:?}");
    for table in &tables {
        let left = count(&mut connection, table, test.project).await;
        let is_kept = KEPT.contains(&table.as_str());
        assert_eq!(left > 0, is_kept, "{table} has {left} rows of it");
    }
    for sql in [
        "SELECT COUNT(*) FROM orchestrations WHERE project_id = $1 AND (name <> '' OR crontab_record IS NOT NULL)",
        "SELECT COUNT(*) FROM revisions WHERE project_id = $1 AND (tasks <> '[]' OR notifications <> '[]')",
        "SELECT COUNT(*) FROM projects WHERE id = $1 AND (name <> '' OR deleted_at IS NULL)",
    ] {
        let row = sqlx::query(sql).bind(test.project.0);
        let row = row.fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 0, "{sql}");
    }
    // Its neighbour has all it had.
    for table in ["jobs", "task_runs", "ticks", "deliveries", "tokens"] {
        assert!(count(&mut connection, table, other).await > 0, "{table}");
    }
}

#[tokio::test]
async fn a_step_of_a_deleted_project_ends_before_its_job_goes() {
    let Some(test) = TestStore::new(super::database()).await else {
        return;
    };
    let host = test.store.register_host(NOON, NOON).await.unwrap();
    let of = test.orchestration(vec![task("a"), task("b")]).await;
    let job = test.job(of.id, NOON).await;
    let step = test.claim(host, NOON).await.remove(0);
    assert!(test.store.delete_tenant(test.project, NOON).await.unwrap());

    tidy(&test, NOON).await;
    let chores = test.store.list_chores().await.unwrap();
    assert_eq!(chores, [Chore::Purge(test.project)]);
    let purged = test.store.purge_project(test.project, NOON).await;
    assert_eq!(purged.unwrap(), Purged::Waits);
    assert!(
        test.store
            .read_job(test.project, job.id)
            .await
            .unwrap()
            .is_some()
    );

    let ended = test
        .store
        .end_step(step.lease, success(), Usage::default(), NOON)
        .await;
    ended.unwrap();
    assert!(test.claim(host, NOON).await.is_empty());
    tidy(&test, NOON).await;

    assert!(
        test.store
            .read_job(test.project, job.id)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(test.store.list_chores().await.unwrap(), []);
}
