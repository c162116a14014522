//! Faults: what is done to each host and when, planned from the seed.
//!
//! A host's plan is a row of faults with healthy times between them, and does not depend on the other hosts': sometimes
//! all of them are down.

use super::dice::Dice;
use super::hosts::Host;
use super::proxy::Way;
use crate::clock::Clock;
use crate::wake::Stop;
use std::fmt;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// SIGKILL, and a start after a while
    Kill,
    /// SIGTERM, its end, and a start after a while
    Stop,
    /// SIGSTOP, and SIGCONT after a while
    Suspend,
    /// No way to the database for a while
    CutOff,
    /// Nothing passes between it and the database for a while
    HoldUp,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Kill,
        Self::Stop,
        Self::Suspend,
        Self::CutOff,
        Self::HoldUp,
    ];

    /// Whether it is done on the way to a database server.
    fn needs_proxy(self) -> bool {
        matches!(self, Self::CutOff | Self::HoldUp)
    }

    fn weight(self) -> usize {
        match self {
            Self::Kill => 35,
            Self::Stop | Self::HoldUp => 10,
            Self::Suspend => 25,
            Self::CutOff => 20,
        }
    }

    /// Those of `wanted` that can be done, all where none is named.
    pub(super) fn possible(wanted: &[Self], has_proxy: bool) -> Vec<Self> {
        let is_wanted = |kind: &Self| wanted.is_empty() || wanted.contains(kind);
        let all = Self::ALL.into_iter().filter(is_wanted);
        all.filter(|kind| has_proxy || !kind.needs_proxy())
            .collect()
    }

    fn throw(dice: &mut Dice, possible: &[Self]) -> Self {
        let mut left = dice.number(possible.iter().map(|kind| kind.weight()).sum());
        for kind in possible {
            if left < kind.weight() {
                return *kind;
            }
            left -= kind.weight();
        }
        Self::Kill
    }
}

/// One thing done to a host, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    kind: Kind,
    time: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Kill => "killed, down for",
            Kind::Stop => "stopped in order, down for",
            Kind::Suspend => "suspended for",
            Kind::CutOff => "cut off from the database for",
            Kind::HoldUp => "held up on the way to the database for",
        };
        write!(f, "{what} {:.1} s", self.time.as_secs_f32())
    }
}

/// The next healthy time of a host and the fault that ends it. Half of the suspensions and cuts outlast a lease, and
/// some of the healthy times are long enough to declare others dead.
pub(super) fn next(dice: &mut Dice, possible: &[Kind]) -> (Duration, Fault) {
    let healthy = if dice.percent(50) {
        dice.between(500, 6_000)
    } else {
        dice.between(10_000, 25_000)
    };
    let kind = Kind::throw(dice, possible);
    let time = match kind {
        Kind::Kill => dice.between(0, 8_000),
        Kind::Stop => dice.between(0, 4_000),
        _ if dice.percent(50) => dice.between(14_000, 20_000),
        _ => dice.between(200, 6_000),
    };
    (healthy, Fault { kind, time })
}

/// Tortures a host until told to stop; it is well again when this returns.
///
/// # Errors
/// It does not come back.
pub(super) async fn torture(
    host: &Host,
    possible: &[Kind],
    mut dice: Dice,
    clock: &Clock,
    stop: &Stop,
) -> anyhow::Result<usize> {
    let begun = clock.now();
    let mut faults = 0;
    loop {
        let (healthy, fault) = next(&mut dice, possible);
        if !wait(clock, stop, healthy).await {
            return Ok(faults);
        }
        let at = clock.now().since(begun).as_secs();
        eprintln!(
            "{:02}:{:02} host {}: {fault}",
            at / 60,
            at % 60,
            host.number
        );
        faults += 1;
        match fault.kind {
            Kind::Kill => host.kill(),
            Kind::Stop => host.terminate().await,
            Kind::Suspend => host.suspend(),
            Kind::CutOff => host.set_way(Way::Broken),
            Kind::HoldUp => host.set_way(Way::HeldUp),
        }
        wait(clock, stop, fault.time).await;
        match fault.kind {
            Kind::Kill | Kind::Stop => host.start().await?,
            Kind::Suspend => host.resume(),
            Kind::CutOff | Kind::HoldUp => host.set_way(Way::Open),
        }
        host.note_a_fall();
        if host.base().is_none() {
            host.start().await?;
        }
    }
}

/// `false`: stopped meanwhile.
async fn wait(clock: &Clock, stop: &Stop, time: Duration) -> bool {
    tokio::select! {
        () = stop.stopped() => false,
        () = clock.sleep(time) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_follows_from_the_seed_and_has_every_kind_that_is_possible() {
        let plan = |seed, possible: &[Kind]| {
            let mut dice = Dice::new(seed);
            (0..200)
                .map(|_| next(&mut dice, possible))
                .collect::<Vec<_>>()
        };
        let all = Kind::possible(&[], true);
        assert_eq!(plan(5, &all), plan(5, &all));
        assert_ne!(plan(5, &all), plan(6, &all));
        for (wanted, has_proxy, expected) in [
            (&[][..], true, &Kind::ALL[..]),
            (&[], false, &[Kind::Kill, Kind::Stop, Kind::Suspend]),
            (&[Kind::Suspend, Kind::HoldUp], false, &[Kind::Suspend]),
        ] {
            let possible = Kind::possible(wanted, has_proxy);
            let plan = plan(5, &possible);
            for kind in Kind::ALL {
                let is_there = plan.iter().any(|(_, fault)| fault.kind == kind);
                assert_eq!(is_there, expected.contains(&kind), "{kind:?}");
            }
        }
    }
}
