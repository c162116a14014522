//! Computes for ever; with the parameter `"sleep": true` it sleeps instead, and uses no CPU. With `"waitFirst": true` it does
//! so in its second step and when it is cancelled.

use std::time::Duration;

use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wait, Wake};

struct NeverReturns;

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    sleep: bool,
    wait_first: bool,
}

impl Task for NeverReturns {
    fn start(context: Context) -> Result<Step, Failure> {
        if context.parameters_as::<Parameters>()?.wait_first {
            return Ok(Wait::new(Checkpoint::encode(1, &()), Duration::ZERO).into());
        }
        hang(&context)
    }

    fn resume(context: Context, _: Checkpoint, _: Wake) -> Result<Step, Failure> {
        hang(&context)
    }

    fn cancel(context: Context, _: Checkpoint) -> Result<(), Failure> {
        hang(&context)
    }
}

fn hang<T>(context: &Context) -> Result<T, Failure> {
    let parameters: Parameters = context.parameters_as()?;
    loop {
        if parameters.sleep {
            std::thread::sleep(Duration::from_secs(3600));
        }
        std::hint::black_box(());
    }
}

orchestrator_sdk::export_task!(NeverReturns);
