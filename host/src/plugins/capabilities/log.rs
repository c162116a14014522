//! `orchestrator:host/log`: lines for the people who run the plugin. Always granted, within the log limit.

use crate::plugins::contract::v0_1::log::{Host, Level};
use crate::plugins::services::LogLevel;
use crate::plugins::state::CallState;

impl Host for CallState {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warning => LogLevel::Warning,
            Level::Error => LogLevel::Error,
        };
        self.output.log(level, &message);
        Ok(())
    }
}
