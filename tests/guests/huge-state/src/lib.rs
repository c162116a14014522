//! Waits with a state of `kibibytes`; where it is resumed, answers how many bytes came back.

use std::time::Duration;

use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wait, Wake};

struct HugeState;

#[derive(serde::Deserialize)]
struct Parameters {
    kibibytes: usize,
}

impl Task for HugeState {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let state = Checkpoint {
            format: 1,
            data: vec![b'x'; parameters.kibibytes << 10],
        };
        Ok(Wait::new(state, Duration::ZERO).into())
    }

    fn resume(_: Context, state: Checkpoint, _: Wake) -> Result<Step, Failure> {
        Ok(Step::success(format!(
            r#"{{"bytes":{}}}"#,
            state.data.len()
        )))
    }
}

orchestrator_sdk::export_task!(HugeState);
