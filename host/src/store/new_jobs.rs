//! New jobs by hand, by a run or by a trigger: as many as are wished for at the same time, by statements for all of them.
//!
//! A job is added at the end of its orchestration's queue, under the orchestration's lock. Several for the same orchestration
//! are added one after another.

use super::audit::{Entry, note_all};
use super::dialect::Dialect;
use super::job_events::News;
use super::quotas::{Account, account_for_jobs, count_jobs};
use super::rows::{Columns, storable, to_json};
use super::{Result, Store, StoreError, Tx};
use crate::domain::alarm::{Alarms, JobTimes};
use crate::domain::audit::{Action, Actor, Change, of_job};
use crate::domain::ids::{JobId, OrchestrationId, ProjectId, RevisionId, TokenId};
use crate::domain::job::{Initiator, InitiatorToken, Job, Status};
use crate::domain::orchestration::{Revision, TokenReference};
use crate::domain::task::{Task, run_flags};
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceContext;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A job to be made by hand, by a run or by a trigger.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub project_id: ProjectId,
    pub orchestration_id: OrchestrationId,
    pub initialized_by: Initiator,
    pub initiator: Option<InitiatorToken>,
    /// Where given, not empty.
    pub notifications_emails: Option<Vec<String>>,
    /// All tasks of the orchestration, with `active` as wanted for this run.
    pub tasks: Option<Vec<Task>>,
    pub parent_run_id: Option<String>,
    /// The trace of the request, where it is to be kept.
    pub trace: Option<TraceContext>,
}

/// What became of the wish for a job.
#[derive(Clone, Debug)]
pub enum CreatedJob {
    Created(Box<Job>),
    NotFound,
    /// A trigger needs an active orchestration.
    Inactive,
    /// The tasks given for the run are not the orchestration's: which one differs.
    TasksDiffer(String),
}

/// The wish for a job.
#[derive(Clone)]
pub(super) struct Wish {
    new: NewJob,
    now: Timestamp,
    /// Whose it is, for the audit log.
    actor: Option<Arc<Actor>>,
}

impl Wish {
    fn of(store: &Store, new: NewJob, now: Timestamp) -> Self {
        Self {
            new,
            now,
            actor: store.actor.clone(),
        }
    }
}

impl Store {
    /// Makes a job, together with those that others wish for meanwhile.
    pub async fn create_job(&self, new: NewJob, now: Timestamp) -> Result<CreatedJob> {
        let wish = Wish::of(self, new, now);
        self.new_jobs.write(self, wish).await?
    }
}

/// Makes one job inside a transaction.
pub(super) async fn create_job_in(
    store: &Store,
    tx: &mut Tx,
    new: NewJob,
    now: Timestamp,
) -> Result<CreatedJob> {
    let wish = Wish::of(store, new, now);
    let mut created = create_jobs_in(store, tx, &[wish]).await?;
    created.pop().unwrap_or(Err(StoreError::Closing))
}

/// Makes jobs inside a transaction. What is refused has written nothing.
pub(super) async fn create_jobs_in(
    store: &Store,
    tx: &mut Tx,
    wishes: &[Wish],
) -> Result<Vec<Result<CreatedJob>>> {
    let mut accounts = lock_accounts(store, tx, wishes).await?;
    let orchestrations = lock_orchestrations(store, tx, wishes).await?;
    let mut answers = Vec::with_capacity(wishes.len());
    // The first of each orchestration, then the second of each: each round has an orchestration once.
    let mut rounds: Vec<Vec<(usize, Job)>> = Vec::new();
    let mut wished: HashMap<OrchestrationId, usize> = HashMap::new();
    for (place, wish) in wishes.iter().enumerate() {
        match admit(wish, &mut accounts, &orchestrations) {
            Ok(Admitted::Job(job)) => {
                let round = wished.entry(job.orchestration_id).or_default();
                if rounds.len() <= *round {
                    rounds.push(Vec::new());
                }
                if let Some(jobs) = rounds.get_mut(*round) {
                    jobs.push((place, *job));
                }
                *round += 1;
                answers.push(Ok(CreatedJob::NotFound));
            }
            Ok(Admitted::No(refused)) => answers.push(Ok(refused)),
            Err(error) => answers.push(Err(error)),
        }
    }
    let mut noted = Vec::new();
    for round in rounds {
        let ids = insert_jobs(tx, &round).await?;
        for (place, mut job) in round {
            let id = ids.get(&job.orchestration_id);
            job.id = *id.ok_or_else(|| StoreError::Damaged {
                table: "jobs",
                reason: "a job that was added is missing".into(),
            })?;
            if let Some(actor) = wishes.get(place).and_then(|wish| wish.actor.as_ref()) {
                noted.push(Entry {
                    actor: Arc::clone(actor),
                    project: job.project_id,
                    change: Change {
                        action: Action::JobCreate,
                        subject: job.id.to_string(),
                        before: None,
                        after: Some(of_job(&job)),
                    },
                    now: job.created_at,
                });
            }
            if let Some(answer) = answers.get_mut(place) {
                *answer = Ok(CreatedJob::Created(Box::new(job)));
            }
        }
    }
    for (project, account) in accounts {
        if let Some(Watched { account, now, .. }) = account.filter(|account| account.has_more) {
            count_jobs(tx, project, &account, now).await?;
        }
    }
    note_all(tx, noted).await?;
    let mut news = News::default();
    for answer in &answers {
        if let Ok(CreatedJob::Created(job)) = answer {
            news.job(job.project_id, job.id, Status::Waiting, job.created_at);
        }
    }
    news.write(tx).await?;
    Ok(answers)
}

