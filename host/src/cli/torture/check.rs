//! The checker: a history in, violations out. It knows neither hosts nor clocks.
//!
//! What the product promises is held against what was seen from outside. A start in doubt is no violation: the promise is
//! at most once, and the task says so. What clients sent and never got an answer to may have happened or not.

use super::evidence::{Evidence, Start};
use super::ledger;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::{Initiator, Job, Status, TaskEnd, outcome, stops_job};
use crate::domain::notification::Channel;
use crate::domain::phases::{end_of, next_active};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Broken {
    JobLost,
    JobDoubled,
    TickLost,
    TickDoubled,
    RemoteJobDoubled,
    TaskNotRun,
    LateResult,
    LeftOver,
    RanSideBySide,
    NotificationLost,
    NotificationDoubled,
    WriteLost,
    WrongAnswer,
    HostFell,
}

impl Broken {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::JobLost => "job lost",
            Self::JobDoubled => "job doubled",
            Self::TickLost => "tick lost",
            Self::TickDoubled => "tick doubled",
            Self::RemoteJobDoubled => "remote job doubled",
            Self::TaskNotRun => "task not run",
            Self::LateResult => "late result",
            Self::LeftOver => "left over",
            Self::RanSideBySide => "ran side by side",
            Self::NotificationLost => "notification lost",
            Self::NotificationDoubled => "notification doubled",
            Self::WriteLost => "write lost",
            Self::WrongAnswer => "wrong answer",
            Self::HostFell => "host fell",
        }
    }
}

/// One broken promise, with the ids that it takes to look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) broken: Broken,
    pub(super) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.broken.as_str(), self.what)
    }
}

/// Collects violations.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Violation>);

impl Findings {
    pub(super) fn add(&mut self, broken: Broken, what: impl Into<String>) {
        self.0.push(Violation {
            broken,
            what: what.into(),
        });
    }
}

/// All violations of a history.
pub(super) fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut findings = Findings::default();
    check_writes(evidence, &mut findings);
    check_requests(evidence, &mut findings);
    ledger::check_ticks(evidence, &mut findings);
    check_ends(evidence, &mut findings);
    check_starts(evidence, &mut findings);
    check_notifications(evidence, &mut findings);
    for answer in &evidence.told.wrong_answers {
        findings.add(Broken::WrongAnswer, answer);
    }
    findings.0
}

/// Acknowledged writes are there, and nothing that nobody asked for.
fn check_writes(evidence: &Evidence, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    let kept: HashMap<_, _> = evidence
        .kept
        .orchestrations
        .iter()
        .map(|one| (one.id, one))
        .collect();
    for (id, told) in &evidence.told.orchestrations {
        let Some(one) = kept.get(id) else {
            findings.add(
                Broken::WriteLost,
                format!("orchestration {id} was acknowledged and is not there"),
            );
            continue;
        };
        if !told.deleted.may_be(&one.deleted_at.is_some()) {
            findings.add(
                Broken::WriteLost,
                format!("orchestration {id}: its deletion is not what was acknowledged"),
            );
        }
        if !told.name.may_be(&one.name) {
            let what = format!(
                "orchestration {id} is called {:?} and not {:?}",
                one.name, told.name.acknowledged
            );
            findings.add(Broken::WriteLost, what);
        }
        if !told.active.may_be(&one.active) {
            findings.add(
                Broken::WriteLost,
                format!("orchestration {id}: its activity is not what was acknowledged"),
            );
        }
    }
    for one in &evidence.kept.orchestrations {
        let id = one.id;
        // A later version keeps the first word of the name.
        let first = one.name.split(' ').next().unwrap_or_default().to_owned();
        if !evidence.told.names.contains(&first) {
            findings.add(
                Broken::WrongAnswer,
                format!("orchestration {id} {:?} was asked for by nobody", one.name),
            );
        } else if !names.insert(first) {
            findings.add(
                Broken::WrongAnswer,
                format!("orchestration {id} {:?} is there twice", one.name),
            );
        }
        let jobs = evidence
            .kept
            .jobs
            .iter()
            .filter(|job| job.orchestration_id == id)
            .count();
        if u64::try_from(jobs).unwrap_or(0) != one.job_count {
            let what = format!(
                "orchestration {id} has {jobs} jobs and counts {}",
                one.job_count
            );
            findings.add(Broken::WrongAnswer, what);
        }
    }
}

