//! A delivery's scenario: played, told, and compared with what it says.

use super::attempts::{Death, DeliveryEnd, DeliveryStage, PlayedAttempt, PlayedDelivery};
use super::event::ExpectDelivery;
use super::{print_faults, print_happenings, print_usage};
use crate::domain::step::FailureKind;
use std::io::{self, Write};
use std::time::Duration;

/// Returns how many of the plays failed.
pub(super) fn play_all(stage: &DeliveryStage<'_>, out: &mut dyn Write) -> anyhow::Result<usize> {
    let expect = &stage.scenario.expect;
    let plain = stage.play(Death::Never)?;
    for attempt in &plain.attempts {
        print_attempt(attempt, out)?;
    }
    let mut wrong = faults(&plain, expect);
    wrong.extend(plain.unused.iter().cloned());
    if let Some(wanted) = expect.waited_seconds
        && plain.waited != Duration::from_secs(wanted)
    {
        let waited = plain.waited.as_secs_f64();
        wrong.push(format!("it waited {waited} s, expected were {wanted}"));
    }
    writeln!(
        out,
        "  {} after {} attempts and {} s of waiting",
        shown(&plain.end),
        plain.attempts.len(),
        plain.waited.as_secs_f64()
    )?;
    let mut failures = print_faults(&wrong, out)?;
    if failures > 0 {
        // Whatever a crash adds to this is of no interest yet.
        return Ok(failures);
    }
    let deaths = plain
        .attempts
        .iter()
        .map(|one| Death::InAttempt(one.number));
    for death in std::iter::once(Death::BetweenAttempts).chain(deaths) {
        let played = stage.play(death)?;
        let place = match death {
            Death::InAttempt(number) => format!("in attempt {number}: attempted again"),
            _ => "after each attempt: went on".to_owned(),
        };
        writeln!(out, "  host killed {place}, {}", outcome(&played.end))?;
        failures += print_faults(&faults(&played, expect), out)?;
    }
    Ok(failures)
}

fn print_attempt(attempt: &PlayedAttempt, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "  attempt {:<8}", attempt.number)?;
    print_usage(attempt.usage, attempt.memory_bytes, out)?;
    print_happenings(&attempt.exchanges, &attempt.lines, out)?;
    if let Some((failure, delay)) = &attempt.retry {
        let seconds = delay.as_secs_f64();
        writeln!(
            out,
            "    {failure}; the next attempt follows in {seconds} s"
        )?;
    }
    Ok(())
}

fn outcome(end: &DeliveryEnd) -> &'static str {
    match end {
        DeliveryEnd::Delivered { .. } => "delivered",
        DeliveryEnd::Failed(failure) if failure.kind == FailureKind::NotFound => "gone",
        DeliveryEnd::Failed(_) => "failed",
    }
}

fn shown(end: &DeliveryEnd) -> String {
    match end {
        DeliveryEnd::Delivered { receipt: None } => "delivered".to_owned(),
        DeliveryEnd::Delivered {
            receipt: Some(receipt),
        } => format!("delivered ({receipt})"),
        DeliveryEnd::Failed(failure) => format!("{} ({failure})", outcome(end)),
    }
}

/// Where what was played is not what was expected, however often a crash made it begin again.
fn faults(played: &PlayedDelivery, expect: &ExpectDelivery) -> Vec<String> {
    let mut wrong = played.faults.clone();
    if outcome(&played.end) != expect.outcome {
        let (ended, wanted) = (shown(&played.end), &expect.outcome);
        wrong.push(format!("it ended {ended}, expected was {wanted}"));
    }
    let (receipt, code, message) = match &played.end {
        DeliveryEnd::Delivered { receipt } => (receipt.as_deref(), None, ""),
        DeliveryEnd::Failed(failure) => {
            (None, Some(failure.code.as_str()), failure.message.as_str())
        }
    };
    for (what, found, wanted) in [
        ("receipt", receipt, &expect.receipt),
        ("code", code, &expect.code),
    ] {
        if let Some(wanted) = wanted
            && found != Some(wanted)
        {
            let found = found.unwrap_or("none");
            wrong.push(format!("the {what} is {found}, expected was {wanted}"));
        }
    }
    if let Some(wanted) = &expect.message
        && !message.contains(wanted)
    {
        wrong.push(format!(
            "the message is {message:?}, expected was {wanted:?} in it"
        ));
    }
    let attempts = played.attempts.iter().filter(|one| !one.is_lost).count();
    if let Some(wanted) = expect.attempts
        && u32::try_from(attempts) != Ok(wanted)
    {
        wrong.push(format!(
            "it took {attempts} attempts, expected were {wanted}"
        ));
    }
    wrong
}
