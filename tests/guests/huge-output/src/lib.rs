//! Answers with a response of `mebibytes`.

use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct HugeOutput;

#[derive(serde::Deserialize)]
struct Parameters {
    mebibytes: usize,
}

impl Task for HugeOutput {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let mut response = "x".repeat(parameters.mebibytes << 20);
        response.insert(0, '"');
        response.push('"');
        Ok(Step::success(response))
    }
}

orchestrator_sdk::export_task!(HugeOutput);
