//! Answers with its configuration and with what it was told of its component.

use orchestrator_sdk::task::{Context, Failure, Step, Task};
use serde_json::{Value, json};

struct Echoes;

impl Task for Echoes {
    fn start(context: Context) -> Result<Step, Failure> {
        let config: Value = context.config_as()?;
        let answer = json!({
            "config": config,
            "component": context.component,
            "componentsUrl": context.components_url,
        });
        Ok(Step::success(answer.to_string()))
    }
}

orchestrator_sdk::export_task!(Echoes);
