//! The API's nouns. Each serialises as the server prints it: every key of an orchestration and of a job is always there, `null` where
//! unset; only what says so is left out. Times are ISO 8601 texts with an offset. Keys that a later server adds are
//! passed over.

mod job;
mod orchestration;
mod status;
mod token;

pub use job::{
    Event, EventTask, InitiatorToken, Job, Results, RunWish, TaskResult, TaskUsage, Usage,
};
pub use orchestration::{
    Component, Crontab, ExecutedJob, Notification, Orchestration, OrchestrationBody, Task,
};
pub use status::Status;
pub use token::{Owner, Token, TokenReference};

/// What a task calls: the component's name or address.
fn target<'a>(component: &'a Option<String>, component_url: &'a Option<String>) -> &'a str {
    let target = component.as_deref().or(component_url.as_deref());
    target.unwrap_or_default()
}
