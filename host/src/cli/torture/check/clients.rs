//! What clients were told against what is kept: acknowledged writes, and one job per request.

use super::super::evidence::Evidence;
use super::{Broken, Findings};
use crate::domain::ids::JobId;
use crate::domain::job::{Initiator, Job, Status};
use std::collections::{BTreeSet, HashMap};

/// Acknowledged writes are there, and nothing that nobody asked for.
pub(super) fn check_writes(evidence: &Evidence, findings: &mut Findings) {
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
pub(super) fn check_requests(evidence: &Evidence, findings: &mut Findings) {
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
