//! Task runs: what becomes of a step, and of the job when its phase is over.
//!
//! Every change is made under a lease: it names host and epoch, and does nothing once another host has taken the run
//! over. The end of a phase, the next phase or the end of the job ([`super::advances`]), and the notifications that this
//! promises are one transaction. Steps that end at the same time are recorded by statements for all of them.

use super::advances::{PhaseEnd, advance_jobs};
use super::claims::{Lease, LeasedStep};
use super::dialect::Dialect;
use super::job_events::News;
use super::locks::{hold_host, lock_orchestrations_of_runs};
use super::rows::{Columns, Query, storable, to_json};
use super::said::{Speaker, StepReport};
use super::{Result, Store, Tx};
use crate::domain::ids::{JobId, ProjectId};
use crate::domain::job::Status;
use crate::domain::time::Timestamp;
use crate::metrics::JobEnd;
use sqlx::any::AnyRow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// How a step ended.
#[derive(Clone, Debug)]
pub enum StepEnd {
    /// The task is over.
    Done {
        /// `success`, `warning` or `error`.
        status: Status,
        /// JSON text; `None` keeps what an earlier step answered.
        response: Option<String>,
        error_code: Option<String>,
        message: Option<String>,
    },
    /// The task goes on with another step.
    Wait {
        /// Sealed.
        state: Vec<u8>,
        wake_at: Timestamp,
        response: Option<String>,
        message: Option<String>,
        component_digest: String,
    },
    /// The host could not run it to its end; the same step is to be tried again.
    Abandoned { wake_at: Timestamp },
}

/// What became of a step's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Recorded.
    Yes {
        /// There may be something to claim now.
        has_more: bool,
        /// It was the last one of its job, which may have promised notifications.
        ends_job: bool,
    },
    /// Another host has taken the run over; this result counts for nothing.
    LeaseLost,
}

impl Store {
    /// What the tasks of a job that have ended answered, by their positions: JSON text.
    pub async fn read_responses(
        &self,
        project: ProjectId,
        job: JobId,
    ) -> Result<Vec<(usize, Option<String>)>> {
        let rows = sqlx::query(
            "SELECT position, response FROM task_runs WHERE job_id = $1 AND project_id = $2 AND end_at IS NOT NULL",
        )
        .bind(job.0)
        .bind(project.0)
        .fetch_all(&self.read)
        .await?;
        let read = |row: &AnyRow| {
            let columns = Columns::of(row, "task_runs");
            Ok((columns.count("position")?, columns.maybe_text("response")?))
        };
        rows.iter().map(read).collect()
    }

    /// Records how a step ended, what it reports beside, and what follows from it for its job.
    pub async fn end_step(
        &self,
        lease: Lease,
        end: StepEnd,
        report: impl Into<StepReport>,
        now: Timestamp,
    ) -> Result<Accepted> {
        let report = report.into();
        let ended = self
            .end_step_and_go_on(lease, end, report, now, false)
            .await;
        Ok(ended?.0)
    }

    /// The same; where the job goes on with a task, and `goes_on`, that is leased to the same host at once and returned.
    /// Where the job ended with it, its end is told, too.
    pub async fn end_step_and_go_on(
        &self,
        lease: Lease,
        end: StepEnd,
        report: impl Into<StepReport>,
        now: Timestamp,
        goes_on: bool,
    ) -> Result<(Accepted, Option<LeasedStep>, Option<JobEnd>)> {
        let ended = EndedStep {
            lease,
            end,
            report: report.into(),
            now,
            goes_on,
        };
        let recorded = self.ended_steps.write(self, ended).await?;
        if recorded.accepted == Accepted::LeaseLost {
            self.metrics.result_refused();
        }
        if let Some(end) = recorded.ended {
            self.metrics.job_ended(end);
        }
        let next = recorded.next.map(|next| *next);
        Ok((recorded.accepted, next, recorded.ended))
    }

