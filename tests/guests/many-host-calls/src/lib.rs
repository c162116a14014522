//! Calls the host `calls` times (a million where it is not said): `what` is `log` or `clock`.

use std::time::Instant;

use orchestrator_sdk::log;
use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct ManyHostCalls;

#[derive(serde::Deserialize)]
struct Parameters {
    calls: Option<u32>,
    what: String,
}

impl Task for ManyHostCalls {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let calls = parameters.calls.unwrap_or(1_000_000);
        for _ in 0..calls {
            match parameters.what.as_str() {
                "clock" => drop(std::hint::black_box(Instant::now())),
                _ => log::debug("x"),
            }
        }
        Ok(Step::success(format!(r#"{{"calls":{calls}}}"#)))
    }
}

orchestrator_sdk::export_task!(ManyHostCalls);
