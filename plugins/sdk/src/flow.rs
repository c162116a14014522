//! Task types without ceremony: a plain function, or one function per step over a state of the plugin's own.
//!
//! A task that ends in its first step is one function, exported with [`task_fn!`](crate::task_fn):
//!
//! ```
//! use orchestrator_sdk::serde_json::{Value, json};
//! use orchestrator_sdk::task::{Context, Failure};
//!
//! fn greet(context: &Context) -> Result<Value, Failure> {
//!     Ok(json!({"hello": context.run_id}))
//! }
//!
//! orchestrator_sdk::task_fn!(greet);
//! # fn main() {}
//! ```
//!
//! One that waits has a state, mostly an enum, that is all that is left of it between its steps; see
//! [`state_task!`](crate::state_task).

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::task::{Checkpoint, Context, Failure, FailureKind, Step, Verdict, Wait};

/// How a step over a state of type `S` ends.
#[derive(Debug)]
pub enum Next<S> {
    /// The task is over.
    Done(Step),
    /// The task goes on from this state.
    Wait {
        /// Comes back in the next step.
        state: S,
        /// As wished; the host bounds and spreads it.
        after: Duration,
        /// One sentence on what is being waited for.
        message: String,
    },
}

impl<S> Next<S> {
    /// The task ended well, with this as its response.
    ///
    /// # Errors
    /// `response` cannot be written as JSON.
    pub fn success(response: &impl Serialize) -> Result<Self, Failure> {
        Ok(Self::Done(Step::success(json(response)?)))
    }

    /// The task ended, but did not do what it should; the sentence says why.
    ///
    /// # Errors
    /// `response` cannot be written as JSON.
    pub fn error(response: &impl Serialize, why: impl Into<String>) -> Result<Self, Failure> {
        Ok(Self::Done(Step::ended(
            Verdict::Error,
            json(response)?,
            why,
        )))
    }

    /// Go on from `state` after a while; the sentence says what is being waited for.
    pub fn wait(state: S, after: Duration, message: impl Into<String>) -> Self {
        Self::Wait {
            state,
            after,
            message: message.into(),
        }
    }
}

/// The number of the layout in which [`state_task!`](crate::state_task) keeps states. A plugin whose later version cannot
/// read what an earlier one wrote gives its state a field or a case for that.
const FORMAT: u32 = 1;

/// For the macros: the answer of a plain function.
#[doc(hidden)]
pub fn finish<R: Serialize>(result: Result<R, Failure>) -> Result<Step, Failure> {
    json(&result?).map(Step::success)
}

/// For the macros: the answer of a step over a state.
#[doc(hidden)]
pub fn go_on<S: Serialize>(result: Result<Next<S>, Failure>) -> Result<Step, Failure> {
    Ok(match result? {
        Next::Done(step) => step,
        Next::Wait {
            state,
            after,
            message,
        } => Wait::new(Checkpoint::encode(FORMAT, &state), after)
            .progress(message)
            .into(),
    })
}

/// For the macros: the state that an earlier step left.
#[doc(hidden)]
pub fn read<S: DeserializeOwned>(state: &Checkpoint) -> Result<S, Failure> {
    state.decode(FORMAT)
}

/// Makes `state` durable in the middle of a step, as [`Checkpoint::save`] does: after a crash the next step begins from here.
///
/// # Errors
/// A failure with which the step should end.
pub fn save(state: &impl Serialize) -> Result<(), Failure> {
    let saved = Checkpoint::encode(FORMAT, state).save();
    saved.map_err(|error| {
        let why = format!("the state was not saved: {error:?}");
        Failure::new(FailureKind::Transient, "NOT_SAVED", why)
    })
}

/// The functions' parameter, for the macros.
#[doc(hidden)]
pub type Given = Context;

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| {
        let why = format!("the response is no JSON: {error}");
        Failure::new(FailureKind::Internal, "BAD_RESPONSE", why)
    })
}

/// Makes the component a task type of one function: `fn(&Context) -> Result<impl Serialize, Failure>`, whose answer is the task's
/// response. See [`flow`](crate::flow).
#[macro_export]
macro_rules! task_fn {
    ($run:path) => {
        const _: () = {
            struct Plugin;
            impl $crate::task::Task for Plugin {
                fn start(
                    context: $crate::flow::Given,
                ) -> Result<$crate::task::Step, $crate::task::Failure> {
                    $crate::flow::finish($run(&context))
                }
            }
            $crate::export_task!(Plugin);
        };
    };
}

/// Makes the component a task type of a function per step, over a state that `serde` reads and writes:
///
/// ```
/// use std::time::Duration;
///
/// use orchestrator_sdk::flow::Next;
/// use orchestrator_sdk::task::{Context, Failure};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// enum State {
///     CountedTo(u32),
/// }
///
/// fn start(_: &Context) -> Result<Next<State>, Failure> {
///     Ok(Next::wait(State::CountedTo(1), Duration::from_secs(60), "counted to 1"))
/// }
///
/// fn resume(_: &Context, State::CountedTo(number): State) -> Result<Next<State>, Failure> {
///     Next::success(&(number + 1))
/// }
///
/// /// The task's time is up: stop what is left running elsewhere.
/// fn cancel(_: &Context, _: State) -> Result<(), Failure> {
///     Ok(())
/// }
///
/// orchestrator_sdk::state_task!(start, resume, cancel);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! state_task {
    ($start:path, $resume:path, $cancel:path) => {
        const _: () = {
            struct Plugin;
            impl $crate::task::Task for Plugin {
                fn start(
                    context: $crate::flow::Given,
                ) -> Result<$crate::task::Step, $crate::task::Failure> {
                    $crate::flow::go_on($start(&context))
                }

                fn resume(
                    context: $crate::flow::Given,
                    state: $crate::task::Checkpoint,
                    _: $crate::task::Wake,
                ) -> Result<$crate::task::Step, $crate::task::Failure> {
                    $crate::flow::go_on($resume(&context, $crate::flow::read(&state)?))
                }

                fn cancel(
                    context: $crate::flow::Given,
                    state: $crate::task::Checkpoint,
                ) -> Result<(), $crate::task::Failure> {
                    $cancel(&context, $crate::flow::read(&state)?)
                }
            }
            $crate::export_task!(Plugin);
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_in_the_next_step() {
        let next = Next::wait(("seven", 7), Duration::from_secs(3), "waiting for eight");

        let Ok(Step::Wait(wait)) = go_on(Ok(next)) else {
            panic!("not a wait");
        };

        assert_eq!(wait.after_ms, 3_000);
        assert_eq!(
            wait.progress.map(|progress| progress.message),
            Some("waiting for eight".to_owned())
        );
        assert_eq!(
            read::<(String, u32)>(&wait.state),
            Ok(("seven".to_owned(), 7))
        );
    }

    #[test]
    fn a_plain_functions_answer_is_the_response() {
        assert_eq!(finish(Ok(vec![1, 2])), Ok(Step::success("[1,2]")));
    }
}
