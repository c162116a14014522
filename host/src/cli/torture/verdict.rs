//! The verdict: what was counted, and every violation with its ids.

use super::check::{Broken, Violation};
use super::evidence::Evidence;
use crate::domain::tick::TickOutcome;
use std::collections::BTreeMap;
use std::fmt;

/// How many violations of one kind are printed.
const MOST_PRINTED: usize = 10;

/// The outcome of a run, as it is printed.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    pub(super) title: String,
    pub(super) faults: usize,
    pub(super) evidence: &'a Evidence,
    pub(super) violations: &'a [Violation],
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = &self.evidence.kept;
        let told = &self.evidence.told;
        let acknowledged = told.jobs.values().filter(|ids| !ids.is_empty()).count();
        let runs = kept.jobs.iter().flat_map(|job| &job.task_runs);
        let codes: Vec<_> = runs
            .clone()
            .filter_map(|run| run.error_code.as_deref())
            .collect();
        let coded = |code| codes.iter().filter(|one| **one == code).count();
        let of = |outcome| {
            let rows = kept
                .ticks
                .iter()
                .filter(|(_, tick)| tick.outcome == outcome);
            rows.map(|(_, tick)| tick.ticks).sum::<u64>()
        };
        writeln!(f, "{}", self.title)?;
        writeln!(f, "  {} faults", self.faults)?;
        writeln!(
            f,
            "  {} orchestrations; {} jobs, {acknowledged} of them asked for and acknowledged",
            kept.orchestrations.len(),
            kept.jobs.len()
        )?;
        writeln!(
            f,
            "  ticks: {} fired, {} caught up, {} missed, {} paused",
            of(TickOutcome::Fired),
            of(TickOutcome::CaughtUp),
            of(TickOutcome::Missed),
            of(TickOutcome::Paused)
        )?;
        writeln!(
            f,
            "  {} tasks, {} requests to components; {} tasks in doubt and not repeated, {} without an answer",
            runs.count(),
            self.evidence.starts.len(),
            coded("IN_DOUBT"),
            coded("NO_ANSWER")
        )?;
        writeln!(
            f,
            "  {} notifications, {} mails",
            kept.deliveries.len(),
            self.evidence.mails.len()
        )?;
        let count = |kinds: &[Broken]| {
            self.violations
                .iter()
                .filter(|one| kinds.contains(&one.broken))
                .count()
        };
        let lost = count(&[
            Broken::JobLost,
            Broken::TickLost,
            Broken::WriteLost,
            Broken::NotificationLost,
            Broken::TaskNotRun,
        ]);
        let doubled = count(&[
            Broken::JobDoubled,
            Broken::TickDoubled,
            Broken::RemoteJobDoubled,
            Broken::NotificationDoubled,
        ]);
        let left = count(&[Broken::LeftOver]);
        let other = self.violations.len() - lost - doubled - left;
        let word = if self.violations.is_empty() {
            "held"
        } else {
            "BROKEN"
        };
        writeln!(
            f,
            "verdict: {word}: {lost} lost, {doubled} doubled, {left} left over, {other} other violations"
        )?;
        let mut of_kind: BTreeMap<Broken, Vec<&Violation>> = BTreeMap::new();
        for one in self.violations {
            of_kind.entry(one.broken).or_default().push(one);
        }
        for (broken, all) in of_kind {
            for one in all.iter().take(MOST_PRINTED) {
                writeln!(f, "  {one}")?;
            }
            if all.len() > MOST_PRINTED {
                writeln!(
                    f,
                    "  {}: {} more",
                    broken.as_str(),
                    all.len() - MOST_PRINTED
                )?;
            }
        }
        Ok(())
    }
}
