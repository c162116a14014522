//! Writes `mebibytes` each to the log, to standard error and to standard output, then ends well.

use orchestrator_sdk::log;
use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct FloodsLog;

#[derive(serde::Deserialize)]
struct Parameters {
    mebibytes: usize,
}

impl Task for FloodsLog {
    fn start(context: Context) -> Result<Step, Failure> {
        let line = "x".repeat(1023);
        for _ in 0..context.parameters_as::<Parameters>()?.mebibytes << 10 {
            log::info(&line);
            eprintln!("{line}");
            println!("{line}");
        }
        Ok(Step::success("null"))
    }
}

orchestrator_sdk::export_task!(FloodsLog);
