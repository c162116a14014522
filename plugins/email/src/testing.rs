//! An event for the tests.

use orchestrator_sdk::delivery::{Event, EventKind, FailedTask, Job, Orchestration};

pub fn event() -> Event {
    Event {
        delivery_id: "d-1".into(),
        attempt: 1,
        kind: EventKind::Error,
        incident: "error-5-12.abc".into(),
        time: "2026-04-02T03:04:06+00:00".into(),
        email: Some("ops@example.com".into()),
        config: "{}".into(),
        parameters: "{}".into(),
        orchestration: Orchestration {
            id: 5,
            name: "Nightly <load>".into(),
            url: "https://orchestrator.example/orchestrations/5".into(),
        },
        job: Job {
            id: 12,
            run_id: "12".into(),
            status: "error".into(),
            initialized_by: "scheduler".into(),
            created_time: "2026-04-02T03:00:00+00:00".into(),
            start_time: Some("2026-04-02T03:01:00+00:00".into()),
            end_time: Some("2026-04-02T03:04:05+00:00".into()),
            url: "https://orchestrator.example/jobs/12".into(),
        },
        failed_tasks: vec![
            task("t1", "ex-db", "error", "no such\ntable <b>"),
            task("t2", "wr-db", "warning", ""),
        ],
        expected_seconds: None,
        actual_seconds: None,
        extra: Vec::new(),
    }
}

fn task(task_id: &str, component: &str, status: &str, message: &str) -> FailedTask {
    FailedTask {
        task_id: task_id.into(),
        component: component.into(),
        status: status.into(),
        message: message.into(),
    }
}
