//! The task type `http-request`: makes one HTTP request, checks its answer and keeps what is wanted of it.
//!
//! [`parameters`] is what the task says, checked; [`request`] is the step, from what is known to what to do next;
//! [`answer`] is what an answer is worth; [`pointer`] finds values in JSON without changing a digit of them. None of it
//! touches the network: this file joins it to the host.

mod answer;
mod parameters;
mod pointer;
mod request;
#[cfg(test)]
mod testing;

use orchestrator_sdk::http::Request;
use orchestrator_sdk::retry::Retry;
use orchestrator_sdk::task::{Checkpoint, Context, Failure, Step, Task, Wake};

struct HttpRequest;

impl Task for HttpRequest {
    fn start(context: Context) -> Result<Step, Failure> {
        request::attempt(&context, Retry::default(), &mut Request::send)
    }

    // Every step is another try of the same request.
    fn resume(context: Context, state: Checkpoint, _: Wake) -> Result<Step, Failure> {
        let retry = state.decode(request::STATE_FORMAT)?;
        request::attempt(&context, retry, &mut Request::send)
    }
}

orchestrator_sdk::export_task!(HttpRequest);
