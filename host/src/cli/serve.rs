//! `orchestrator serve`: the server itself.

use super::demo;
use crate::app::{self, Log};
use crate::config::{Config, ConfigError, Settings};
use std::process::ExitCode;

/// What a wrong setting ends with, as a wrong argument does.
const EXIT_BAD_SETTING: u8 = 2;

/// Run the server (the default)
#[derive(clap::Args)]
pub(super) struct ServeArgs {
    /// Look around: orchestrations that run each minute, over pretend components, in a folder that goes with the server
    #[arg(long, conflicts_with_all = demo::ITS_OWN)]
    demo: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Runs the server, or one to look around in.
pub(super) fn run_or_show(args: ServeArgs, is_fenced: bool) -> ExitCode {
    if args.demo {
        ended(in_runtime(demo::serve(args.settings)))
    } else {
        run(args.settings, is_fenced)
    }
}

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
    ended(in_runtime(app::serve(config, log)))
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let is_setting = error.is::<ConfigError>();
            ExitCode::from(if is_setting { EXIT_BAD_SETTING } else { 1 })
        }
    }
}

fn in_runtime(server: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(server);
    // What is still blocked (a look-up of a name, say) is not waited for.
    runtime.shutdown_background();
    result
}
