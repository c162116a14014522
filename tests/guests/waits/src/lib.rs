//! Waits `times` times for `afterMs`, counting in its state, and answers how often it waited.

use std::time::Duration;

use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wait, Wake};

struct Waits;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    times: u32,
    #[serde(default)]
    after_ms: u64,
}

impl Task for Waits {
    fn start(context: Context) -> Result<Step, Failure> {
        go_on(&context, 0)
    }

    fn resume(context: Context, state: Checkpoint, _: Wake) -> Result<Step, Failure> {
        go_on(&context, state.decode(1)?)
    }
}

fn go_on(context: &Context, steps: u32) -> Result<Step, Failure> {
    let parameters: Parameters = context.parameters_as()?;
    if steps >= parameters.times {
        return Ok(Step::success(format!(r#"{{"steps":{steps}}}"#)));
    }
    let after = Duration::from_millis(parameters.after_ms);
    Ok(Wait::new(Checkpoint::encode(1, &(steps + 1)), after).into())
}

orchestrator_sdk::export_task!(Waits);
