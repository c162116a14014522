//! What is told of jobs: all of it, once, in an order to which nothing is added behind a reader.

use crate::support::database::Database;
use crate::support::store::{NOON, TestStore, in_phase, seconds_after, task};
use orchestrator::domain::ids::{HostId, JobId};
use orchestrator::domain::job::Status;
use orchestrator::domain::job_event::{
    Cursor, EVENT_LIFE, EventKind, JobEvent, LogLevel, LogLine, MOST_LINE_BYTES_OF_JOB,
};
use orchestrator::domain::plugin::Usage;
use orchestrator::domain::task::Task;
use orchestrator::store::{Accepted, EventsOf, Lease, LeasedStep, StepEnd, StepReport};
use sqlx::{AnyConnection, Connection, Row};
use std::time::Duration;

fn done(status: Status) -> StepEnd {
    StepEnd::Done {
        status,
        response: None,
        error_code: (status != Status::Success).then(|| "REMOTE_ERROR".into()),
        message: (status != Status::Success).then(|| "it did not work".into()),
    }
}

fn waiting(message: &str) -> StepEnd {
    StepEnd::Wait {
        state: b"sealed".to_vec(),
        wake_at: NOON,
        response: None,
        message: Some(message.into()),
        component_digest: "d1".into(),
    }
}

fn line(text: &str) -> LogLine {
    LogLine {
        at: NOON,
        level: LogLevel::Info,
        text: text.into(),
    }
}

fn brief(event: &JobEvent) -> String {
    let task = event.task.as_ref().map_or("", |task| task.id.as_str());
    let told = match event.kind {
        EventKind::Log => event.message.as_deref().unwrap_or_default(),
        _ => event.label.as_str(),
    };
    format!("{} {task} {told}", event.kind.as_str())
}

struct Told {
    test: TestStore,
    host: HostId,
}

impl Told {
    async fn start() -> Option<Self> {
        let test = TestStore::new(super::database()).await?;
        let end = seconds_after(NOON, 600);
        let host = test.store.register_host(NOON, end).await.unwrap();
        Some(Self { test, host })
    }

    /// A job that was begun, and its first steps.
    async fn begin(&self, tasks: Vec<Task>) -> (JobId, Vec<LeasedStep>) {
        let of = self.test.orchestration(tasks).await;
        let job = self.test.job(of.id, NOON).await;
        (job.id, self.test.claim(self.host, NOON).await)
    }

    async fn end(&self, step: &LeasedStep, end: StepEnd, report: StepReport) -> Accepted {
        let ended = self.test.store.end_step(step.lease, end, report, NOON);
        ended.await.unwrap()
    }

    async fn of_job(&self, job: JobId, after: Cursor) -> Vec<JobEvent> {
        let of = EventsOf::Job(self.test.project, job);
        self.list(of, after).await
    }

    async fn list(&self, of: EventsOf, after: Cursor) -> Vec<JobEvent> {
        self.test.settled().await;
        self.list_now(of, after).await
    }

    async fn list_now(&self, of: EventsOf, after: Cursor) -> Vec<JobEvent> {
        let listed = self.test.store.list_job_events(of, after, 500);
        listed.await.unwrap()
    }

    async fn keep(&self, lease: Lease, lines: Vec<LogLine>) -> bool {
        self.test.store.keep_lines(lease, lines, 1).await.unwrap()
    }
}

#[tokio::test]
async fn a_jobs_life_is_told_in_its_order() {
    let Some(told) = Told::start().await else {
        return;
    };
    let tasks = vec![in_phase("1", "a"), in_phase("1", "b"), task("c")];

    let (job, steps) = told.begin(tasks).await;
    let report = StepReport {
        said: vec![line("hello\0"), line("and more")],
        tasks: 3,
        is_progress: true,
        used: Usage::default(),
    };
    told.end(&steps[0], waiting("half of it"), report).await;
    let success = || done(Status::Success);
    told.end(&steps[1], success(), StepReport::default()).await;
    let again = told.test.claim(told.host, NOON).await;
    told.end(&again[0], success(), StepReport::default()).await;
    let last = told.test.claim(told.host, NOON).await;
    told.end(&last[0], done(Status::Error), StepReport::default())
        .await;

    let events = told.of_job(job, Cursor::START).await;
    let found: Vec<_> = events.iter().map(brief).collect();
    let expected = [
        "job  waiting",
        "job  processing",
        "task 1 processing",
        "task 2 processing",
        "log 1 hello\u{fffd}",
        "log 1 and more",
        "task 1 processing",
        "task 2 success",
        "task 1 success",
        "task 3 processing",
        "task 3 error",
        "job  error",
    ];
    assert_eq!(found, expected);
    assert_eq!(events[6].message.as_deref(), Some("half of it"));
    assert_eq!(events[10].code.as_deref(), Some("REMOTE_ERROR"));
    assert!(events[11].ends_job() && !events[10].ends_job());
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].cursor < pair[1].cursor)
    );
    let after = told.of_job(job, events[8].cursor).await;
    assert_eq!(after.len(), 3);
    let end = |after| {
        let store = &told.test.store;
        store.find_end_of_events(told.test.project, job, after)
    };
    assert_eq!(end(events[10].cursor).await.unwrap(), Some(None));
    let ended = end(events[11].cursor).await.unwrap();
    assert_eq!(ended, Some(Some(Status::Error)));
}