/// One request, one job; each acknowledged job is there, in the database and over the API.
fn check_requests(evidence: &Evidence, findings: &mut Findings) {
    let kept: HashMap<JobId, &Job> = evidence.kept.jobs.iter().map(|job| (job.id, job)).collect();
    for (request, answers) in &evidence.told.jobs {
        let ids: BTreeSet<_> = answers.iter().copied().collect();
        if ids.len() > 1 {
            findings.add(
                Broken::JobDoubled,
                format!("request {request} was answered with the jobs {ids:?}"),
            );
        }
        for id in ids {
            match kept.get(&id) {
                Some(job) if job.parent_run_id.as_deref() == Some(request) => {}
                Some(_) => findings.add(
                    Broken::JobDoubled,
                    format!("job {id} is not that of request {request}"),
                ),
                None => findings.add(
                    Broken::JobLost,
                    format!("job {id} of request {request} is not there"),
                ),
            }
        }
    }
    let mut made = BTreeSet::new();
    for job in &evidence.kept.jobs {
        match (&job.parent_run_id, job.initialized_by) {
            (None, Initiator::Scheduler) => {}
            (Some(request), Initiator::Manually | Initiator::Trigger)
                if evidence.told.jobs.contains_key(request) =>
            {
                if !made.insert(request) {
                    findings.add(
                        Broken::JobDoubled,
                        format!("job {} is not the first one of request {request}", job.id),
                    );
                }
            }
            _ => findings.add(
                Broken::JobDoubled,
                format!("job {} was asked for by nobody", job.id),
            ),
        }
    }
    for (id, shown) in &evidence.shown {
        let status = kept.get(id).map(|job| job.status);
        if *shown != status {
            findings.add(
                Broken::JobLost,
                format!("job {id} is shown as {shown:?} and kept as {status:?}"),
            );
        }
    }
    for id in &evidence.told.cancelled {
        let status = kept.get(id).map(|job| job.status);
        if status != Some(Status::Cancelled) {
            findings.add(
                Broken::WriteLost,
                format!("job {id} was cancelled and is {status:?}"),
            );
        }
    }
}

/// Everything has ended, and each job as its tasks say.
fn check_ends(evidence: &Evidence, findings: &mut Findings) {
    for job in &evidence.kept.jobs {
        let id = job.id;
        if !job.status.is_finished() {
            findings.add(
                Broken::LeftOver,
                format!("job {id} is {}", job.status.as_str()),
            );
            continue;
        }
        for run in job.task_runs.iter().filter(|run| run.end_at.is_none()) {
            findings.add(
                Broken::LeftOver,
                format!("task run {id}.{} has no end", run.id),
            );
        }
        if job.status == Status::Cancelled {
            if !job.task_runs.is_empty() {
                findings.add(
                    Broken::LateResult,
                    format!("job {id} was cancelled and ran"),
                );
            }
            continue;
        }
        let tasks = job.tasks();
        let ends: Vec<_> = job
            .task_runs
            .iter()
            .map(|run| TaskEnd {
                status: run.status,
                continue_on_failure: tasks
                    .get(run.position)
                    .is_some_and(|task| task.continue_on_failure),
            })
            .collect();
        if outcome(&ends) != job.status {
            let what = format!(
                "job {id} is {} and its tasks say {}",
                job.status.as_str(),
                outcome(&ends).as_str()
            );
            findings.add(Broken::LateResult, what);
        }
        for run in &job.task_runs {
            if run.end_at > job.end_at {
                findings.add(
                    Broken::LateResult,
                    format!("task run {id}.{} ended after its job", run.id),
                );
            }
        }
        check_phases(job, findings);
    }
}

/// Phases ran in order up to the first failed one, each of them whole.
fn check_phases(job: &Job, findings: &mut Findings) {
    let tasks = job.tasks();
    let (mut expected, mut from) = (Vec::new(), 0);
    loop {
        let phase = next_active(&tasks, from);
        let Some(last) = phase.last() else { break };
        from = end_of(&tasks, *last);
        expected.extend(phase.iter().copied());
        let ends: Vec<_> = job
            .task_runs
            .iter()
            .filter(|run| phase.contains(&run.position))
            .map(|run| TaskEnd {
                status: run.status,
                continue_on_failure: tasks
                    .get(run.position)
                    .is_some_and(|task| task.continue_on_failure),
            })
            .collect();
        if stops_job(&ends) {
            break;
        }
    }
    let ran: Vec<_> = job.task_runs.iter().map(|run| run.position).collect();
    if ran != expected {
        let what = format!("job {}: the tasks {ran:?} ran and not {expected:?}", job.id);
        findings.add(Broken::TaskNotRun, what);
    }
}

