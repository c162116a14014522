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

/// One thing done to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL, and a start after a while.
    Kill { down: Duration },
    /// SIGTERM, its end, and a start after a while.
    Stop { down: Duration },
    /// SIGSTOP, and SIGCONT after a while.
    Suspend { pause: Duration },
    /// No way to the database for a while.
    CutOff { away: Duration },
    /// Nothing passes between it and the database for a while.
    HoldUp { away: Duration },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { down } => write!(f, "killed, down for {:.1} s", down.as_secs_f32()),
            Self::Stop { down } => {
                write!(f, "stopped in order, down for {:.1} s", down.as_secs_f32())
            }
            Self::Suspend { pause } => write!(f, "suspended for {:.1} s", pause.as_secs_f32()),
            Self::CutOff { away } => write!(
                f,
                "cut off from the database for {:.1} s",
                away.as_secs_f32()
            ),
            Self::HoldUp { away } => write!(
                f,
                "held up on the way to the database for {:.1} s",
                away.as_secs_f32()
            ),
        }
    }
}

/// The next healthy time of a host and the fault that ends it. Half of the suspensions and cuts outlast a lease.
pub(super) fn next(dice: &mut Dice, has_proxy: bool) -> (Duration, Fault) {
    let healthy = dice.between(1_000, 9_000);
    let long = |dice: &mut Dice| {
        if dice.percent(50) {
            dice.between(14_000, 20_000)
        } else {
            dice.between(200, 6_000)
        }
    };
    let fault = match dice.number(if has_proxy { 100 } else { 70 }) {
        0..35 => Fault::Kill {
            down: dice.between(0, 8_000),
        },
        35..45 => Fault::Stop {
            down: dice.between(0, 4_000),
        },
        45..70 => Fault::Suspend { pause: long(dice) },
        70..90 => Fault::CutOff { away: long(dice) },
        _ => Fault::HoldUp { away: long(dice) },
    };
    (healthy, fault)
}

/// Tortures a host until told to stop; it is well again when this returns.
///
/// # Errors
/// It does not come back.
pub(super) async fn torture(
    host: &Host,
    mut dice: Dice,
    clock: &Clock,
    stop: &Stop,
) -> anyhow::Result<usize> {
    let begun = clock.now();
    let mut faults = 0;
    loop {
        let (healthy, fault) = next(&mut dice, host.has_proxy());
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
        match fault {
            Fault::Kill { down } => {
                host.kill();
                wait(clock, stop, down).await;
                host.start().await?;
            }
            Fault::Stop { down } => {
                host.terminate().await;
                wait(clock, stop, down).await;
                host.start().await?;
            }
            Fault::Suspend { pause } => {
                host.suspend();
                wait(clock, stop, pause).await;
                host.resume();
            }
            Fault::CutOff { away } => {
                host.set_way(Way::Broken);
                wait(clock, stop, away).await;
                host.set_way(Way::Open);
            }
            Fault::HoldUp { away } => {
                host.set_way(Way::HeldUp);
                wait(clock, stop, away).await;
                host.set_way(Way::Open);
            }
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
    fn the_plan_follows_from_the_seed_and_has_every_kind() {
        let plan = |seed, has_proxy| {
            let mut dice = Dice::new(seed);
            (0..200)
                .map(|_| next(&mut dice, has_proxy))
                .collect::<Vec<_>>()
        };
        assert_eq!(plan(5, true), plan(5, true));
        assert_ne!(plan(5, true), plan(6, true));
        let kinds = |has_proxy| {
            let kinds = plan(5, has_proxy)
                .into_iter()
                .map(|(_, fault)| std::mem::discriminant(&fault));
            kinds.collect::<std::collections::HashSet<_>>().len()
        };
        assert_eq!((kinds(true), kinds(false)), (5, 3));
    }
}
