//! Task types: what one task of an orchestration does.
//!
//! A task is a *step function*. [`Task::start`] does the first piece of work and answers [`Step::Done`] or
//! [`Step::Wait`]. After a wait nothing of the task lives in the host but the [`Checkpoint`] that it returned;
//! [`Task::resume`] goes on from there, perhaps days later and on another host. So a task never sleeps: it waits.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::task::exports::orchestrator::task::{resumable, task};
use crate::bindings::task::orchestrator::host::checkpoints;

pub use crate::bindings::task::orchestrator::host::checkpoints::{Checkpoint, SaveError};
pub use crate::bindings::task::orchestrator::task::types::{
    Certainty, Context, Outcome, Progress, Step, Verdict, Wait, Wake,
};
pub use crate::bindings::task::orchestrator::types::types::{Failure, FailureKind};

/// What a task type does. Export it with [`export_task!`](crate::export_task).
pub trait Task {
    /// The first step.
    ///
    /// Where [`Context::certainty`] is [`Certainty::InDoubt`], an earlier attempt at this step may have acted on the
    /// outside world already: look before acting again, or give up.
    ///
    /// # Errors
    /// A failure ends the task in error at once. To try again later, answer [`Step::Wait`].
    fn start(context: Context) -> Result<Step, Failure>;

    /// Every later step. The default is for tasks that never wait.
    ///
    /// # Errors
    /// As for [`Task::start`].
    fn resume(context: Context, state: Checkpoint, wake: Wake) -> Result<Step, Failure> {
        let _ = (context, state, wake);
        Err(Failure::new(
            FailureKind::Internal,
            "NOT_RESUMABLE",
            "this task type never waits, so it cannot go on",
        ))
    }

    /// The task's time is up: stop what it left running elsewhere. Best effort, a few seconds at most. The default does
    /// nothing.
    ///
    /// # Errors
    /// A failure is logged; the task has ended anyway.
    fn cancel(context: Context, state: Checkpoint) -> Result<(), Failure> {
        let _ = (context, state);
        Ok(())
    }
}

impl<T: Task> task::Guest for T {
    fn start(context: Context) -> Result<Step, Failure> {
        <T as Task>::start(context)
    }
}

impl<T: Task> resumable::Guest for T {
    fn resume(context: Context, state: Checkpoint, wake: Wake) -> Result<Step, Failure> {
        <T as Task>::resume(context, state, wake)
    }

    fn cancel(context: Context, state: Checkpoint) -> Result<(), Failure> {
        <T as Task>::cancel(context, state)
    }
}

/// Makes the component a task type: exports a type that implements [`task::Task`](crate::task::Task).
#[macro_export]
macro_rules! export_task {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::bindings::task::export_task_world!($plugin with_types_in $crate::bindings::task);
        // Elsewhere nothing is exported, but the plugin counts as used.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn exported<T: $crate::task::Task>() {}
            exported::<$plugin>();
        };
    };
}

impl Step {
    /// The task ended well, with this JSON as its response (`null` where there is none).
    pub fn success(response: impl Into<String>) -> Self {
        Self::ended(Verdict::Success, response, "")
    }

    /// The task ended, with this JSON as its response and one sentence for people.
    pub fn ended(
        verdict: Verdict,
        response: impl Into<String>,
        summary: impl Into<String>,
    ) -> Self {
        Self::Done(Outcome {
            verdict,
            response: response.into(),
            summary: summary.into(),
            extra: Vec::new(),
        })
    }
}

impl Wait {
    /// Asks to be called again with this state, after a delay that the host bounds and spreads.
    pub fn new(state: Checkpoint, after: Duration) -> Self {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        Self {
            state,
            after_ms,
            progress: None,
            response: None,
            extra: Vec::new(),
        }
    }

    /// The same wait, with a sentence on what is being waited for.
    #[must_use]
    pub fn progress(mut self, message: impl Into<String>) -> Self {
        self.progress = Some(Progress {
            percent: None,
            message: message.into(),
        });
        self
    }

    /// The same wait, with the JSON that the task's results show meanwhile.
    #[must_use]
    pub fn response(mut self, json: Option<String>) -> Self {
        self.response = json;
        self
    }
}

impl From<Wait> for Step {
    fn from(wait: Wait) -> Self {
        Self::Wait(wait)
    }
}

impl Context {
    /// The task's parameters as a type of the plugin's own.
    ///
    /// # Errors
    /// A failure of kind [`Config`](FailureKind::Config) that says which field is wrong.
    pub fn parameters_as<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse("parameters", &self.parameters)
    }

    /// The plugin's configuration in this project as a type of the plugin's own.
    ///
    /// # Errors
    /// A failure of kind [`Config`](FailureKind::Config) that says which field is wrong.
    pub fn config_as<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse("configuration", &self.config)
    }
}

fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Failure> {
    serde_json::from_str(json).map_err(|error| {
        let code = format!("BAD_{}", what.to_uppercase());
        Failure::new(
            FailureKind::Config,
            &code,
            format!("the task's {what} are not as expected: {error}"),
        )
    })
}

impl Checkpoint {
    /// A checkpoint that holds `state` as JSON. `format` is the plugin's own number for the layout: raise it when an older
    /// version of the plugin could no longer read it.
    pub fn encode(format: u32, state: &impl Serialize) -> Self {
        // JSON of a plugin's own types fails only for maps whose keys are no strings: an empty state is refused by `decode`.
        Self {
            format,
            data: serde_json::to_vec(state).unwrap_or_default(),
        }
    }

    /// Reads what [`Checkpoint::encode`] wrote.
    ///
    /// # Errors
    /// A failure of kind [`Internal`](FailureKind::Internal) where the layout is another one.
    pub fn decode<T: DeserializeOwned>(&self, format: u32) -> Result<T, Failure> {
        let unreadable = |why: String| Failure::new(FailureKind::Internal, "BAD_STATE", why);
        if self.format != format {
            return Err(unreadable(format!(
                "the task's state has format {}, this plugin reads {format}",
                self.format
            )));
        }
        serde_json::from_slice(&self.data)
            .map_err(|error| unreadable(format!("the task's state is unreadable: {error}")))
    }

    /// Makes this state durable before it returns, in the middle of a step: after a crash the task goes on with
    /// [`Task::resume`] from here instead of repeating the step. Call it as soon as something happened that must not
    /// happen twice, where the step has more to do after it. (What a step *answers* is made durable anyway.)
    ///
    /// # Errors
    /// On [`SaveError::LeaseLost`] end the step: another host has taken the task over.
    pub fn save(&self) -> Result<(), SaveError> {
        checkpoints::save(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_as_it_was_written_and_only_in_its_own_format() {
        let checkpoint = Checkpoint::encode(3, &vec![1, 2, 3]);

        assert_eq!(checkpoint.decode::<Vec<u32>>(3), Ok(vec![1, 2, 3]));

        let error = checkpoint.decode::<Vec<u32>>(4).unwrap_err();
        assert_eq!(error.code, "BAD_STATE");
        assert_eq!(
            error.message,
            "the task's state has format 3, this plugin reads 4"
        );
    }
}
