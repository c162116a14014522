//! Traps, with words on its standard error: first its own, then the panic's.

use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct Traps;

impl Task for Traps {
    fn start(context: Context) -> Result<Step, Failure> {
        eprintln!("about to trap in run {}", context.run_id);
        panic!("trapped on purpose");
    }
}

orchestrator_sdk::export_task!(Traps);
