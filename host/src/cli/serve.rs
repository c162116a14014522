//! `orchestrator serve`: the server itself.

use crate::app;
use crate::config::{Config, Settings};
use std::io::IsTerminal;
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
    start_log(&config);
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(app::serve(config));
    // What is still blocked (a look-up of a name, say) is not waited for.
    runtime.shutdown_background();
    result
}

fn start_log(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(&config.log);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Only a test that has one already gets another answer than Ok.
    let _ = log.try_init();
}