/// What the components saw: nothing twice, nothing left out, and one job of an orchestration at a time.
fn check_starts(evidence: &Evidence, findings: &mut Findings) {
    let mut accepted: HashMap<&str, &Start> = HashMap::new();
    let mut keys = HashSet::new();
    for start in evidence.starts.iter().filter(|start| start.is_accepted) {
        let is_first = accepted.insert(&start.run_id, start).is_none();
        if !(keys.insert(&start.key) && is_first) {
            let what = format!(
                "task run {} was started again (key {})",
                start.run_id, start.key
            );
            findings.add(Broken::RemoteJobDoubled, what);
        }
    }
    let mut of_run: HashMap<String, (OrchestrationId, JobId)> = HashMap::new();
    for job in &evidence.kept.jobs {
        for run in &job.task_runs {
            let run_id = format!("{}.{}", job.id, run.id);
            let ended = accepted.get(run_id.as_str()).and_then(|start| start.ended);
            let is_own_word = run.error_code.is_none() && run.end_at.is_some();
            if is_own_word && ended != Some(run.status) {
                let what = format!(
                    "task run {run_id} is {} and its component said {ended:?}",
                    run.status.as_str()
                );
                findings.add(Broken::TaskNotRun, what);
            }
            // A start in doubt may arrive late: whoever sent it was suspended with the request in hand.
            if run.error_code.as_deref() != Some("IN_DOUBT") {
                of_run.insert(run_id, (job.orchestration_id, job.id));
            }
        }
    }
    let mut present: BTreeMap<OrchestrationId, JobId> = BTreeMap::new();
    let mut over: HashSet<JobId> = HashSet::new();
    for start in evidence.starts.iter().filter(|start| start.is_accepted) {
        let Some((orchestration, job)) = of_run.get(&start.run_id) else {
            continue;
        };
        if over.contains(job) {
            let what = format!(
                "job {job} of orchestration {orchestration} began a task after a later job had begun"
            );
            findings.add(Broken::RanSideBySide, what);
        }
        if let Some(before) = present.insert(*orchestration, *job)
            && before != *job
        {
            over.insert(before);
        }
    }
}

/// Each failed job told everybody who wanted to know, once in the records and at least once by mail.
fn check_notifications(evidence: &Evidence, findings: &mut Findings) {
    let mut promised: BTreeSet<(JobId, String)> = BTreeSet::new();
    for job in evidence
        .kept
        .jobs
        .iter()
        .filter(|job| job.status == Status::Error)
    {
        let subscriptions = &job.revision.notifications;
        let addresses: Vec<_> = if job.notifications_emails.is_empty() {
            let errors = subscriptions
                .iter()
                .filter(|one| one.channel == Channel::Error);
            errors.map(|one| one.email.clone()).collect()
        } else {
            job.notifications_emails.clone()
        };
        promised.extend(addresses.into_iter().map(|address| (job.id, address)));
    }
    let mails: BTreeMap<_, BTreeSet<_>> =
        evidence
            .mails
            .iter()
            .fold(BTreeMap::new(), |mut all, mail| {
                let delivery = mail
                    .message_id
                    .split('.')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                all.entry(delivery)
                    .or_insert_with(BTreeSet::new)
                    .insert(mail.to.clone());
                all
            });
    let mut recorded = BTreeSet::new();
    for delivery in &evidence.kept.deliveries {
        let (id, job, address) = (delivery.id, delivery.job_id, &delivery.address);
        let key = (job, address.clone());
        if !promised.contains(&key) {
            findings.add(
                Broken::NotificationDoubled,
                format!("delivery {id} of job {job} was promised to nobody"),
            );
        } else if !recorded.insert(key) {
            findings.add(
                Broken::NotificationDoubled,
                format!("delivery {id} of job {job} is recorded again"),
            );
        }
        match delivery.status {
            DeliveryStatus::Pending => findings.add(
                Broken::LeftOver,
                format!("delivery {id} of job {job} is pending"),
            ),
            DeliveryStatus::Failed => {
                findings.add(
                    Broken::NotificationLost,
                    format!("delivery {id} of job {job} was given up"),
                );
            }
            DeliveryStatus::Delivered => {
                let seen = mails.get(&format!("delivery-{id}"));
                if !seen.is_some_and(|to| to.len() == 1 && to.contains(address)) {
                    let what = format!(
                        "delivery {id} of job {job} to {address}: the mail server saw {seen:?}"
                    );
                    findings.add(Broken::NotificationLost, what);
                }
            }
        }
    }
    for (job, address) in promised.difference(&recorded) {
        findings.add(
            Broken::NotificationLost,
            format!("job {job} failed and {address} was not told"),
        );
    }
}

#[cfg(test)]
mod tests;
