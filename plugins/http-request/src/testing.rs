//! A task's context for the tests.

use orchestrator_sdk::task::{Certainty, Context};

pub fn context(parameters: &str) -> Context {
    Context {
        job_id: 7,
        run_id: "7.1".into(),
        task_id: "t1".into(),
        attempt: 1,
        step: 0,
        idempotency_key: "key-1".into(),
        certainty: Certainty::Fresh,
        component: Some("http-request".into()),
        component_url: None,
        action: None,
        components_url: "https://components.example".into(),
        parameters: parameters.into(),
        config: "{}".into(),
        deadline_ms: None,
        extra: Vec::new(),
    }
}