/// A project's account.
struct Watched {
    account: Account,
    now: Timestamp,
    /// Jobs were added to it.
    has_more: bool,
}

/// `None`: there is no such project.
type Accounts = BTreeMap<ProjectId, Option<Watched>>;

/// In the order in which everybody locks them.
async fn lock_accounts(store: &Store, tx: &mut Tx, wishes: &[Wish]) -> Result<Accounts> {
    let mut times: BTreeMap<ProjectId, Timestamp> = BTreeMap::new();
    for Wish { new, now, .. } in wishes {
        let latest = times.entry(new.project_id).or_insert(*now);
        *latest = (*latest).max(*now);
    }
    let mut accounts = BTreeMap::new();
    for (project, now) in times {
        let account = match account_for_jobs(store, tx, project, now).await {
            Ok(account) => Some(Watched {
                account,
                now,
                has_more: false,
            }),
            Err(StoreError::ProjectClosed) => None,
            Err(error) => return Err(error),
        };
        accounts.insert(project, account);
    }
    Ok(accounts)
}

/// What a new job takes over from its orchestration.
struct Model {
    project: ProjectId,
    active: bool,
    token: TokenReference,
    revision: Arc<Revision>,
}

/// Live ones, by id; on PostgreSQL they are locked in their order.
async fn lock_orchestrations(
    store: &Store,
    tx: &mut Tx,
    wishes: &[Wish],
) -> Result<HashMap<OrchestrationId, Model>> {
    let dialect = Dialect::of(tx);
    let ids: BTreeSet<_> = wishes
        .iter()
        .map(|wish| [wish.new.orchestration_id.0])
        .collect();
    let sql = format!(
        "SELECT o.id AS id, o.project_id AS project_id, o.revision_id AS revision_id, o.active AS active, \
         o.token_id AS token_id, o.token_description AS token_description \
         FROM {} d JOIN orchestrations o ON o.id = d.id WHERE +o.deleted_at IS NULL ORDER BY o.id{}",
        dialect.rows("$1", &["id"], &[]),
        dialect.lock("o")
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &ids)?)
        .fetch_all(&mut *tx)
        .await?;
    let revision = |row| {
        let columns = Columns::of(row, "orchestrations");
        Ok(RevisionId(columns.int("revision_id")?))
    };
    let revisions = rows.iter().map(revision).collect::<Result<_>>()?;
    let revisions = store
        .revisions
        .read_all_in(&store.read, tx, revisions)
        .await?;
    let mut models = HashMap::with_capacity(rows.len());
    for row in &rows {
        let columns = Columns::of(row, "orchestrations");
        let known = revisions.get(&revision(row)?);
        let model = Model {
            project: ProjectId(columns.int("project_id")?),
            active: columns.flag("active")?,
            token: TokenReference {
                id: TokenId(columns.int("token_id")?),
                description: columns.text("token_description")?,
            },
            revision: Arc::clone(known.ok_or_else(|| columns.damaged("its revision is missing"))?),
        };
        models.insert(OrchestrationId(columns.int("id")?), model);
    }
    Ok(models)
}

enum Admitted {
    /// To be added; its id is not known yet.
    Job(Box<Job>),
    No(CreatedJob),
}

/// Judges a wish, and counts it where it is granted.
fn admit(
    Wish { new, now, .. }: &Wish,
    accounts: &mut Accounts,
    orchestrations: &HashMap<OrchestrationId, Model>,
) -> Result<Admitted> {
    let account = accounts.get_mut(&new.project_id).and_then(Option::as_mut);
    let watched = account.ok_or(StoreError::ProjectClosed)?;
    watched.account.check_open()?;
    watched.account.check_job()?;
    let of = orchestrations
        .get(&new.orchestration_id)
        .filter(|of| of.project == new.project_id);
    let Some(of) = of else {
        return Ok(Admitted::No(CreatedJob::NotFound));
    };
    if new.initialized_by == Initiator::Trigger && !of.active {
        return Ok(Admitted::No(CreatedJob::Inactive));
    }
    let flags = new
        .tasks
        .as_ref()
        .map(|given| run_flags(&of.revision.tasks, given))
        .transpose();
    let active_tasks = match flags {
        Ok(flags) => flags,
        Err(difference) => return Ok(Admitted::No(CreatedJob::TasksDiffer(difference))),
    };
    watched.has_more = true;
    watched.account.used.jobs_today += 1;
    Ok(Admitted::Job(Box::new(Job {
        id: JobId(0),
        project_id: new.project_id,
        orchestration_id: new.orchestration_id,
        revision: Arc::clone(&of.revision),
        status: Status::Waiting,
        initialized_by: new.initialized_by,
        created_at: *now,
        start_at: None,
        end_at: None,
        token: of.token.clone(),
        initiator: new.initiator.as_ref().map(kept),
        notifications_emails: new.notifications_emails.clone().unwrap_or_default(),
        active_tasks,
        parent_run_id: new.parent_run_id.as_deref().map(storable),
        trace: new.trace,
        task_runs: Vec::new(),
    })))
}

