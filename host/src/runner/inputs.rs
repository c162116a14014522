//! What a step is given beside its context: parameters with the values of earlier tasks in them, and credentials.

use super::Runner;
use crate::domain::credential::{Credential, NAMING_KEY, missing_credential};
use crate::domain::faults::{Fault, Faults};
use crate::domain::references::{self, Responses, Unresolved};
use crate::domain::step::{Failure, FailureKind};
use crate::plugins::Plugin;
use crate::store::{LeasedStep, StoreError};
use crate::tokens::TokenError;
use serde_json::{Map, Value};

/// Why a step is not given what it needs.
pub(super) enum NoInput {
    /// The task ends.
    Failed(Failure),
    /// Another attempt could help.
    Store(StoreError),
}

impl Runner {
    /// Parameters and credentials.
    pub(super) async fn inputs(
        &self,
        leased: &LeasedStep,
        plugin: &Plugin,
    ) -> Result<(Map<String, Value>, Vec<Credential>), NoInput> {
        let parameters = self.parameters(leased, plugin).await?;
        Ok((parameters, self.credentials(leased, plugin).await?))
    }

    /// The same for every step of a run: the tasks that are referred to have ended before it began.
    async fn parameters(
        &self,
        leased: &LeasedStep,
        plugin: &Plugin,
    ) -> Result<Map<String, Value>, NoInput> {
        let parameters = &leased.task.action_parameters;
        let named = references::tasks_named(parameters);
        if named.is_empty() {
            // What is escaped has to lose its escape all the same.
            return references::resolve(parameters, &Responses::new()).map_err(|why| failed(&why));
        }
        let tasks = &leased.job.revision.tasks;
        let mut responses = Responses::new();
        let kept = self
            .store
            .read_responses(leased.job.project_id, leased.job.id)
            .await
            .map_err(NoInput::Store)?;
        for (position, response) in kept {
            if let Some(task) = tasks
                .get(position)
                .filter(|task| named.contains(&task.id.as_str()))
            {
                let response = response.and_then(|json| serde_json::from_str(&json).ok());
                responses.insert(task.id.clone(), response);
            }
        }
        let resolved = references::resolve(parameters, &responses).map_err(|why| failed(&why))?;
        let mut faults = Faults::default();
        let manifest = plugin.manifest();
        manifest.check_parameters(&resolved, "actionParameters", &mut faults);
        match faults.into_list().first() {
            None => Ok(resolved),
            Some(Fault { path, message }) => {
                let message = format!("{path}: {message}");
                let failure = Failure::new(FailureKind::Config, "BAD_PARAMETERS", message);
                Err(NoInput::Failed(failure))
            }
        }
    }

    /// The credentials that the plugin may use in this task. What the task names is read from its parameters as they were
    /// saved: no answer of another task chooses a credential.
    async fn credentials(
        &self,
        leased: &LeasedStep,
        plugin: &Plugin,
    ) -> Result<Vec<Credential>, NoInput> {
        let named = leased.task.action_parameters.get(NAMING_KEY);
        let named = named.and_then(Value::as_str);
        let wanted = plugin.credentials_wanted(named);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let project = leased.job.project_id;
        match self.tokens.open_credentials(project, &wanted).await {
            Ok(opened) => match missing_credential(&wanted, named, &opened) {
                Some(failure) => Err(NoInput::Failed(failure)),
                None => Ok(opened),
            },
            Err(TokenError::Store(error)) => Err(NoInput::Store(error)),
            Err(error) => {
                tracing::error!(%error, "a credential cannot be opened");
                let message = "a credential of the task cannot be opened";
                let kind = FailureKind::Internal;
                Err(NoInput::Failed(Failure::new(
                    kind,
                    "NO_CREDENTIAL",
                    message,
                )))
            }
        }
    }
}

fn failed(why: &Unresolved) -> NoInput {
    let code = match why {
        Unresolved::Missing { .. } => "MISSING_VALUE",
        Unresolved::TooLarge => "PARAMETERS_TOO_LARGE",
    };
    NoInput::Failed(Failure::new(FailureKind::Config, code, why.to_string()))
}
