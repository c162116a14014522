//! Until a job has ended: by its events, as they happen.

use super::progress::Progress;
use crate::cli::jobs::print_job;
use crate::cli::print::print_json;
use crate::clock::Clock;
use orchestrator_client::{Client, Job, Status};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How often the time that passes is shown.
const TICK: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct WaitArgs {
    /// Wait for its end, show how far it is, and end with a code that says how it ended
    #[arg(long)]
    wait: bool,
    /// Wait, and show what its tasks log
    #[arg(long)]
    follow: bool,
}

/// Waits as it was asked to.
pub(in crate::cli) struct Wait {
    client: Client,
    name: String,
    args: WaitArgs,
    is_json: bool,
}

impl Wait {
    /// `name`: that of the job's orchestration.
    pub(in crate::cli) fn new(client: Client, name: String, args: WaitArgs, is_json: bool) -> Self {
        Self {
            client,
            name,
            args,
            is_json,
        }
    }

    /// Prints the job, at once or when it has ended.
    pub(in crate::cli) async fn end(
        self,
        job: Job,
        out: &mut dyn Write,
    ) -> anyhow::Result<ExitCode> {
        let waits = self.args.wait || self.args.follow;
        let job = if waits {
            let id = job.id;
            match self.follow(job).await? {
                Some(job) => job,
                None => {
                    eprintln!("job {id} goes on: `orchestrator jobs show {id}`");
                    return Ok(ExitCode::from(130));
                }
            }
        } else {
            job
        };
        if self.is_json {
            print_json(&job, out)?;
        } else {
            print_job(&job, out)?;
        }
        Ok(if waits {
            code_of(&job.status)
        } else {
            ExitCode::SUCCESS
        })
    }

    /// `None`: the person at the terminal does not want to wait any longer.
    async fn follow(&self, job: Job) -> anyhow::Result<Option<Job>> {
        let clock = Clock::system();
        let mut progress = Progress::begin(&job, &self.name, self.args.follow, clock.now());
        let mut events = self.client.follow_job(job.id, None);
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            // Kept while the time is drawn, so that a slow way to the server is not begun again with each second.
            let mut next = std::pin::pin!(events.next());
            let event = loop {
                tokio::select! {
                    event = &mut next => break event,
                    () = clock.sleep(TICK) => progress.draw(clock.now())?,
                    _ = &mut interrupted => {
                        progress.end()?;
                        return Ok(None);
                    }
                }
            };
            match event {
                Ok(Some(event)) => progress.tell(&event, clock.now())?,
                Ok(None) => break,
                Err(error) => {
                    progress.end()?;
                    return Err(error.into());
                }
            }
        }
        progress.end()?;
        Ok(Some(self.client.job(job.id).await?))
    }
}

fn code_of(status: &Status) -> ExitCode {
    match status {
        Status::Success => ExitCode::SUCCESS,
        Status::Error | Status::Terminated => ExitCode::from(3),
        Status::Warning => ExitCode::from(4),
        Status::Cancelled => ExitCode::from(5),
        // It has not ended, or in a way that this command does not know.
        Status::Waiting | Status::Processing | Status::Other(_) => ExitCode::FAILURE,
    }
}
