//! Claims: which steps and which jobs a host takes on next.
//!
//! Candidates are read beside the writer, a few of every project that has any, and chosen so that the project with the
//! fewest running steps comes first; each is then taken by compare-and-set. So a project's long queue costs the others
//! nothing, and neither waiting tasks nor finished jobs are looked at.

use super::bounds::Bounds;
use super::dialect::Dialect;
use super::job_events::{News, RunOf};
use super::job_rows::job_column;
use super::locks::hold_host;
use super::rows::{Columns, to_json};
use super::starts::{Room, start_jobs};
use super::{Result, Store, Tx};
use crate::domain::ids::{HostId, JobId, ProjectId, TaskRunId};
use crate::domain::job::{Job, Status};
use crate::domain::task::Task;
use crate::domain::time::Timestamp;
use sqlx::any::AnyRow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

/// What a host can take on.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Steps in all.
    pub free: usize,
    /// Most steps of one project at a time.
    pub per_project: usize,
    /// Steps that run now, by project.
    pub running: HashMap<ProjectId, usize>,
}

/// Proof that this host works on a step: a result is accepted under it only while nobody else has taken the step over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub run: TaskRunId,
    pub host: HostId,
    pub epoch: i64,
}

/// A step that this host is to run now.
#[derive(Clone, Debug)]
pub struct LeasedStep {
    pub lease: Lease,
    /// Without its task runs.
    pub job: Job,
    pub task: Task,
    pub start_at: Timestamp,
    /// 0 for the first step.
    pub step: u32,
    pub attempt: u32,
    /// A request that may have changed something left in an earlier attempt at this step.
    pub is_sent: bool,
    /// The state was saved in mid-step, by an attempt that did not come to its end.
    pub is_checkpointed: bool,
    /// Sealed.
    pub state: Option<Vec<u8>>,
    /// SHA-256 of the component that the run began with.
    pub component_digest: Option<String>,
    /// What it has waited for.
    pub progress: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidate {
    /// Of that job.
    Step(TaskRunId, JobId),
    Job(JobId),
}

impl Candidate {
    fn job(self) -> JobId {
        match self {
            Self::Step(_, job) | Self::Job(job) => job,
        }
    }
}

/// Of the projects `p`, those that are not disabled.
const OPEN: &str = "p_open(id, own_limits) AS (SELECT r.id, r.own_limits FROM p JOIN projects r ON r.id = p.id \
    WHERE r.disabled_at IS NULL)";

impl Store {
    /// Takes on due steps and starts ready jobs, as many as there is capacity for.
    pub async fn claim_steps(
        &self,
        host: HostId,
        capacity: Capacity,
        now: Timestamp,
    ) -> Result<Vec<LeasedStep>> {
        let chosen = choose(self.list_candidates(&capacity, now).await?, &capacity);
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.clone();
        let claiming = self.write(move |tx| {
            Box::pin(async move {
                if !hold_host(tx, host).await? {
                    return Ok(Default::default());
                }
                let mut bounds = Bounds::lock(&store, tx, &chosen, now).await?;
                let (mut due, mut ready) = (Vec::new(), Vec::new());
                for (project, candidate) in chosen {
                    if bounds.admit(project, candidate.job()) {
                        match candidate {
                            Candidate::Step(run, _) => due.push(run),
                            Candidate::Job(job) => ready.push(job),
                        }
                    }
                }
                let mut news = News::default();
                let mut steps = lease_steps(&store, tx, &due, host, now, &mut news).await?;
                let room = Room {
                    host,
                    free: capacity.free.saturating_sub(steps.len()),
                    per_job: capacity.per_project,
                };
                let (begun, ended) = start_jobs(&store, tx, &ready, room, now, &mut news).await?;
                steps.extend(begun);
                news.write(tx).await?;
                Ok((steps, ended))
            })
        });
        let (steps, ended) = claiming.await?;
        for end in ended {
            self.metrics.job_ended(end);
        }
        Ok(steps)
    }

    /// When the next waiting task wants to go on.
    pub async fn next_wake_time(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "WITH RECURSIVE p(id) AS (SELECT (SELECT project_id FROM task_runs WHERE wake_at IS NOT NULL \
             ORDER BY project_id LIMIT 1) UNION ALL SELECT (SELECT project_id FROM task_runs WHERE wake_at IS NOT NULL \
             AND project_id > p.id ORDER BY project_id LIMIT 1) FROM p WHERE p.id IS NOT NULL) \
             SELECT MIN((SELECT wake_at FROM task_runs WHERE project_id = r.id AND wake_at IS NOT NULL \
             ORDER BY wake_at LIMIT 1)) AS wake_at FROM p JOIN projects r ON r.id = p.id WHERE r.disabled_at IS NULL",
        )
        .fetch_one(&self.read)
        .await?;
        Columns::of(&row, "task_runs").maybe_time("wake_at")
    }

