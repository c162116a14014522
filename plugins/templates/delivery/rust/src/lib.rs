//! The delivery `{{id}}`: opens an alert at an API for what went wrong, and closes it when it is over.
//!
//! The server calls [`Delivery::deliver`] once per attempt. After a failure of the kind `Transient` or `RateLimit` it tries
//! again, later and later, for three days. An attempt may be repeated: the API gets the delivery's id as a key.

use orchestrator_sdk::delivery::{Delivery, Event, EventKind, Failure, FailureKind, check};
use orchestrator_sdk::http::Request;
use orchestrator_sdk::log;
use orchestrator_sdk::serde_json::json;
use serde::Deserialize;

const API: &str = "https://alerts.example.com/alerts";

/// The notification's `config`.
#[derive(Deserialize)]
struct Config {
    team: String,
}

/// What the API answers.
#[derive(Deserialize)]
struct Alert {
    id: String,
}

struct Alerts;

impl Delivery for Alerts {
    fn deliver(event: Event) -> Result<Option<String>, Failure> {
        let config: Config = event.config_as()?;
        let is_over = matches!(event.kind, EventKind::Recovery | EventKind::Success);
        let state = if is_over { "closed" } else { "open" };
        let failed = event.failed_tasks.iter();
        let details = failed.map(|task| format!("{}: {}", task.component, task.message));
        let alert = json!({
            // The same for errors that follow one another, and for the recovery that ends them.
            "key": event.incident,
            "state": state,
            "team": config.team,
            "title": format!("{}: {}", event.orchestration.name, event.kind.name()),
            "details": details.collect::<Vec<_>>(),
            "url": event.job.url,
        });
        let request = Request::new("POST", API)
            .header("Idempotency-Key", &event.delivery_id)
            .with_json(&alert);
        let answer = check(request.send())?;
        let Alert { id } = answer
            .json_as()
            .map_err(|why| Failure::new(FailureKind::Remote, "BAD_ANSWER", why))?;
        log::info(&format!("alert {id} is {state}"));
        Ok(Some(format!("alert {id}")))
    }
}

orchestrator_sdk::export_delivery!(Alerts);
