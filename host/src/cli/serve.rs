//! `orchestrator serve`: the server itself.

use crate::app::{self, Log};
use crate::config::{Config, Settings};
use std::process::ExitCode;

/// What a wrong setting ends with, as a wrong argument does.
const EXIT_BAD_SETTING: u8 = 2;

/// Runs the server until it is told to stop. `is_fenced` is true but in a build that is broken on purpose.
pub fn run(settings: Settings, is_fenced: bool) -> ExitCode {
    let config = match settings.load() {
        Ok(config) => Config {
            is_fenced,
            ..config
        },
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(EXIT_BAD_SETTING);
        }
    };
    let log = Log::start(config.log.clone());
    match serve(config, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config, log: Log) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(app::serve(config, log));
    // What is still blocked (a look-up of a name, say) is not waited for.
    runtime.shutdown_background();
    result
}