    /// What each project has to do, in the order in which it wants it done: tasks that go on before jobs that begin.
    async fn list_candidates(
        &self,
        capacity: &Capacity,
        now: Timestamp,
    ) -> Result<HashMap<ProjectId, VecDeque<Candidate>>> {
        let most = i64::try_from(capacity.free.min(capacity.per_project)).unwrap_or(i64::MAX);
        let front = self.dialect.join_front(
            "task_runs",
            "t",
            "FROM task_runs WHERE project_id = p.id AND wake_at IS NOT NULL AND wake_at <= $1 ORDER BY wake_at LIMIT $2",
        );
        let sql = format!(
            "WITH RECURSIVE p(id) AS (SELECT (SELECT project_id FROM task_runs WHERE wake_at IS NOT NULL \
             ORDER BY project_id LIMIT 1) UNION ALL SELECT (SELECT project_id FROM task_runs WHERE wake_at IS NOT NULL \
             AND project_id > p.id ORDER BY project_id LIMIT 1) FROM p WHERE p.id IS NOT NULL), {OPEN} \
             SELECT t.id AS id, t.job_id AS job_id, t.project_id AS project_id, p.own_limits AS own_limits \
             FROM p_open p {front} ORDER BY t.wake_at"
        );
        let due = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(now.0)
            .bind(most)
            .fetch_all(&self.read)
            .await?;
        // A range of one project and its order, so that no other index looks as good: by the key alone, PostgreSQL would
        // read the whole history where it believes that much is ready.
        let front = self.dialect.join_front(
            "jobs",
            "j",
            "FROM jobs WHERE project_id >= p.id AND project_id <= p.id AND is_ready = 1 ORDER BY project_id, id LIMIT $1",
        );
        let sql = format!(
            "WITH RECURSIVE p(id) AS (SELECT (SELECT project_id FROM jobs WHERE is_ready = 1 \
             ORDER BY project_id LIMIT 1) UNION ALL SELECT (SELECT project_id FROM jobs WHERE is_ready = 1 \
             AND project_id > p.id ORDER BY project_id LIMIT 1) FROM p WHERE p.id IS NOT NULL), {OPEN} \
             SELECT j.id AS id, j.project_id AS project_id, p.own_limits AS own_limits \
             FROM p_open p {front} ORDER BY j.id"
        );
        let ready = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(most)
            .fetch_all(&self.read)
            .await?;
        let mut candidates: HashMap<ProjectId, VecDeque<Candidate>> = HashMap::new();
        let mut bounds = Bounds::default();
        for row in &due {
            let columns = Columns::of(row, "task_runs");
            let job = JobId(columns.int("job_id")?);
            let project = bounds.read(self, row).await?;
            if bounds.admit(project, job) {
                let step = Candidate::Step(TaskRunId(columns.int("id")?), job);
                candidates.entry(project).or_default().push_back(step);
            }
        }
        for row in &ready {
            let job = JobId(Columns::of(row, "jobs").int("id")?);
            let project = bounds.read(self, row).await?;
            if bounds.admit(project, job) {
                let job = Candidate::Job(job);
                candidates.entry(project).or_default().push_back(job);
            }
        }
        Ok(candidates)
    }
}

/// One after another from the project that runs the least, until the capacity is used up.
fn choose(
    mut candidates: HashMap<ProjectId, VecDeque<Candidate>>,
    capacity: &Capacity,
) -> Vec<(ProjectId, Candidate)> {
    let mut queue: BinaryHeap<Reverse<(usize, ProjectId)>> = candidates
        .keys()
        .map(|project| {
            Reverse((
                capacity.running.get(project).copied().unwrap_or(0),
                *project,
            ))
        })
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < capacity.free {
        let Some(Reverse((running, project))) = queue.pop() else {
            break;
        };
        if running >= capacity.per_project {
            // The others run at least as much.
            break;
        }
        if let Some(candidate) = candidates.get_mut(&project).and_then(VecDeque::pop_front) {
            chosen.push((project, candidate));
            queue.push(Reverse((running + 1, project)));
        }
    }
    chosen
}

