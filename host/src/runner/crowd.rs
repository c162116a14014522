//! The steps of this host at one moment: whose they are, and under which leases.
//!
//! Shared by the runner's loop, which counts them, and the steps themselves: one that ends may go on with the next task of
//! its job in the same place, as long as nobody else waits for that.

use super::RunnerSettings;
use crate::domain::ids::ProjectId;
use crate::lease::{Hold, InHand};
use crate::store::Lease;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task;

/// Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    /// Whose each step's future is: known also of one that panics.
    projects: Arc<Mutex<HashMap<task::Id, ProjectId>>>,
    in_hand: InHand<Lease>,
    /// Held from before a lease is taken until it is in hand.
    taking: Arc<RwLock<()>>,
}

impl Crowd {
    pub(super) fn add(&self, step: task::Id, project: ProjectId) {
        self.lock().insert(step, project);
    }

    pub(super) fn remove(&self, step: task::Id) {
        self.lock().remove(&step);
    }

    pub(super) fn of_project(&self) -> HashMap<ProjectId, usize> {
        let mut counts = HashMap::new();
        for project in self.lock().values() {
            *counts.entry(*project).or_default() += 1;
        }
        counts
    }

    /// Whether there are places left, for anybody and for the project: then nobody waits for those that are taken.
    pub(super) fn has_room(&self, project: ProjectId, settings: &RunnerSettings) -> bool {
        let projects = self.lock();
        let of_project = projects.values().filter(|of| **of == project).count();
        projects.len() < settings.workers && of_project < settings.project_workers
    }

    pub(super) fn hold(&self, lease: Lease) -> Hold<Lease> {
        self.in_hand.hold(lease)
    }

    pub(super) fn in_hand(&self) -> HashSet<Lease> {
        self.in_hand.all()
    }

    /// To be held while a step takes another lease and does not have it in hand yet.
    pub(super) async fn take_on(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.taking).read_owned().await
    }

    /// Until what this returns is dropped, no step takes a lease.
    pub(super) async fn stand_still(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.taking).write_owned().await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<task::Id, ProjectId>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
