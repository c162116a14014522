//! A delivery's scenario file: what happened, what the world answers, and how the delivery should end.

use super::credentials::{self, Credentials};
use super::scenario::{Answer, check_answers, parse};
use crate::domain::event::{Event, EventJob, FailedTask};
use crate::domain::ids::{DeliveryId, JobId, OrchestrationId, ProjectId};
use crate::domain::job::{Initiator, Status};
use crate::domain::notification::Channel;
use crate::domain::time::Timestamp;
use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;
use std::time::Duration;

/// How long the scenario's job has been there when the event arises.
const JOB_TOOK: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryScenario {
    #[serde(default)]
    pub(super) event: Told,
    #[serde(default)]
    pub(super) credentials: Credentials,
    /// In the order in which they are tried.
    #[serde(default)]
    pub(super) answers: Vec<Answer>,
    pub(super) expect: ExpectDelivery,
}

/// The event and the subscription that it is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Told {
    pub(super) kind: Channel,
    email: String,
    pub(super) config: Map<String, Value>,
    parameters: Map<String, Value>,
    /// The orchestration's name.
    orchestration: String,
    /// Of the first failed task, for `error` and `warning`.
    message: String,
    expected_seconds: Option<u64>,
    actual_seconds: Option<u64>,
    /// When the job was made, such as `2026-01-01T00:00:00Z`; the event follows five minutes later.
    pub(super) time: Option<String>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            kind: Channel::Error,
            email: "ops@example.com".to_owned(),
            config: Map::new(),
            parameters: Map::new(),
            orchestration: "Nightly load".to_owned(),
            message: "no such table".to_owned(),
            expected_seconds: None,
            actual_seconds: None,
            time: None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExpectDelivery {
    /// `delivered`, `failed` or `gone`.
    pub(super) outcome: String,
    pub(super) receipt: Option<String>,
    /// The code of the failure that ended it.
    pub(super) code: Option<String>,
    /// What the failure's message has to contain.
    pub(super) message: Option<String>,
    pub(super) attempts: Option<u32>,
    /// All delays between attempts together.
    pub(super) waited_seconds: Option<u64>,
}

impl DeliveryScenario {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let scenario: Self = parse(path)?;
        let outcome = scenario.expect.outcome.as_str();
        anyhow::ensure!(
            matches!(outcome, "delivered" | "failed" | "gone"),
            "{}: expect.outcome is {outcome:?}, not delivered, failed or gone",
            path.display()
        );
        check_answers(&scenario.answers, path)?;
        credentials::check(&scenario.credentials).with_context(|| path.display().to_string())?;
        Ok(scenario)
    }

    /// The event as this attempt is told of it, of a job that was made at `start`.
    pub(super) fn event(&self, start: Timestamp, attempt: u32) -> Event {
        let told = &self.event;
        let time = start.plus(JOB_TOOK);
        let (status, is_over) = match told.kind {
            Channel::Error => (Status::Error, true),
            Channel::Warning => (Status::Warning, true),
            Channel::Success | Channel::Recovery => (Status::Success, true),
            Channel::Waiting => (Status::Waiting, false),
            Channel::Processing => (Status::Processing, false),
        };
        let failed = matches!(told.kind, Channel::Error | Channel::Warning).then(|| FailedTask {
            task_id: "1".to_owned(),
            component: "ex-db".to_owned(),
            status,
            message: told.message.clone(),
        });
        Event {
            project_id: ProjectId(1),
            delivery_id: DeliveryId(1),
            message_id: "delivery_1_scenario".to_owned(),
            attempt,
            channel: told.kind,
            incident: "error-1-1.scenario".to_owned(),
            time,
            address: told.email.clone(),
            config: Value::Object(told.config.clone()).to_string(),
            parameters: Value::Object(told.parameters.clone()).to_string(),
            orchestration_id: OrchestrationId(1),
            orchestration_name: told.orchestration.clone(),
            orchestration_url: "https://orchestrator.example/orchestrations/1".to_owned(),
            job: EventJob {
                id: JobId(1),
                status,
                initialized_by: Initiator::Scheduler,
                created_at: start,
                start_at: (told.kind != Channel::Waiting).then_some(start),
                end_at: is_over.then_some(time),
                url: "https://orchestrator.example/jobs/1".to_owned(),
            },
            failed_tasks: failed.into_iter().collect(),
            expected: told.expected_seconds.map(Duration::from_secs),
            actual: told.actual_seconds.map(Duration::from_secs),
        }
    }

    /// When the event arises.
    pub(super) fn begins(start: Timestamp) -> Timestamp {
        start.plus(JOB_TOOK)
    }
}
