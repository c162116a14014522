//! What is to be said about an event, before it is written in any format.

use orchestrator_sdk::delivery::{Event, EventKind, FailedTask};

use crate::words::{clean, duration, time};

const MAX_NAME_CHARS: usize = 100;
const MAX_MESSAGE_CHARS: usize = 500;

pub struct Notice {
    /// The same for every notification about one orchestration's trouble of one kind, so that mail programs thread them.
    pub subject: String,
    /// What, which and since when, in one sentence without a full stop.
    pub lead: String,
    /// The job's address; empty where it is no address.
    pub url: String,
    pub tasks: Vec<TaskNotice>,
    pub facts: Vec<(&'static str, String)>,
}

pub struct TaskNotice {
    pub name: String,
    pub status: String,
    pub message: String,
}

impl Notice {
    pub fn of(event: &Event) -> Self {
        let name = match clean(&event.orchestration.name, MAX_NAME_CHARS) {
            name if name.is_empty() => format!("orchestration {}", event.orchestration.id),
            name => name,
        };
        let trouble = match &event.kind {
            EventKind::Error => "job failed",
            EventKind::Waiting => "waiting too long",
            EventKind::Processing => "running too long",
            EventKind::Success => "job succeeded",
            EventKind::Warning => "job ended with a warning",
            EventKind::Recovery => "job recovered",
            EventKind::Other(name) => &clean(name, MAX_NAME_CHARS),
        };
        Self {
            subject: format!("[Orchestrator] {name}: {trouble}"),
            lead: format!(
                "Job {} of the orchestration “{name}” {}",
                event.job.id,
                since_when(event)
            ),
            url: if is_a_web_address(&event.job.url) {
                event.job.url.clone()
            } else {
                String::new()
            },
            tasks: event.failed_tasks.iter().map(TaskNotice::of).collect(),
            facts: facts(event),
        }
    }
}

impl TaskNotice {
    fn of(task: &FailedTask) -> Self {
        Self {
            name: format!(
                "{} (task {})",
                clean(&task.component, MAX_NAME_CHARS),
                clean(&task.task_id, MAX_NAME_CHARS)
            ),
            status: clean(&task.status, MAX_NAME_CHARS),
            message: clean(&task.message, MAX_MESSAGE_CHARS),
        }
    }
}

fn since_when(event: &Event) -> String {
    let actual = event.actual_seconds.map(duration);
    let expected = event.expected_seconds.map(duration);
    let started = event
        .job
        .start_time
        .as_ref()
        .unwrap_or(&event.job.created_time);
    let end = || time(event.job.end_time.as_ref().unwrap_or(&event.time));
    match (&event.kind, actual, expected) {
        (EventKind::Error, ..) => format!("failed at {}", end()),
        (EventKind::Success, ..) => format!("succeeded at {}", end()),
        (EventKind::Warning, ..) => format!("ended with a warning at {}", end()),
        (EventKind::Recovery, ..) => {
            format!("succeeded at {}, for the first time since an error", end())
        }
        (EventKind::Waiting, Some(actual), Some(expected)) => {
            format!(
                "has been waiting since {}: {actual}, with {expected} allowed",
                time(&event.job.created_time)
            )
        }
        (EventKind::Waiting, ..) => {
            format!("has been waiting since {}", time(&event.job.created_time))
        }
        (EventKind::Processing, Some(actual), Some(expected)) => {
            format!(
                "has been running since {}: {actual}, with {expected} on average",
                time(started)
            )
        }
        (EventKind::Processing, ..) => format!("has been running since {}", time(started)),
        (EventKind::Other(name), ..) => {
            format!(
                "tells of “{}” at {}",
                clean(name, MAX_NAME_CHARS),
                time(&event.time)
            )
        }
    }
}

fn facts(event: &Event) -> Vec<(&'static str, String)> {
    let job = &event.job;
    let optional = |label, value: &Option<String>| value.as_ref().map(|value| (label, time(value)));
    let initialized_by = match job.initialized_by.as_str() {
        "manually" => "a person, by hand",
        "scheduler" => "its schedule",
        "trigger" => "a trigger",
        other => other,
    };
    [
        Some(("Status", clean(&job.status, MAX_NAME_CHARS))),
        Some(("Created", time(&job.created_time))),
        optional("Started", &job.start_time),
        optional("Ended", &job.end_time),
        Some(("Started by", clean(initialized_by, MAX_NAME_CHARS))),
        Some(("Run id", clean(&job.run_id, MAX_NAME_CHARS))),
        Some((
            "Orchestration",
            clean(&event.orchestration.url, MAX_MESSAGE_CHARS),
        )),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn is_a_web_address(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && !url.contains(|c: char| c.is_control() || c == ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn the_subject_depends_on_the_orchestration_and_the_trouble_only() {
        let mut event = event();
        let subject = Notice::of(&event).subject;
        event.job.id = 13;
        event.attempt = 2;
        event.time = "2026-04-03T00:00:00+00:00".into();
        assert_eq!(Notice::of(&event).subject, subject);

        event.kind = EventKind::Waiting;
        assert_eq!(
            Notice::of(&event).subject,
            "[Orchestrator] Nightly <load>: waiting too long"
        );
        event.kind = EventKind::Processing;
        assert_eq!(
            Notice::of(&event).subject,
            "[Orchestrator] Nightly <load>: running too long"
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_the_subject() {
        let mut event = event();
        event.orchestration.name = "a\r\nBcc: everybody@example.com\u{202e}".into();
        assert_eq!(
            Notice::of(&event).subject,
            "[Orchestrator] a Bcc: everybody@example.com: job failed"
        );

        event.orchestration.name = "é".repeat(2000);
        assert!(Notice::of(&event).subject.len() <= 500);

        event.orchestration.name = "\n".into();
        assert_eq!(
            Notice::of(&event).subject,
            "[Orchestrator] orchestration 5: job failed"
        );
    }

    #[test]
    fn the_lead_says_what_which_and_since_when() {
        let mut event = event();
        let job = "Job 12 of the orchestration “Nightly <load>”";
        assert_eq!(
            Notice::of(&event).lead,
            format!("{job} failed at 2026-04-02 03:04:05 UTC")
        );

        event.kind = EventKind::Waiting;
        event.expected_seconds = Some(1800);
        event.actual_seconds = Some(2700);
        let since =
            "has been waiting since 2026-04-02 03:00:00 UTC: 45 minutes, with 30 minutes allowed";
        assert_eq!(Notice::of(&event).lead, format!("{job} {since}"));

        event.kind = EventKind::Processing;
        let since = "has been running since 2026-04-02 03:01:00 UTC: 45 minutes, with 30 minutes on average";
        assert_eq!(Notice::of(&event).lead, format!("{job} {since}"));

        let end = "at 2026-04-02 03:04:05 UTC";
        for (kind, what) in [
            (EventKind::Success, format!("succeeded {end}")),
            (EventKind::Warning, format!("ended with a warning {end}")),
            (
                EventKind::Recovery,
                format!("succeeded {end}, for the first time since an error"),
            ),
        ] {
            event.kind = kind;
            assert_eq!(Notice::of(&event).lead, format!("{job} {what}"));
        }
    }

    #[test]
    fn only_a_web_address_becomes_a_link() {
        let mut event = event();
        assert_eq!(
            Notice::of(&event).url,
            "https://orchestrator.example/jobs/12"
        );
        for url in ["javascript:alert(1)", "/jobs/12", "https://x/\r\ny", ""] {
            event.job.url = url.into();
            assert_eq!(Notice::of(&event).url, "");
        }
    }
}