    /// Notes that a request which may change something is about to leave. `false`: the lease is lost, it must not leave.
    pub async fn mark_sent(&self, lease: Lease, component_digest: String) -> Result<bool> {
        let store = self.clone();
        self.write(move |tx| {
            Box::pin(async move {
                store.seize_where_unfenced(tx, lease).await?;
                let marked = sqlx::query(
                    "UPDATE task_runs SET is_sent = 1, component_digest = $4 \
                     WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.run.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(component_digest)
                .execute(tx)
                .await?;
                Ok(marked.rows_affected() == 1)
            })
        })
        .await
    }

    /// Does nothing, but in a store without fences: there the run becomes the lease's, whosever it was.
    async fn seize_where_unfenced(&self, tx: &mut Tx, lease: Lease) -> Result<()> {
        if self.is_fenced {
            return Ok(());
        }
        sqlx::query("UPDATE task_runs SET host_id = $2, epoch = $3 WHERE id = $1")
            .bind(lease.run.0)
            .bind(lease.host.0)
            .bind(lease.epoch)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Keeps a state in mid-step: after a crash the task goes on from it, and nothing before it is in doubt. `false`: the
    /// lease is lost.
    pub async fn save_checkpoint(
        &self,
        lease: Lease,
        state: Vec<u8>,
        component_digest: String,
    ) -> Result<bool> {
        self.write(move |tx| {
            Box::pin(async move {
                let saved = sqlx::query(
                    "UPDATE task_runs SET state = $4, is_checkpointed = 1, is_sent = 0, component_digest = $5 \
                     WHERE id = $1 AND host_id = $2 AND epoch = $3",
                )
                .bind(lease.run.0)
                .bind(lease.host.0)
                .bind(lease.epoch)
                .bind(state)
                .bind(component_digest)
                .execute(tx)
                .await?;
                Ok(saved.rows_affected() == 1)
            })
        })
        .await
    }
}

/// How a step ended, and under which lease.
#[derive(Clone, Debug)]
pub(super) struct EndedStep {
    lease: Lease,
    end: StepEnd,
    report: StepReport,
    now: Timestamp,
    /// Whether the host wants the next task of the job.
    goes_on: bool,
}

/// What became of it.
pub(super) struct Recorded {
    accepted: Accepted,
    /// The next step of the job, where the host takes it.
    next: Option<Box<LeasedStep>>,
    /// Its job's end, told by one step of each job.
    ended: Option<JobEnd>,
}

/// Longer answers are recorded one by one: in the statements for many they would be read several times.
const MOST_BYTES_TOGETHER: usize = 4 << 10;

impl EndedStep {
    fn is_short(&self) -> bool {
        match &self.end {
            StepEnd::Done {
                response, message, ..
            } => {
                let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
                length(response) + length(message) <= MOST_BYTES_TOGETHER
            }
            StepEnd::Wait { .. } | StepEnd::Abandoned { .. } => false,
        }
    }
}

/// Records how steps ended, inside a transaction.
pub(super) async fn end_steps_in(
    store: &Store,
    tx: &mut Tx,
    ended: &[EndedStep],
) -> Result<Vec<Recorded>> {
    // Everybody locks hosts first.
    let mut takers = HashMap::new();
    for one in ended.iter().filter(|one| one.goes_on) {
        if let Entry::Vacant(host) = takers.entry(one.lease.host) {
            let is_alive = hold_host(tx, *host.key()).await?;
            host.insert(is_alive);
        }
    }
    let done: Vec<_> = ended
        .iter()
        .filter(|one| matches!(one.end, StepEnd::Done { .. }))
        .map(|one| one.lease.run)
        .collect();
    // Two hosts may end the last two tasks of a phase at once: the second one sees the first one's end.
    lock_orchestrations_of_runs(tx, &done).await?;
    for one in ended {
        store.seize_where_unfenced(tx, one.lease).await?;
    }
    let mut speakers = record_together(tx, ended).await?;
    let mut news = News::default();
    let mut over: BTreeMap<JobId, PhaseEnd> = BTreeMap::new();
    let mut recorded = Vec::with_capacity(ended.len());
    for one in ended {
        if !one.is_short()
            && let Some(speaker) = record(tx, one.lease, &one.end, &one.report, one.now).await?
        {
            speakers.insert(one.lease, speaker);
        }
        if let Some(speaker) = speakers.get_mut(&one.lease) {
            one.report.tell(&one.end, speaker, one.now, &mut news);
        }
        let accepted = match (speakers.get(&one.lease), &one.end) {
            (None, _) => Accepted::LeaseLost,
            (Some(speaker), StepEnd::Done { .. }) => {
                let end = over.entry(speaker.run.job).or_insert(PhaseEnd {
                    now: one.now,
                    taker: None,
                });
                end.now = end.now.max(one.now);
                if one.goes_on && takers.get(&one.lease.host) == Some(&true) {
                    end.taker = Some(one.lease.host);
                }
                Accepted::Yes {
                    has_more: false,
                    ends_job: false,
                }
            }
            (Some(_), StepEnd::Wait { wake_at, .. } | StepEnd::Abandoned { wake_at }) => {
                Accepted::Yes {
                    has_more: *wake_at <= one.now,
                    ends_job: false,
                }
            }
        };
        recorded.push(Recorded {
            accepted,
            next: None,
            ended: None,
        });
    }
    let mut advanced = advance_jobs(store, tx, over, &mut news).await?;
    for (one, recorded) in ended.iter().zip(&mut recorded) {
        let job = speakers.get(&one.lease).map(|speaker| speaker.run.job);
        let is_done = matches!(one.end, StepEnd::Done { .. });
        let of = job.filter(|_| is_done && recorded.accepted != Accepted::LeaseLost);
        if let Some(advance) = of.and_then(|job| advanced.get_mut(&job)) {
            recorded.accepted = advance.accepted;
            recorded.ended = advance.ended.take();
            if one.goes_on {
                recorded.next = advance.leased.take();
            }
        }
    }
    news.write(tx).await?;
    Ok(recorded)
}

/// The ends of short tasks: compare-and-set of many runs; returns those whose lease held.
async fn record_together(tx: &mut Tx, ended: &[EndedStep]) -> Result<HashMap<Lease, Speaker>> {
    let mut bound = Vec::with_capacity(ended.len());
    for one in ended.iter().filter(|one| one.is_short()) {
        if let StepEnd::Done {
            status,
            response,
            error_code,
            message,
        } = &one.end
        {
            let text = |text: &Option<String>| text.as_deref().map(storable);
            let (used, weight) = (one.report.used, one.report.weight(&one.end));
            bound.push((
                one.lease.run.0,
                one.lease.host.0,
                one.lease.epoch,
                stored(used.cpu_micros),
                stored(used.sent_bytes),
                stored(used.received_bytes),
                weight.0,
                weight.1,
                one.now.0,
                status.as_str(),
                text(response),
                text(error_code),
                text(message),
            ));
        }
    }
    let mut speakers = HashMap::with_capacity(bound.len());
    if bound.is_empty() {
        return Ok(speakers);
    }
    let rows = Dialect::of(tx).rows(
        "$1",
        &[
            "run", "host", "lease", "cpu", "sent", "received", "lines", "bytes", "ended",
        ],
        &["end_status", "answer", "code", "said"],
    );
    let sql = format!(
        "UPDATE task_runs SET cpu_micros = cpu_micros + d.cpu, sent_bytes = sent_bytes + d.sent, \
         received_bytes = received_bytes + d.received, said_lines = said_lines + d.lines, said_bytes = said_bytes + d.bytes, status = d.end_status, end_at = d.ended, \
         response = COALESCE(d.answer, response), error_code = d.code, message = d.said, host_id = NULL, wake_at = NULL, \
         state = NULL, is_sent = 0, is_checkpointed = 0 \
         FROM {rows} d WHERE task_runs.id = d.run AND +task_runs.host_id = d.host AND task_runs.epoch = d.lease \
         RETURNING task_runs.id AS id, task_runs.project_id AS project_id, task_runs.job_id AS job_id, \
         task_runs.position AS position, task_runs.said_lines AS said_lines, task_runs.said_bytes AS said_bytes, \
         task_runs.epoch AS epoch"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("task_runs", &bound)?)
        .fetch_all(tx)
        .await?;
    for row in &rows {
        let columns = Columns::of(row, "task_runs");
        let (run, epoch) = (columns.int("id")?, columns.int("epoch")?);
        let of = |one: &&EndedStep| one.lease.run.0 == run && one.lease.epoch == epoch;
        if let Some(one) = ended.iter().find(of) {
            let weight = one.report.weight(&one.end);
            let speaker = Speaker::read(row, one.report.tasks, weight)?;
            speakers.insert(one.lease, speaker);
        }
    }
    Ok(speakers)
}

/// Compare-and-set of one run; `None` where the lease is lost.
async fn record(
    tx: &mut Tx,
    lease: Lease,
    end: &StepEnd,
    report: &StepReport,
    now: Timestamp,
) -> Result<Option<Speaker>> {
    let weight = report.weight(end);
    let used = report.used;
    let of_lease = |query: Query| {
        query
            .bind(lease.run.0)
            .bind(lease.host.0)
            .bind(lease.epoch)
            .bind(stored(used.cpu_micros))
            .bind(stored(used.sent_bytes))
            .bind(stored(used.received_bytes))
            .bind(weight.0)
            .bind(weight.1)
    };
    let query = match end {
        StepEnd::Done {
            status,
            response,
            error_code,
            message,
        } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             status = $9, end_at = $10, response = COALESCE($11, response), error_code = $12, message = $13, host_id = NULL, wake_at = NULL, state = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
        .bind(status.as_str())
        .bind(now.0)
        .bind(response.as_deref().map(storable))
        .bind(error_code.as_deref().map(storable))
        .bind(message.as_deref().map(storable)),
        StepEnd::Wait {
            state,
            wake_at,
            response,
            message,
            component_digest,
        } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             state = $9, wake_at = $10, response = COALESCE($11, response), message = $12, component_digest = $13, step = step + 1, attempt = 1, host_id = NULL, is_sent = 0, is_checkpointed = 0 \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
        .bind(state.clone())
        .bind(wake_at.0)
        .bind(response.as_deref().map(storable))
        .bind(message.as_deref().map(storable))
        .bind(component_digest.clone()),
        StepEnd::Abandoned { wake_at } => of_lease(sqlx::query(
            "UPDATE task_runs SET cpu_micros = cpu_micros + $4, sent_bytes = sent_bytes + $5, received_bytes = received_bytes + $6, \
             said_lines = said_lines + $7, said_bytes = said_bytes + $8, \
             wake_at = $9, attempt = attempt + 1, host_id = NULL \
             WHERE id = $1 AND host_id = $2 AND epoch = $3 RETURNING project_id, job_id, position, said_lines, said_bytes",
        ))
        .bind(wake_at.0),
    };
    let row = query.fetch_optional(tx).await?;
    row.map(|row| Speaker::read(&row, report.tasks, weight))
        .transpose()
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
