//! How many jobs of a project run a step at the same time: its quota `concurrentJobs`.
//!
//! Judged twice: among the candidates of a claim, so that those of other projects come in, and once more in the claim's
//! transaction under the project's lock, so that no two hosts take the last place. A job whose tasks all wait for
//! something remote has no step in hand, and so no place: an orchestration that runs another one cannot block it.

use super::claims::Candidate;
use super::quotas::lock_account;
use super::rows::Columns;
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, ProjectId};
use crate::domain::quota::{OwnLimits, Quota};
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The places of projects that have a limit.
#[derive(Default)]
pub(super) struct Bounds(HashMap<ProjectId, Option<Places>>);

struct Places {
    most: u64,
    taken: HashSet<JobId>,
}

const IN_HAND: &str =
    "SELECT DISTINCT job_id FROM task_runs WHERE project_id = $1 AND host_id IS NOT NULL";

impl Bounds {
    /// Of the projects of what was chosen, as they are until the transaction ends.
    pub(super) async fn lock(
        store: &Store,
        tx: &mut Tx,
        chosen: &[(ProjectId, Candidate)],
        now: Timestamp,
    ) -> Result<Self> {
        let mut bounds = Self::default();
        let projects: BTreeSet<ProjectId> = chosen.iter().map(|(project, _)| *project).collect();
        for project in projects {
            let places = match most_jobs(store, tx, project).await? {
                None => None,
                Some(_) => {
                    let account = lock_account(store, tx, project, now).await?;
                    let rows = sqlx::query(IN_HAND)
                        .bind(project.0)
                        .fetch_all(&mut *tx)
                        .await?;
                    let most = account.limits.of(Quota::ConcurrentJobs);
                    most.map(|most| places(most, &rows)).transpose()?
                }
            };
            bounds.0.insert(project, places);
        }
        Ok(bounds)
    }

    /// Takes a candidate's row into account; returns its project.
    pub(super) async fn read(&mut self, store: &Store, row: &AnyRow) -> Result<ProjectId> {
        let columns = Columns::of(row, "projects");
        let project = ProjectId(columns.int("project_id")?);
        if self.0.contains_key(&project) {
            return Ok(project);
        }
        let own: OwnLimits = columns.json("own_limits")?;
        let places = match store.limits.with(&own).of(Quota::ConcurrentJobs) {
            None => None,
            Some(most) => {
                let rows = sqlx::query(IN_HAND)
                    .bind(project.0)
                    .fetch_all(&store.read)
                    .await?;
                Some(places(most, &rows)?)
            }
        };
        self.0.insert(project, places);
        Ok(project)
    }

    /// Whether a step of that job may be taken on; it has its place then.
    pub(super) fn admit(&mut self, project: ProjectId, job: JobId) -> bool {
        match self.0.get_mut(&project) {
            Some(Some(places)) => {
                let has_room = (places.taken.len() as u64) < places.most;
                places.taken.contains(&job) || (has_room && places.taken.insert(job))
            }
            _ => true,
        }
    }
}

fn places(most: u64, rows: &[AnyRow]) -> Result<Places> {
    let jobs = rows
        .iter()
        .map(|row| Ok(JobId(Columns::of(row, "task_runs").int("job_id")?)));
    Ok(Places {
        most,
        taken: jobs.collect::<Result<_>>()?,
    })
}

async fn most_jobs(store: &Store, tx: &mut Tx, project: ProjectId) -> Result<Option<u64>> {
    let row = sqlx::query("SELECT own_limits FROM projects WHERE id = $1")
        .bind(project.0)
        .fetch_optional(tx)
        .await?;
    let own: OwnLimits = match &row {
        Some(row) => Columns::of(row, "projects").json("own_limits")?,
        None => OwnLimits::new(),
    };
    Ok(store.limits.with(&own).of(Quota::ConcurrentJobs))
}
