//! What the API prints: one struct per answer, its keys in the order of the blueprint.
//!
//! Every key of an orchestration and of a job is always there, `null` where unset. Tasks and notifications print
//! themselves (`domain`), because the database keeps them in the same form.

mod audit;
mod credentials;
mod deliveries;
mod events;
mod found_jobs;
mod jobs;
mod orchestrations;
mod plugins;
mod projects;
mod tokens;
mod usage;

pub(super) use audit::{EntryShape as AuditShape, print_audit};
pub(super) use credentials::{CredentialShape, print_credential, print_credentials};
pub(super) use deliveries::{DeliveryShape, print_deliveries, print_delivery};
pub(super) use events::{EventShape, print_events, print_frame};
pub(super) use found_jobs::{FoundJobShape, print_found_jobs};
pub(super) use jobs::{JobShape, print_job, print_jobs};
pub(super) use orchestrations::{OrchestrationShape, print_orchestration, print_orchestrations};
pub(super) use plugins::{
    ComponentShape, PluginShape, VersionShape, print_component, print_components, print_plugin,
    print_plugins, print_versions,
};
pub(super) use projects::{
    ProjectShape, QuotasShape, print_new_project, print_project, print_projects, print_quotas,
};
pub(super) use tokens::{WholeTokenShape, print_token, print_token_with_secret, print_tokens};
pub(super) use usage::{UsageShape, print_usage};

use crate::domain::ids::TokenId;
use crate::domain::orchestration::TokenReference;
use schemars::JsonSchema;
use serde::Serialize;

/// A token, as what uses it names it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TokenReference")]
pub(in crate::api) struct TokenShape<'a> {
    id: TokenId,
    description: &'a str,
}

impl<'a> TokenShape<'a> {
    fn of(token: &'a TokenReference) -> Self {
        Self {
            id: token.id,
            description: &token.description,
        }
    }
}
