//! What the checker is given: what clients were told, what the components and the mail server saw, what the database
//! keeps. Plain values, so that a test can write down a history with one fault in it.

use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::Status;
use crate::domain::time::Timestamp;
use crate::store::History;
use std::collections::{BTreeMap, BTreeSet};

/// The whole of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) kept: History,
    pub(super) told: Told,
    /// In the order in which they arrived.
    pub(super) starts: Vec<Start>,
    pub(super) mails: Vec<SeenMail>,
    /// Status of each acknowledged job as the API told it at the end; `None`: it was not found.
    pub(super) shown: BTreeMap<JobId, Option<Status>>,
    /// Ticks up to here must have their outcome.
    pub(super) settled_until: Option<Timestamp>,
}

/// What clients asked for and what they were told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) orchestrations: BTreeMap<OrchestrationId, ToldOrchestration>,
    /// Names of orchestrations that were asked for, by requests that were answered or not.
    pub(super) names: BTreeSet<String>,
    /// Requests for a job, by the run id that they carried; with each answer that named a job.
    pub(super) jobs: BTreeMap<String, Vec<JobId>>,
    /// Jobs whose cancellation was acknowledged.
    pub(super) cancelled: BTreeSet<JobId>,
    /// Answers that no client may get, such as 500.
    pub(super) wrong_answers: Vec<String>,
}

/// One orchestration as its client knows it.
#[derive(Clone, Debug)]
pub(super) struct ToldOrchestration {
    pub(super) name: Known<String>,
    pub(super) active: Known<bool>,
    pub(super) deleted: Known<bool>,
}

/// A value of which the last acknowledged one is known, and those that were sent and never answered: any of these may be
/// the present one.
#[derive(Clone, Debug)]
pub(super) struct Known<T> {
    pub(super) acknowledged: T,
    pub(super) unanswered: Vec<T>,
}

impl<T: PartialEq> Known<T> {
    pub(super) fn new(acknowledged: T) -> Self {
        Self {
            acknowledged,
            unanswered: Vec::new(),
        }
    }

    pub(super) fn may_be(&self, value: &T) -> bool {
        self.acknowledged == *value || self.unanswered.contains(value)
    }
}

/// A request that starts a component.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Its `Idempotency-Key`.
    pub(super) key: String,
    /// Job and task run.
    pub(super) run_id: String,
    /// The component was not asked to come again later: it runs.
    pub(super) is_accepted: bool,
    /// The end that the component has told somebody.
    pub(super) ended: Option<Status>,
}

/// A mail that the mail server took.
#[derive(Clone, Debug)]
pub(super) struct SeenMail {
    pub(super) to: String,
    pub(super) message_id: String,
}
