//! An orchestration: what is run (tasks), when (crontab) and who is told (notifications).

use crate::domain::crontab::Crontab;
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TokenId};
use crate::domain::job::Status;
use crate::domain::notification::Notification;
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use std::sync::Arc;

/// Tasks and notifications as they stood at one time. Immutable: an edit makes a new one, and a job keeps the one it
/// was created with.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    pub id: RevisionId,
    pub tasks: Vec<Task>,
    pub notifications: Vec<Notification>,
}

/// A live orchestration with its current revision.
#[derive(Clone, Debug)]
pub struct Orchestration {
    pub id: OrchestrationId,
    pub project_id: ProjectId,
    pub name: String,
    /// As given; `None` where it runs by hand only.
    pub crontab_record: Option<String>,
    pub created_at: Timestamp,
    /// When the present pause began, while there is one and a crontab.
    pub paused_at: Option<Timestamp>,
    pub last_scheduled_at: Option<Timestamp>,
    /// `None` while inactive or without a crontab.
    pub next_scheduled_at: Option<Timestamp>,
    pub active: bool,
    pub token: TokenReference,
    /// The last number that was given to a task as its id.
    pub task_number: i64,
    pub revision: Arc<Revision>,
    pub last_executed_job: Option<ExecutedJob>,
}

/// A token as orchestrations and jobs show it. The secret is never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReference {
    pub id: TokenId,
    pub description: String,
}

/// The newest job that has started.
#[derive(Clone, Debug)]
pub struct ExecutedJob {
    pub id: JobId,
    pub status: Status,
    pub created_at: Timestamp,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
}

/// Longest name of an orchestration, in characters.
pub const MOST_NAME_CHARACTERS: usize = 255;

/// The first time strictly after `after` at which an orchestration is due; `None` while inactive, without a crontab, or
/// once the calendar ends.
#[must_use]
pub fn next_scheduled_at(
    crontab_record: Option<&str>,
    active: bool,
    after: Timestamp,
) -> Option<Timestamp> {
    // Crontabs are checked before they are saved: one that no longer parses is never due.
    let crontab = Crontab::parse(crontab_record.filter(|_| active)?).ok()?;
    crontab
        .next_after(after.to_datetime())
        .map(Timestamp::from_datetime)
}