/// Takes due steps on; those that are somebody else's meanwhile are left out.
async fn lease_steps(
    store: &Store,
    tx: &mut Tx,
    due: &[TaskRunId],
    host: HostId,
    now: Timestamp,
    news: &mut News,
) -> Result<Vec<LeasedStep>> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let dialect = Dialect::of(tx);
    let (rows, lock_free) = (dialect.rows("$1", &["run"], &[]), dialect.lock_free("t"));
    // A run that nobody has held yet starts now: time in the queue is not its own.
    let sql = format!(
        "UPDATE task_runs SET host_id = $2, epoch = epoch + 1, wake_at = NULL, \
         start_at = CASE WHEN epoch = 0 THEN $3 ELSE start_at END WHERE id IN \
         (SELECT t.id FROM {rows} d JOIN task_runs t ON t.id = d.run \
         WHERE +t.wake_at IS NOT NULL AND t.status = 'processing'{lock_free}) \
         RETURNING id, job_id, position, start_at, component_digest, step, attempt, is_sent, is_checkpointed, state, epoch, message"
    );
    let runs: Vec<_> = due.iter().map(|run| [run.0]).collect();
    let leased = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("task_runs", &runs)?)
        .bind(host.0)
        .bind(now.0)
        .fetch_all(&mut *tx)
        .await?;
    let jobs = find_jobs(store, tx, &leased).await?;
    let mut steps = HashMap::with_capacity(leased.len());
    for row in &leased {
        let step = leased_step(row, host, &jobs)?;
        if step.lease.epoch == 1 {
            let run = RunOf {
                project: step.job.project_id,
                job: step.job.id,
                position: Columns::of(row, "task_runs").int("position")?,
            };
            news.task(run, Status::Processing, None, None, now);
        }
        steps.insert(step.lease.run, step);
    }
    // In the order in which they were due.
    Ok(due.iter().filter_map(|run| steps.remove(run)).collect())
}

/// The jobs of task runs.
async fn find_jobs(store: &Store, tx: &mut Tx, runs: &[AnyRow]) -> Result<HashMap<JobId, Job>> {
    let job_id = |row| Ok([Columns::of(row, "task_runs").int("job_id")?]);
    let ids = runs.iter().map(job_id).collect::<Result<BTreeSet<_>>>()?;
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Dialect::of(tx).rows("$1", &["of_job"], &[]);
    let sql = format!(
        "SELECT {} FROM {rows} d JOIN jobs ON jobs.id = d.of_job",
        job_column(Dialect::of(tx), "jobs")
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &ids)?)
        .fetch_all(&mut *tx)
        .await?;
    let found = store.read_jobs_in(tx, &found).await?;
    Ok(found.into_iter().map(|job| (job.id, job)).collect())
}

fn leased_step(row: &AnyRow, host: HostId, jobs: &HashMap<JobId, Job>) -> Result<LeasedStep> {
    let columns = Columns::of(row, "task_runs");
    let job = jobs.get(&JobId(columns.int("job_id")?));
    let job = job.ok_or_else(|| columns.damaged("its job is missing"))?;
    let position: usize = columns.count("position")?;
    let task = job.revision.tasks.get(position).cloned();
    Ok(LeasedStep {
        lease: Lease {
            run: TaskRunId(columns.int("id")?),
            host,
            epoch: columns.int("epoch")?,
        },
        task: task.ok_or_else(|| columns.damaged("its task is missing"))?,
        job: job.clone(),
        start_at: columns.time("start_at")?,
        step: columns.count("step")?,
        attempt: columns.count("attempt")?,
        is_sent: columns.flag("is_sent")?,
        is_checkpointed: columns.flag("is_checkpointed")?,
        state: columns.maybe_bytes("state")?,
        component_digest: columns.maybe_text("component_digest")?,
        progress: columns.maybe_text("message")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_that_runs_the_least_is_served_first() {
        let of = |project: i64, runs: std::ops::Range<i64>| {
            let queue = runs
                .map(|run| Candidate::Step(TaskRunId(run), JobId(1)))
                .collect::<VecDeque<_>>();
            (ProjectId(project), queue)
        };
        let capacity = Capacity {
            free: 6,
            per_project: 4,
            running: HashMap::from([(ProjectId(1), 2)]),
        };
        let chosen = choose(
            HashMap::from([of(1, 10..30), of(2, 50..52), of(3, 70..71)]),
            &capacity,
        );
        let chosen: Vec<_> = chosen.into_iter().map(|(_, candidate)| candidate).collect();
        let expected = [50, 70, 51, 10, 11].map(|run| Candidate::Step(TaskRunId(run), JobId(1)));
        assert_eq!(chosen, expected);
    }
}
