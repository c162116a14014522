//! The tick ledger against the schedule: every expected tick has exactly one outcome, and those that fired have a job each.

use super::super::evidence::Evidence;
use super::{Broken, Findings};
use crate::domain::crontab::Crontab;
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::{Initiator, Job};
use crate::domain::tick::TickOutcome;
use crate::domain::time::Timestamp;
use crate::store::{KeptOrchestration, Tick};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) fn check_ticks(evidence: &Evidence, findings: &mut Findings) {
    let mut ticks: BTreeMap<OrchestrationId, Vec<&Tick>> = BTreeMap::new();
    for (of, tick) in &evidence.kept.ticks {
        ticks.entry(*of).or_default().push(tick);
    }
    for one in &evidence.kept.orchestrations {
        let rows = ticks.remove(&one.id).unwrap_or_default();
        check_schedule(one, &rows, evidence.settled_until, findings);
    }
    for id in ticks.keys() {
        findings.add(
            Broken::TickDoubled,
            format!("orchestration {id} is not there and has ticks"),
        );
    }
    check_jobs(evidence, findings);
}

/// The outcomes of one orchestration's schedule, which never changed but for pauses.
fn check_schedule(
    one: &KeptOrchestration,
    rows: &[&Tick],
    settled_until: Option<Timestamp>,
    findings: &mut Findings,
) {
    let id = one.id;
    let Some(crontab) = one
        .crontab_record
        .as_deref()
        .and_then(|text| Crontab::parse(text).ok())
    else {
        if !rows.is_empty() {
            findings.add(
                Broken::TickDoubled,
                format!(
                    "orchestration {id} has no schedule and {} outcomes",
                    rows.len()
                ),
            );
        }
        return;
    };
    let mut covered = BTreeSet::new();
    for row in rows {
        let inside = times(&crontab, Timestamp(row.from.0.saturating_sub(1)), row.to);
        let is_whole = u64::try_from(inside.len()).is_ok_and(|count| count == row.ticks);
        if !is_whole || inside.first() != Some(&row.from) || inside.last() != Some(&row.to) {
            let what = format!(
                "orchestration {id}: a row from {} counts {} ticks wrongly",
                row.from.to_iso(),
                row.ticks
            );
            findings.add(Broken::TickLost, what);
        }
        for time in inside {
            if !covered.insert(time) {
                let what = format!("orchestration {id}: {} has two outcomes", time.to_iso());
                findings.add(Broken::TickDoubled, what);
            }
        }
    }
    // Of a pause that lasts, the outcome is recorded when it ends.
    let end = [one.deleted_at, one.paused_at, settled_until]
        .into_iter()
        .flatten()
        .min();
    let expected = end
        .map(|end| times(&crontab, one.created_at, end))
        .unwrap_or_default();
    for time in expected.iter().filter(|time| !covered.contains(time)) {
        findings.add(
            Broken::TickLost,
            format!("orchestration {id}: {} has no outcome", time.to_iso()),
        );
    }
    for time in covered.iter().filter(|time| **time <= one.created_at) {
        findings.add(
            Broken::TickDoubled,
            format!("orchestration {id}: {} is older than it", time.to_iso()),
        );
    }
}

fn times(crontab: &Crontab, after: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    crontab
        .upcoming(after.to_datetime())
        .map(Timestamp::from_datetime)
        .take_while(|time| *time <= to)
        .collect()
}

/// Ticks that fired and jobs of the scheduler, one to one.
fn check_jobs(evidence: &Evidence, findings: &mut Findings) {
    let jobs: HashMap<JobId, &Job> = evidence.kept.jobs.iter().map(|job| (job.id, job)).collect();
    let mut used = BTreeSet::new();
    for (of, tick) in &evidence.kept.ticks {
        let has_fired = matches!(tick.outcome, TickOutcome::Fired | TickOutcome::CaughtUp);
        let at = tick.from.to_iso();
        match tick.job_id {
            None if has_fired => findings.add(
                Broken::JobLost,
                format!("orchestration {of}: {at} fired no job"),
            ),
            None => {}
            Some(id) => {
                let job = jobs.get(&id).filter(|job| {
                    job.orchestration_id == *of
                        && job.initialized_by == Initiator::Scheduler
                        && has_fired
                });
                if job.is_none() {
                    findings.add(
                        Broken::JobLost,
                        format!("orchestration {of}: job {id} of {at} is not there"),
                    );
                }
                if !used.insert(id) {
                    findings.add(
                        Broken::TickDoubled,
                        format!("orchestration {of}: job {id} has two ticks"),
                    );
                }
            }
        }
    }
    for job in evidence
        .kept
        .jobs
        .iter()
        .filter(|job| job.initialized_by == Initiator::Scheduler)
    {
        if !used.contains(&job.id) {
            findings.add(
                Broken::JobDoubled,
                format!("job {} of the scheduler has no tick", job.id),
            );
        }
    }
}
