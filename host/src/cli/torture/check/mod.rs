//! The checker: a history in, violations out. It knows neither hosts nor clocks.
//!
//! What the product promises is held against what was seen from outside. A start in doubt is no violation: the promise is
//! at most once, and the task says so. What clients sent and never got an answer to may have happened or not.

mod clients;
mod ledger;
mod notifications;
mod runs;
mod violation;

use super::evidence::Evidence;
pub(super) use violation::{Broken, Findings, Violation};

/// All violations of a history.
pub(super) fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut findings = Findings::default();
    clients::check_writes(evidence, &mut findings);
    clients::check_requests(evidence, &mut findings);
    ledger::check_ticks(evidence, &mut findings);
    runs::check_ends(evidence, &mut findings);
    runs::check_starts(evidence, &mut findings);
    notifications::check_notifications(evidence, &mut findings);
    for answer in &evidence.told.wrong_answers {
        findings.add(Broken::WrongAnswer, answer);
    }
    findings.0
}

#[cfg(test)]
mod tests;
