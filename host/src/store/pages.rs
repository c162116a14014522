//! Pages of long histories: the jobs of an orchestration at an offset, at the same cost however deep that is.
//!
//! Jobs are only ever added to an orchestration, at its end: the job that is its 250th stays that. So the ids of every
//! 250th job, once they were found by a walk through the index, are kept in memory, and a deep page walks from the
//! nearest of them. A page near the newest job is walked to directly.

use super::rows::Columns;
use super::{Result, Store};
use crate::domain::ids::OrchestrationId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Jobs from one mark to the next, and most of them that a page walks over: up to there it is walked to directly.
pub(super) const APART: u64 = 250;
/// Marks in memory, eight bytes each; beyond, all are forgotten and found again as needed.
const MOST_KEPT: usize = 500_000;

/// Per orchestration the ids of its jobs number 250, 500 and so on, as far as they are known. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<HashMap<OrchestrationId, Vec<i64>>>>);

impl Marks {
    fn of(&self, orchestration: OrchestrationId) -> Vec<i64> {
        self.lock().get(&orchestration).cloned().unwrap_or_default()
    }

    fn keep(&self, orchestration: OrchestrationId, marks: &[i64]) {
        let mut kept = self.lock();
        let known = kept.get(&orchestration).map_or(0, Vec::len);
        if known >= marks.len() {
            return;
        }
        if kept.values().map(Vec::len).sum::<usize>() + marks.len() > MOST_KEPT {
            kept.clear();
        }
        kept.insert(orchestration, marks.to_vec());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrchestrationId, Vec<i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a walk to a page begins, from the oldest job of its orchestration to the newest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Behind this job.
    pub(super) after: i64,
    /// So many are walked over.
    pub(super) passed: i64,
    /// So many are the page's.
    pub(super) jobs: i64,
}

impl Store {
    /// Of the page that begins `offset` behind the newest job of an orchestration that has `total`.
    pub(super) async fn place_of_page(
        &self,
        of: OrchestrationId,
        total: u64,
        limit: u32,
        offset: u64,
    ) -> Result<Place> {
        // Numbered from the oldest, those of the page come after `before`.
        let last = total.saturating_sub(offset);
        let jobs = last.min(u64::from(limit));
        let before = last - jobs;
        let place = usize::try_from(before / APART).unwrap_or(usize::MAX);
        let after = match place.checked_sub(1) {
            None => 0,
            Some(at) => self.mark(of, at).await?,
        };
        Ok(Place {
            after,
            passed: i64::try_from(before % APART).unwrap_or(i64::MAX),
            jobs: i64::try_from(jobs).unwrap_or(i64::MAX),
        })
    }

    /// The mark at that place; finds those up to it where it is not known yet.
    async fn mark(&self, of: OrchestrationId, at: usize) -> Result<i64> {
        let mut marks = self.marks.of(of);
        if marks.len() <= at {
            // From mark to mark, which walks over what is between them without looking at it.
            let next = |behind| {
                format!(
                    "(SELECT id FROM jobs WHERE {} ORDER BY orchestration_id, id LIMIT 1 OFFSET $3)",
                    self.dialect.jobs_after(behind)
                )
            };
            let (first, next) = (next("$2"), next("m.id"));
            let sql = format!(
                "WITH RECURSIVE m(id) AS (SELECT {first} UNION ALL SELECT {next} FROM m WHERE m.id IS NOT NULL) \
                 SELECT id FROM m WHERE id IS NOT NULL LIMIT $4"
            );
            let missing = (at + 1).saturating_sub(marks.len());
            let found = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(of.0)
                .bind(marks.last().copied().unwrap_or(0))
                .bind(i64::try_from(APART - 1).unwrap_or(i64::MAX))
                .bind(i64::try_from(missing).unwrap_or(i64::MAX))
                .fetch_all(&self.read)
                .await?;
            for row in &found {
                marks.push(Columns::of(row, "jobs").int("id")?);
            }
            self.marks.keep(of, &marks);
        }
        // Fewer than the orchestration's count says there are: the oldest page then.
        Ok(marks.get(at).copied().unwrap_or(0))
    }
}
