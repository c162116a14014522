//! Answers with a response that is no JSON.

use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct BadJson;

impl Task for BadJson {
    fn start(_: Context) -> Result<Step, Failure> {
        Ok(Step::success("{no json"))
    }
}

orchestrator_sdk::export_task!(BadJson);
