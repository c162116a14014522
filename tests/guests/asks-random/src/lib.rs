//! Asks for random bytes, as many at once as its parameter `bytes` says, `secure` or not.

use orchestrator_sdk::task::{Context, Failure, Step, Task};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wasi:random@0.2.0;
            interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
            interface insecure { get-insecure-random-bytes: func(len: u64) -> list<u8>; get-insecure-random-u64: func() -> u64; }
            world both { import random; import insecure; }
        ",
        world: "both",
    });
}

struct AsksRandom;

#[derive(serde::Deserialize)]
struct Parameters {
    bytes: u64,
    secure: bool,
}

impl Task for AsksRandom {
    fn start(context: Context) -> Result<Step, Failure> {
        let parameters: Parameters = context.parameters_as()?;
        let bytes = if parameters.secure {
            bindings::wasi::random::random::get_random_bytes(parameters.bytes)
        } else {
            bindings::wasi::random::insecure::get_insecure_random_bytes(parameters.bytes)
        };
        Ok(Step::success(format!(r#"{{"bytes":{}}}"#, bytes.len())))
    }
}

orchestrator_sdk::export_task!(AsksRandom);
