//! What the chat shows: one sentence, the tasks that failed, and where to look.

use orchestrator_sdk::delivery::{Event, EventKind, FailedTask};
use orchestrator_sdk::serde_json::{Value, json};

const MAX_NAME_CHARS: usize = 100;
const MAX_MESSAGE_CHARS: usize = 100;
/// A chat refuses texts of more than 3,000 characters.
const MAX_TASKS: usize = 5;

pub fn of(event: &Event) -> String {
    let lead = lead(event);
    let mut blocks = vec![section(&format!("{} {lead}", mark(&event.kind)))];
    if !event.failed_tasks.is_empty() {
        blocks.push(section(&tasks(&event.failed_tasks)));
    }
    let links = format!(
        "{} · {}",
        link(&event.job.url, &format!("Job {}", event.job.id)),
        link(&event.orchestration.url, "Orchestration")
    );
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": links}]}));
    json!({"text": lead, "blocks": blocks}).to_string()
}

fn lead(event: &Event) -> String {
    let name = escape(&event.orchestration.name, MAX_NAME_CHARS);
    let what = match &event.kind {
        EventKind::Error => "failed",
        EventKind::Waiting => "has been waiting for its start too long",
        EventKind::Processing => "has been running longer than usual",
        EventKind::Success => "succeeded",
        EventKind::Warning => "ended with a warning",
        EventKind::Recovery => "succeeded, for the first time since an error",
        EventKind::Other(name) => &format!("tells of “{}”", escape(name, MAX_NAME_CHARS)),
    };
    format!("*{name}*: job {} {what}", event.job.id)
}

fn mark(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Error => ":red_circle:",
        EventKind::Waiting | EventKind::Processing => ":hourglass:",
        EventKind::Success | EventKind::Recovery => ":large_green_circle:",
        EventKind::Warning => ":large_yellow_circle:",
        EventKind::Other(_) => ":information_source:",
    }
}

fn tasks(failed: &[FailedTask]) -> String {
    let shown = failed.iter().take(MAX_TASKS).map(|task| {
        let component = escape(&task.component, MAX_NAME_CHARS);
        let message = escape(&task.message, MAX_MESSAGE_CHARS);
        format!("• *{component}* {}: {message}", escape(&task.status, 20))
    });
    let mut lines: Vec<String> = shown.collect();
    if failed.len() > MAX_TASKS {
        lines.push(format!("and {} more", failed.len() - MAX_TASKS));
    }
    lines.join("\n")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn link(url: &str, text: &str) -> String {
    let is_plain = !url.contains(|c: char| c.is_control() || matches!(c, ' ' | '<' | '>' | '|'));
    if is_plain && (url.starts_with("https://") || url.starts_with("http://")) {
        format!("<{url}|{text}>")
    } else {
        text.to_owned()
    }
}

/// One line of at most so many characters, in which nothing means anything to the chat.
fn escape(text: &str, max_chars: usize) -> String {
    let mut escaped = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == max_chars {
            escaped.push('…');
            break;
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Marks of bold, italics, strikethrough and code: a character that looks the same stands for them.
            '*' => escaped.push('∗'),
            '`' => escaped.push('ˋ'),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_sdk::delivery::{Job, Orchestration};
    use orchestrator_sdk::serde_json::from_str;

    fn event(failed: usize) -> Event {
        let task = FailedTask {
            task_id: "t1".into(),
            component: "ex-db".into(),
            status: "error".into(),
            message: "<!channel> *no* such\ntable".into(),
        };
        Event {
            delivery_id: "delivery_7_abc".into(),
            attempt: 1,
            kind: EventKind::Error,
            incident: "error-5-12.abc".into(),
            time: "2026-04-02T03:04:06+00:00".into(),
            email: None,
            config: r#"{"url": "https://hooks.example/a"}"#.into(),
            parameters: "{}".into(),
            orchestration: Orchestration {
                id: 5,
                name: "Nightly <load> & more".into(),
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
            failed_tasks: vec![task; failed],
            expected_seconds: None,
            actual_seconds: None,
            extra: Vec::new(),
        }
    }

    #[test]
    fn a_message_has_text_blocks_and_links() {
        let json: Value = from_str(&of(&event(1))).unwrap();
        let lead = "*Nightly &lt;load&gt; &amp; more*: job 12 failed";
        assert_eq!(json["text"], lead);
        let blocks = json["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), 3);
        assert_eq!(blocks[0]["text"]["text"], format!(":red_circle: {lead}"));
        let tasks = "• *ex-db* error: &lt;!channel&gt; ∗no∗ such table";
        assert_eq!(blocks[1]["text"]["text"], tasks);
        let links = "<https://orchestrator.example/jobs/12|Job 12> · <https://orchestrator.example/orchestrations/5|Orchestration>";
        assert_eq!(blocks[2]["elements"][0]["text"], links);
    }

    #[test]
    fn a_message_stays_short() {
        let mut event = event(20);
        for task in &mut event.failed_tasks {
            task.message = "<".repeat(2_000);
        }
        let json: Value = from_str(&of(&event)).unwrap();
        let tasks = json["blocks"][1]["text"]["text"].as_str().unwrap();
        assert!(tasks.ends_with("and 15 more"), "{tasks}");
        assert!(tasks.chars().count() <= 3_000, "{}", tasks.chars().count());
    }
}
