//! A task type's scenario: played, told, and compared with what it says.

use super::play::{Crash, End, Played, PlayedStep, Stage};
use super::scenario::{Expect, holds};
use super::{print_faults, print_happenings, print_usage};
use crate::domain::step::Restart;
use std::io::{self, Write};
use std::time::Duration;

/// Returns how many of the plays failed.
pub(super) fn play_all(
    stage: &Stage<'_>,
    restart: Restart,
    out: &mut dyn Write,
) -> anyhow::Result<usize> {
    let expect = &stage.scenario.expect;
    let plain = stage.play(Crash::Nowhere)?;
    for step in &plain.steps {
        print_step(step, out)?;
    }
    let mut wrong = faults(&plain, expect);
    wrong.extend(plain.unused.iter().cloned());
    writeln!(
        out,
        "  ended in {} after {} steps and {} s of waiting",
        shown(&plain.end),
        plain.steps.len(),
        plain.waited.as_secs_f64()
    )?;
    let mut failures = print_faults(&wrong, out)?;
    if failures > 0 {
        // Whatever a crash adds to this is of no interest yet.
        return Ok(failures);
    }
    let crashes = plain.steps.iter().flat_map(|step| {
        let before_saves = (0..step.saves).map(|save| Crash::BeforeSave(step.number, save));
        before_saves.chain(std::iter::once(Crash::InStep(step.number)))
    });
    for crash in std::iter::once(Crash::BetweenSteps).chain(crashes) {
        let played = stage.play(crash)?;
        let was_in_doubt = played.steps.iter().any(|step| step.is_in_doubt);
        let was_given_up = played.steps.last().is_some_and(|step| step.is_lost);
        let gave_up = restart != Restart::Idempotent
            && played.end.code.as_deref() == Some("IN_DOUBT")
            && crash != Crash::BetweenSteps;
        let wrong = if gave_up {
            played.faults.clone()
        } else {
            faults(&played, expect)
        };
        let place = match crash {
            Crash::InStep(number) => format!("in step {number}"),
            Crash::BeforeSave(number, save) => {
                format!("in step {number} before save {}", save.saturating_add(1))
            }
            Crash::Nowhere | Crash::BetweenSteps => "after each step".to_owned(),
        };
        let then = match crash {
            Crash::Nowhere | Crash::BetweenSteps => "",
            _ if was_given_up => "not repeated, ",
            _ if was_in_doubt => "repeated in doubt, ",
            _ => "repeated, ",
        };
        let ended = if gave_up {
            "ended IN_DOUBT, as its restart policy allows".to_owned()
        } else {
            format!("ended in {}", played.end.outcome)
        };
        writeln!(out, "  host killed {place}: {then}{ended}")?;
        failures += print_faults(&wrong, out)?;
    }
    Ok(failures)
}

fn print_step(step: &PlayedStep, out: &mut dyn Write) -> io::Result<()> {
    let call = if step.is_resumed { "resume" } else { "start" };
    write!(out, "  step {} {call:<6}", step.number)?;
    print_usage(step.usage, step.memory_bytes, out)?;
    print_happenings(&step.exchanges, &step.lines, out)?;
    if let Some((after, why)) = &step.waits {
        let why = why.as_deref().unwrap_or("no reason given");
        writeln!(out, "    waits {} s: {why}", after.as_secs_f64())?;
    }
    Ok(())
}

fn shown(end: &End) -> String {
    let mut text = end.outcome.to_owned();
    if let Some(code) = &end.code {
        text.push_str(&format!(" {code}"));
    }
    if !end.message.is_empty() {
        text.push_str(&format!(" ({})", end.message));
    }
    if !end.response.is_null() {
        text.push_str(&format!(" {}", end.response));
    }
    text
}

/// Where what was played is not what was expected.
fn faults(played: &Played, expect: &Expect) -> Vec<String> {
    let mut wrong = played.faults.clone();
    let end = &played.end;
    let code = end.code.as_deref();
    if end.outcome != expect.outcome {
        wrong.push(format!(
            "it ended in {}, expected was {}",
            shown(end),
            expect.outcome
        ));
    }
    if expect
        .code
        .as_deref()
        .is_some_and(|wanted| code != Some(wanted))
    {
        let wanted = expect.code.as_deref().unwrap_or_default();
        let code = code.unwrap_or("none");
        wrong.push(format!("the code is {code}, expected was {wanted}"));
    }
    if let Some(wanted) = &expect.message
        && !end.message.contains(wanted)
    {
        wrong.push(format!(
            "the message is {:?}, expected was {wanted:?} in it",
            end.message
        ));
    }
    if let Some(wanted) = &expect.response
        && !holds(&end.response, wanted)
    {
        wrong.push(format!(
            "the response is {}, expected was {wanted}",
            end.response
        ));
    }
    let steps = played.steps.iter().filter(|step| !step.is_lost).count();
    if let Some(wanted) = expect.steps
        && u32::try_from(steps) != Ok(wanted)
    {
        wrong.push(format!("it took {steps} steps, expected were {wanted}"));
    }
    if let Some(wanted) = expect.waited_seconds
        && played.waited != Duration::from_secs(wanted)
    {
        let waited = played.waited.as_secs_f64();
        wrong.push(format!("it waited {waited} s, expected were {wanted}"));
    }
    wrong
}
