//! What a delivery plugin is told: one thing that happened to one job, for one address.

use crate::domain::ids::{DeliveryId, JobId, OrchestrationId, ProjectId};
use crate::domain::job::{Initiator, Status};
use crate::domain::notification::Channel;
use crate::domain::time::Timestamp;
use std::time::Duration;

/// One event on its way to one address.
#[derive(Clone, Debug)]
pub struct Event {
    pub project_id: ProjectId,
    pub delivery_id: DeliveryId,
    /// The same for every attempt of this delivery, and of no other one anywhere: letters, digits and `_`.
    pub message_id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    pub channel: Channel,
    /// The same for all events of one trouble, and the thread of their mails: letters, digits, `-` and `.`.
    pub incident: String,
    pub time: Timestamp,
    /// The subscription's `email`; empty where it has none.
    pub address: String,
    /// JSON object: the subscription's `config`.
    pub config: String,
    /// JSON object: the subscription's parameters.
    pub parameters: String,
    pub orchestration_id: OrchestrationId,
    pub orchestration_name: String,
    /// Absolute address in the API.
    pub orchestration_url: String,
    pub job: EventJob,
    /// At most [`MOST_FAILED_TASKS`].
    pub failed_tasks: Vec<FailedTask>,
    pub expected: Option<Duration>,
    pub actual: Option<Duration>,
}

/// The job as it was when the event arose.
#[derive(Clone, Debug)]
pub struct EventJob {
    pub id: JobId,
    pub status: Status,
    pub initialized_by: Initiator,
    pub created_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    /// Absolute address in the API.
    pub url: String,
}

/// A task that did not end in `success`.
#[derive(Clone, Debug)]
pub struct FailedTask {
    pub task_id: String,
    /// The component's name or address.
    pub component: String,
    pub status: Status,
    /// One sentence, capped.
    pub message: String,
}

/// Most failed tasks that an event lists.
pub const MOST_FAILED_TASKS: usize = 20;
