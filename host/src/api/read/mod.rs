//! Readers of request bodies: JSON in, domain values out, and every fault of the body on the way.
//!
//! A reader goes on after a fault with a value of its own choice, which nobody gets to see: with any fault the request
//! is refused as a whole. `null` means what an absent key means, unless a reader says otherwise; unknown keys are
//! ignored.

/// Names and describes what a reader reads, for documents. That it does is proved by tests: what was accepted is valid.
macro_rules! body_schema {
    ($read:ty, $name:literal, |$generator:ident| $schema:expr) => {
        impl schemars::JsonSchema for $read {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

mod credentials;
mod events;
mod fields;
mod job_search;
mod jobs;
mod notifications;
mod orchestrations;
mod pages;
mod plugins;
mod projects;
mod schemas;
mod tasks;
mod tokens;

pub(super) use credentials::read_credential;
pub(super) use events::{EventQuery, From, event_parameters};
pub(super) use job_search::{JobQuery, search_parameters};
pub(super) use jobs::{RunBody, RunCallBody, read_config, read_run};
pub(super) use notifications::{NotificationBody, read_notifications};
pub use orchestrations::judge_orchestration;
pub(super) use orchestrations::{CreateBody, UpdateBody, read_create, read_update};
pub(super) use pages::{PageQuery, page_parameters};
pub(super) use plugins::{ComponentWish, GrantBody, read_component_wish, read_grant};
pub(super) use projects::{NewProjectBody, read_new_project, read_project_change};
pub(super) use schemas::Nothing;
pub(super) use tasks::{TaskBody, TaskIds, read_tasks};
pub(super) use tokens::{TokenForm, read_token_change};

use fields::Fields;

use super::ApiError;
use crate::domain::faults::Faults;

/// Runs a reader over a whole body.
///
/// # Errors
/// [`ApiError::Invalid`] with every fault that it met.
pub(super) fn check<T>(read: impl FnOnce(&mut Faults) -> T) -> Result<T, ApiError> {
    let mut faults = Faults::default();
    let value = read(&mut faults);
    faults.into_result(value).map_err(ApiError::Invalid)
}