/// As the database keeps it.
fn kept(token: &InitiatorToken) -> InitiatorToken {
    InitiatorToken {
        id: token.id,
        description: storable(&token.description),
        user_agent: token.user_agent.as_deref().map(storable),
    }
}

/// Adds jobs of different orchestrations, each at the end of its queue; returns their ids by orchestration.
async fn insert_jobs(
    tx: &mut Tx,
    jobs: &[(usize, Job)],
) -> Result<HashMap<OrchestrationId, JobId>> {
    let rows = Dialect::of(tx).rows(
        "$1",
        &["id", "created_at", "initiator_id", "alarm_at"],
        &[
            "initialized_by",
            "description",
            "agent",
            "emails",
            "active_tasks",
            "parent",
            "traceparent",
        ],
    );
    // Not EXISTS: for many orchestrations at once PostgreSQL would read all open jobs to answer it.
    let sql = format!(
        "INSERT INTO jobs (project_id, orchestration_id, revision_id, status, is_ready, initialized_by, created_at, \
         token_id, token_description, initiator_id, initiator_description, initiator_user_agent, \
         notifications_emails, active_tasks, parent_run_id, traceparent, alarm_at) \
         SELECT o.project_id, o.id, o.revision_id, 'waiting', \
         CASE WHEN (SELECT id FROM jobs WHERE orchestration_id = o.id AND status = 'waiting' LIMIT 1) IS NULL \
         AND (SELECT id FROM jobs WHERE orchestration_id = o.id AND status = 'processing' LIMIT 1) IS NULL \
         THEN 1 ELSE 0 END, \
         d.initialized_by, d.created_at, o.token_id, o.token_description, d.initiator_id, d.description, d.agent, \
         d.emails, d.active_tasks, d.parent, d.traceparent, d.alarm_at \
         FROM {rows} d JOIN orchestrations o ON o.id = d.id ORDER BY o.id RETURNING id, orchestration_id"
    );
    let mut bound = Vec::with_capacity(jobs.len());
    for (_, job) in jobs {
        bound.push(bound_row(job)?);
    }
    let added = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("jobs", &bound)?)
        .fetch_all(&mut *tx)
        .await?;
    let rows = Dialect::of(tx).rows("$1", &["id"], &[]);
    let sql = format!(
        "UPDATE orchestrations SET job_count = job_count + 1 FROM {rows} d WHERE orchestrations.id = d.id"
    );
    let counted: Vec<_> = jobs.iter().map(|(_, job)| [job.orchestration_id]).collect();
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(to_json("orchestrations", &counted)?)
        .execute(tx)
        .await?;
    let mut ids = HashMap::with_capacity(added.len());
    for row in &added {
        let columns = Columns::of(row, "jobs");
        let of = OrchestrationId(columns.int("orchestration_id")?);
        ids.insert(of, JobId(columns.int("id")?));
    }
    Ok(ids)
}

/// A job's values in the order in which [`insert_jobs`] names them.
fn bound_row(job: &Job) -> Result<impl serde::Serialize + use<>> {
    let times = JobTimes {
        created_at: job.created_at,
        start_at: None,
        average: None,
    };
    let alarms = Alarms::of(&job.revision.notifications, &job.notifications_emails);
    let emails = (!job.notifications_emails.is_empty())
        .then(|| to_json("jobs", &job.notifications_emails))
        .transpose()?;
    let active_tasks = job
        .active_tasks
        .as_ref()
        .map(|flags| to_json("jobs", flags))
        .transpose()?;
    let initiator = job.initiator.clone();
    Ok((
        job.orchestration_id.0,
        job.created_at.0,
        initiator.as_ref().map(|token| token.id.0),
        alarms.next_after(&times, None).map(|time| time.0),
        job.initialized_by.as_str(),
        initiator.as_ref().map(|token| token.description.clone()),
        initiator.and_then(|token| token.user_agent),
        emails,
        active_tasks,
        job.parent_run_id.clone(),
        job.trace.map(|trace| trace.to_string()),
    ))
}
