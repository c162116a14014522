//! Takes memory, a mebibyte at a time, until it gets no more; that traps.

use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct EatsMemory;

impl Task for EatsMemory {
    fn start(_: Context) -> Result<Step, Failure> {
        let mut eaten = Vec::new();
        loop {
            eaten.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    }
}

orchestrator_sdk::export_task!(EatsMemory);
