//! `orchestrator plugin test`: plays a task type's scenarios through, each once without trouble, once with the host dying after
//! every step, and once for each step with the host dying in it. All of these have to end as the scenario says.

mod play;
mod scenario;
mod script;

use super::compiled::CacheArgs;
use super::project::Component;
use crate::domain::step::Restart;
use crate::domain::time::Timestamp;
use crate::plugins::{Kind, Manifest};
use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use play::{Crash, End, Played, PlayedStep, Stage};
use scenario::{Expect, Scenario, holds};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// When scenarios begin that do not say it.
const START: &str = "2026-01-01T00:00:00Z";

#[derive(Clone, Debug, clap::Args)]
pub(super) struct TestArgs {
    /// The folder of a plugin that was built, or a component
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// A scenario file, repeatable [default: all in the folder's scenarios/]
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let component = Component::find(&args.plugin)?;
    let manifest = Manifest::of_component(&component.bytes)?;
    if manifest.kind != Kind::Task {
        bail!(
            "plugin {} is a delivery; scenarios are for task types",
            manifest.id
        );
    }
    let files = match args.scenario.as_slice() {
        [] => scenarios(&args.plugin)?,
        given => given.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut failures = 0_usize;
    for file in &files {
        let scenario = Scenario::read(file)?;
        let start = start(&scenario).with_context(|| file.display().to_string())?;
        writeln!(out, "{}", file.display())?;
        let stage = Stage {
            component: &component.bytes,
            cache: &args.cache,
            scenario: &scenario,
            start,
            runtime: &runtime,
        };
        failures += play_all(&stage, manifest.restart, out)?;
    }
    let count = files.len();
    if failures > 0 {
        writeln!(out, "{count} scenarios, {failures} failures")?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "{count} scenarios passed")?;
    Ok(ExitCode::SUCCESS)
}

fn scenarios(plugin: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let dir = plugin.join("scenarios");
    let listed = fs::read_dir(&dir).with_context(|| {
        format!(
            "there are no scenarios in {}: name one with --scenario",
            dir.display()
        )
    })?;
    let mut files = Vec::new();
    for entry in listed {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{} holds no scenario (*.toml)", dir.display());
    }
    files.sort();
    Ok(files)
}

fn start(scenario: &Scenario) -> anyhow::Result<Timestamp> {
    let text = scenario.task.time.as_deref().unwrap_or(START);
    let time = DateTime::parse_from_rfc3339(text)
        .with_context(|| format!("task.time is {text:?}, not a time like {START}"))?;
    Ok(Timestamp::from_datetime(time.with_timezone(&Utc)))
}

/// Returns how many of the plays failed.
fn play_all(stage: &Stage<'_>, restart: Restart, out: &mut dyn Write) -> anyhow::Result<usize> {
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
    let steps = u32::try_from(plain.steps.len()).unwrap_or(u32::MAX);
    let crashes = (0..steps).map(Crash::InStep);
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
        let (place, then) = match crash {
            Crash::InStep(number) if was_given_up => {
                (format!("in step {number}"), "not repeated, ")
            }
            Crash::InStep(number) if was_in_doubt => {
                (format!("in step {number}"), "repeated in doubt, ")
            }
            Crash::InStep(number) => (format!("in step {number}"), "repeated, "),
            _ => ("after each step".to_owned(), ""),
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
    let usage = step.usage;
    writeln!(
        out,
        "  step {} {:<6} {:>8.2} ms CPU {:>6.1} MiB memory {:>6} B sent {:>6} B received",
        step.number,
        if step.is_resumed { "resume" } else { "start" },
        usage.cpu_micros as f64 / 1e3,
        step.memory_bytes as f64 / f64::from(1 << 20),
        usage.sent_bytes,
        usage.received_bytes,
    )?;
    for exchange in &step.exchanges {
        writeln!(out, "    {exchange}")?;
    }
    for line in &step.lines {
        writeln!(out, "    {}", printable(line))?;
    }
    if let Some((after, why)) = &step.waits {
        let why = why.as_deref().unwrap_or("no reason given");
        writeln!(out, "    waits {} s: {why}", after.as_secs_f64())?;
    }
    Ok(())
}

/// A plugin's line must not act on the terminal.
fn printable(line: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    line.chars().map(visible).collect()
}

fn print_faults(wrong: &[String], out: &mut dyn Write) -> io::Result<usize> {
    for fault in wrong {
        writeln!(out, "  FAILED: {fault}")?;
    }
    Ok(wrong.len())
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
