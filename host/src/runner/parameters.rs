//! A task's parameters with the values of earlier tasks in them.

use super::Runner;
use crate::domain::references::{self, Responses, Unresolved};
use crate::domain::step::{Failure, FailureKind};
use crate::store::{LeasedStep, StoreError};
use serde_json::{Map, Value};

/// Why a step has no parameters.
pub(super) enum NoParameters {
    /// The task ends.
    Failed(Failure),
    /// Another attempt could help.
    Store(StoreError),
}

impl Runner {
    /// The same for every step of a run: the tasks that are referred to have ended before it began.
    pub(super) async fn parameters(
        &self,
        leased: &LeasedStep,
    ) -> Result<Map<String, Value>, NoParameters> {
        let parameters = &leased.task.action_parameters;
        let named = references::tasks_named(parameters);
        if named.is_empty() {
            // What is escaped has to lose its escape all the same.
            return references::resolve(parameters, &Responses::new()).map_err(failed);
        }
        let tasks = &leased.job.revision.tasks;
        let mut responses = Responses::new();
        let kept = self
            .store
            .read_responses(leased.job.project_id, leased.job.id)
            .await
            .map_err(NoParameters::Store)?;
        for (position, response) in kept {
            if let Some(task) = tasks
                .get(position)
                .filter(|task| named.contains(&task.id.as_str()))
            {
                let response = response.and_then(|json| serde_json::from_str(&json).ok());
                responses.insert(task.id.clone(), response);
            }
        }
        references::resolve(parameters, &responses).map_err(failed)
    }
}

fn failed(why: Unresolved) -> NoParameters {
    let code = match why {
        Unresolved::Missing { .. } => "MISSING_VALUE",
        Unresolved::TooLarge => "PARAMETERS_TOO_LARGE",
    };
    NoParameters::Failed(Failure::new(FailureKind::Config, code, why.to_string()))
}
