//! Calls itself until a stack is used up: the engine's own, or with the parameter `{"frames": true}` the one in its memory.

use std::hint::black_box;

use orchestrator_sdk::task::{Context, Failure, Step, Task};

struct Recurses;

impl Task for Recurses {
    fn start(context: Context) -> Result<Step, Failure> {
        let depth = if context.parameters.contains("frames") {
            with_frames(context.job_id)
        } else {
            without_frames(context.job_id, u64::MAX)
        };
        Ok(Step::success(depth.to_string()))
    }
}

#[inline(never)]
fn without_frames(depth: u64, end: u64) -> u64 {
    if depth == end {
        depth
    } else {
        without_frames(depth + 1, end).rotate_left(5) ^ depth
    }
}

#[inline(never)]
fn with_frames(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX {
        depth
    } else {
        with_frames(depth + 1) ^ black_box(frame)[7]
    }
}

orchestrator_sdk::export_task!(Recurses);
