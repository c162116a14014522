//! What is posted: the event's type, its time, and what happened to which job.

use orchestrator_sdk::delivery::Event;
use orchestrator_sdk::serde_json::{Value, from_str, json};

pub fn of(event: &Event) -> String {
    let (orchestration, job) = (&event.orchestration, &event.job);
    let failed = event.failed_tasks.iter().map(|task| {
        json!({
            "id": task.task_id,
            "component": task.component,
            "status": task.status,
            "message": task.message,
        })
    });
    let parameters: Value = from_str(&event.parameters).unwrap_or_default();
    json!({
        "type": format!("job.{}", event.kind.name()),
        "timestamp": event.time,
        "data": {
            "orchestration": {"id": orchestration.id, "name": orchestration.name, "url": orchestration.url},
            "job": {
                "id": job.id,
                "runId": job.run_id,
                "status": job.status,
                "initializedBy": job.initialized_by,
                "createdTime": job.created_time,
                "startTime": job.start_time,
                "endTime": job.end_time,
                "url": job.url,
            },
            "incident": event.incident,
            "failedTasks": failed.collect::<Vec<_>>(),
            "parameters": parameters,
            "expectedSeconds": event.expected_seconds,
            "actualSeconds": event.actual_seconds,
        },
    })
    .to_string()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use orchestrator_sdk::delivery::{EventKind, FailedTask, Job, Orchestration};

    pub fn event() -> Event {
        Event {
            delivery_id: "delivery_7_abc".into(),
            attempt: 1,
            kind: EventKind::Error,
            incident: "error-5-12.abc".into(),
            time: "2026-04-02T03:04:06+00:00".into(),
            email: None,
            config: r#"{"url": "https://hooks.example/a", "credential": "hook"}"#.into(),
            parameters: "{}".into(),
            orchestration: Orchestration {
                id: 5,
                name: "Nightly".into(),
                url: "https://orchestrator.example/orchestrations/5".into(),
            },
            job: Job {
                id: 12,
                run_id: "12".into(),
                status: "error".into(),
                initialized_by: "scheduler".into(),
                created_time: "2026-04-02T03:00:00+00:00".into(),
                start_time: None,
                end_time: None,
                url: "https://orchestrator.example/jobs/12".into(),
            },
            failed_tasks: vec![FailedTask {
                task_id: "t1".into(),
                component: "ex-db".into(),
                status: "error".into(),
                message: "no such table".into(),
            }],
            expected_seconds: None,
            actual_seconds: None,
            extra: Vec::new(),
        }
    }

    #[test]
    fn an_event_says_what_happened_to_which_job() {
        let json: Value = from_str(&of(&event())).unwrap();
        assert_eq!(json["type"], "job.error");
        assert_eq!(json["timestamp"], "2026-04-02T03:04:06+00:00");
        let data = &json["data"];
        assert_eq!(data["job"]["status"], "error");
        assert_eq!(data["orchestration"]["id"], 5);
        assert_eq!(data["failedTasks"][0]["message"], "no such table");
        assert_eq!(data["expectedSeconds"], Value::Null);
        assert_eq!(data["incident"], "error-5-12.abc");
    }

    #[test]
    fn an_event_of_a_later_server_is_told_under_its_name() {
        let later = Event {
            kind: EventKind::Other("skipped".into()),
            ..event()
        };
        let json: Value = from_str(&of(&later)).unwrap();
        assert_eq!(json["type"], "job.skipped");
    }
}
