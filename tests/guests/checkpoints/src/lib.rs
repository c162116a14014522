//! Saves a checkpoint of `bytes` in mid-step; `then` says what comes after: `loop`, `trap` or `return`. A resumed step
//! answers what it was resumed with.

use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wake};
use serde_json::json;

struct Checkpoints;

#[derive(serde::Deserialize)]
struct Parameters {
    then: String,
    #[serde(default = "a_few")]
    bytes: usize,
}

fn a_few() -> usize {
    5
}

impl Task for Checkpoints {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let saved = Checkpoint {
            format: 1,
            data: vec![b's'; parameters.bytes],
        }
        .save();
        match parameters.then.as_str() {
            "loop" => loop {
                std::hint::black_box(());
            },
            "trap" => panic!("trapped after the checkpoint"),
            _ => Ok(Step::success(
                json!({ "error": saved.err().map(|error| format!("{error:?}")) }).to_string(),
            )),
        }
    }

    fn resume(context: Context, state: Checkpoint, wake: Wake) -> Result<Step, Failure> {
        let response = json!({
            "state": String::from_utf8_lossy(&state.data),
            "wake": if wake == Wake::Recovery { "recovery" } else { "timer" },
            "attempt": context.attempt,
            "step": context.step,
        });
        Ok(Step::success(response.to_string()))
    }
}

orchestrator_sdk::export_task!(Checkpoints);
