//! A component of the world `simple-task`, which cannot be resumed, and waits all the same. Written without the kit.
#![expect(unsafe_code, reason = "in the generated bindings")]

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/types/v0.1", "../../../wit/host/v0.1", "../../../wit/task/v0.1"],
        world: "orchestrator:task/simple-task@0.1.0",
        generate_all,
    });
}

use bindings::exports::orchestrator::task::task::{Context, Failure, Guest, Step};
use bindings::orchestrator::host::checkpoints::Checkpoint;
use bindings::orchestrator::task::types::Wait;

struct SimpleWaits;

impl Guest for SimpleWaits {
    fn start(_: Context) -> Result<Step, Failure> {
        let state = Checkpoint {
            format: 1,
            data: Vec::new(),
        };
        Ok(Step::Wait(Wait {
            state,
            after_ms: 0,
            progress: None,
            response: None,
            extra: Vec::new(),
        }))
    }
}

bindings::export!(SimpleWaits with_types_in bindings);
