//! What jobs and tasks came to, against their rules and against what the components saw.

use super::super::evidence::{Evidence, Start};
use super::{Broken, Findings};
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::{Job, Status, TaskEnd, outcome, stops_job};
use crate::domain::phases::{end_of, next_active};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Everything has ended, and each job as its tasks say.
pub(super) fn check_ends(evidence: &Evidence, findings: &mut Findings) {
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
pub(super) fn check_starts(evidence: &Evidence, findings: &mut Findings) {
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