#[tokio::test]
async fn jobs_that_are_cancelled_or_have_nothing_to_do_are_told_to_their_end() {
    let Some(told) = Told::start().await else {
        return;
    };
    let of = told.test.orchestration(vec![task("a")]).await;
    let cancelled = told.test.job(of.id, NOON).await;
    let dropped = told.test.job(of.id, NOON).await;
    let store = &told.test.store;
    let project = told.test.project;
    store.cancel_job(project, cancelled.id, NOON).await.unwrap();
    store
        .delete_orchestration(project, of.id, NOON)
        .await
        .unwrap();
    let (idle, _) = told.begin(Vec::new()).await;

    let mut found = Vec::new();
    for job in [cancelled.id, dropped.id, idle] {
        let events = told.of_job(job, Cursor::START).await;
        found.push(events.iter().map(brief).collect::<Vec<_>>().join(","));
    }

    assert_eq!(found[0], "job  waiting,job  cancelled");
    assert_eq!(found[1], "job  waiting,job  cancelled");
    assert_eq!(found[2], "job  waiting,job  processing,job  success");
}

#[tokio::test]
async fn a_result_that_comes_too_late_tells_nothing() {
    let Some(told) = Told::start().await else {
        return;
    };
    let (job, steps) = told.begin(vec![task("a")]).await;
    let before = told.of_job(job, Cursor::START).await.len();
    let late = Lease {
        epoch: steps[0].lease.epoch + 1,
        ..steps[0].lease
    };

    let kept = told.keep(late, vec![line("late")]).await;
    let report = StepReport {
        said: vec![line("late")],
        ..StepReport::default()
    };
    let ended = told
        .test
        .store
        .end_step(late, done(Status::Success), report, NOON);

    assert_eq!(ended.await.unwrap(), Accepted::LeaseLost);
    assert!(!kept);
    assert_eq!(told.of_job(job, Cursor::START).await.len(), before);
}

#[tokio::test]
async fn of_what_a_task_says_its_share_is_kept_and_the_cut_is_told_once() {
    let Some(told) = Told::start().await else {
        return;
    };
    let (job, steps) = told.begin(vec![task("a")]).await;
    let long = "x".repeat(usize::try_from(MOST_LINE_BYTES_OF_JOB).unwrap() / 4);

    for _ in 0..3 {
        assert!(
            told.keep(steps[0].lease, vec![line(&long), line(&long)])
                .await
        );
    }
    let report = StepReport {
        said: vec![line("short")],
        tasks: 1,
        ..StepReport::default()
    };
    told.end(&steps[0], done(Status::Success), report).await;

    let events = told.of_job(job, Cursor::START).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        "job", "job", "task", "log", "log", "log", "log", "limit", "task", "job",
    ];
    assert_eq!(kinds, expected);
    let cut = events[7].message.as_deref().unwrap();
    assert!(cut.contains("10000 lines and 2097152 bytes"), "{cut}");
}

#[tokio::test]
async fn the_newest_events_of_some_kinds_are_found_behind_others() {
    let Some(told) = Told::start().await else {
        return;
    };
    let (_, steps) = told.begin(vec![task("a")]).await;
    told.keep(steps[0].lease, (0..50).map(|_| line("x")).collect())
        .await;
    let of = EventsOf::Project(told.test.project);
    told.test.settled().await;
    let from = async |kinds: &[EventKind], count| {
        let store = &told.test.store;
        let place = store.find_last_events(of, kinds, count).await.unwrap();
        told.list(of, place)
            .await
            .iter()
            .map(brief)
            .collect::<Vec<_>>()
    };

    let now = from(&EventKind::ALL, 0).await;
    let last = from(&EventKind::ALL, 2).await;
    let last_of_jobs = from(&[EventKind::Job, EventKind::Task], 2).await;
    let more_than_there_are = from(&[EventKind::Job], 10).await;

    assert!(now.is_empty(), "{now:?}");
    assert_eq!(last, ["log 1 x", "log 1 x"]);
    assert_eq!(
        last_of_jobs[..3],
        ["job  processing", "task 1 processing", "log 1 x"]
    );
    assert_eq!(more_than_there_are.len(), 53);
}

#[tokio::test]
async fn events_are_kept_for_their_time() {
    let Some(told) = Told::start().await else {
        return;
    };
    let (old, _) = told.begin(vec![task("a")]).await;
    let of = told.test.orchestration(vec![task("a")]).await;
    let later = NOON.plus(Duration::from_secs(60));
    let young = told.test.job(of.id, later).await;
    let store = &told.test.store;

    assert_eq!(store.forget_job_events(later).await.unwrap(), 0);
    let dropped = store
        .forget_job_events(NOON.plus(EVENT_LIFE))
        .await
        .unwrap();

    assert_eq!(dropped, 3);
    assert!(told.of_job(old, Cursor::START).await.is_empty());
    assert_eq!(told.of_job(young.id, Cursor::START).await.len(), 1);
}

#[tokio::test]
async fn a_transaction_that_commits_late_adds_nothing_behind_a_reader() {
    if super::database() == Database::Sqlite {
        // There is one writer, and no such transaction.
        return;
    }
    let Some(told) = Told::start().await else {
        return;
    };
    let (job, _) = told.begin(vec![task("a")]).await;
    let project = told.test.project;
    let before = told.of_job(job, Cursor::START).await;
    let mut slow = AnyConnection::connect(told.test.url()).await.unwrap();
    let mut transaction = slow.begin().await.unwrap();
    let sql = "INSERT INTO job_events (project_id, job_id, happened_at, kind, label, message) VALUES ($1, $2, 0, 'log', 'info', 'slow')";
    sqlx::query(sql)
        .bind(project.0)
        .bind(job.0)
        .execute(&mut *transaction)
        .await
        .unwrap();
    let of = told.test.orchestration(vec![task("a")]).await;
    let quick = told.test.job(of.id, NOON).await;

    let of = EventsOf::Project(project);
    let place = before.last().unwrap().cursor;
    let meanwhile = told.list_now(of, place).await;
    let end = told.test.store.find_end_of_events(project, quick.id, place);
    let end = end.await.unwrap();
    transaction.commit().await.unwrap();
    let afterwards = told.list(of, place).await;

    assert!(meanwhile.is_empty(), "{meanwhile:?}");
    assert_eq!(end, Some(None));
    let jobs: Vec<_> = afterwards.iter().map(|event| event.job_id).collect();
    assert_eq!(jobs, [job, quick.id]);
}

#[tokio::test]
async fn a_reader_beside_many_writers_misses_nothing_and_sees_nothing_twice() {
    const WRITERS: usize = 4;
    const JOBS: usize = 15;
    let Some(told) = Told::start().await else {
        return;
    };
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        let store = told.test.another_host().await;
        let (project, end) = (told.test.project, seconds_after(NOON, 600));
        let of = told.test.orchestration(vec![task("a")]).await.id;
        writers.push(tokio::spawn(async move {
            let host = store.register_host(NOON, end).await.unwrap();
            for _ in 0..JOBS {
                let new = crate::support::store::new_job(project, of);
                store.create_job(new, NOON).await.unwrap();
                let capacity = orchestrator::store::Capacity {
                    free: 1,
                    per_project: 100,
                    running: std::collections::HashMap::new(),
                };
                for step in store.claim_steps(host, capacity, NOON).await.unwrap() {
                    let report = StepReport {
                        said: vec![line("x"); 3],
                        ..StepReport::default()
                    };
                    let ended = store.end_step(step.lease, done(Status::Success), report, NOON);
                    ended.await.unwrap();
                }
            }
        }));
    }

    let of = EventsOf::Project(told.test.project);
    let (mut place, mut seen) = (Cursor::START, Vec::new());
    loop {
        let is_over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let page = told.test.store.list_job_events(of, place, 7).await.unwrap();
        if page.is_empty() && is_over {
            told.test.settled().await;
            let store = &told.test.store;
            if store
                .list_job_events(of, place, 1)
                .await
                .unwrap()
                .is_empty()
            {
                break;
            }
        }
        place = page.last().map_or(place, |last| last.cursor);
        seen.extend(page.into_iter().map(|event| event.cursor.id));
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }

    let mut connection = AnyConnection::connect(told.test.url()).await.unwrap();
    let rows = sqlx::query("SELECT id FROM job_events ORDER BY id")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let all: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    seen.sort_unstable();
    assert_eq!(seen, all);
    assert!(all.len() > WRITERS * JOBS, "{}", all.len());
}

#[tokio::test]
async fn events_of_a_database_that_was_moved_come_before_all_that_happens_later() {
    if super::database() == Database::Sqlite {
        return;
    }
    let Some(mut told) = Told::start().await else {
        return;
    };
    let (job, steps) = told.begin(vec![task("a")]).await;
    let elsewhere = "UPDATE job_events SET transaction_id = transaction_id + 1000000000";
    told.test.sql(&[elsewhere.to_owned()]).await;
    let of = EventsOf::Job(told.test.project, job);
    assert!(told.list_now(of, Cursor::START).await.is_empty());

    told.test.reopen().await;
    told.end(&steps[0], done(Status::Success), StepReport::default())
        .await;

    let events = told.of_job(job, Cursor::START).await;
    let found: Vec<_> = events.iter().map(brief).collect();
    let expected = [
        "job  waiting",
        "job  processing",
        "task 1 processing",
        "task 1 success",
        "job  success",
    ];
    assert_eq!(found, expected);
}
