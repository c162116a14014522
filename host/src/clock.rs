//! Time and randomness as values that are handed in.
//!
//! Every other room asks these handles; calling the system clock, sleeping or drawing random bytes elsewhere is refused
//! by the lints. Tests hand in a clock that they move by hand and a generator whose output is known, so that what they
//! compare is literal and nothing in them sleeps.

use crate::domain::time::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The present time, and waiting for it to come.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
}

/// The system clock is asked again at least this often while waiting, so that a jump of it is noticed.
const LONGEST_NAP: Duration = Duration::from_secs(1);

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::set`].
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(now))))
    }

    /// Moves a manual clock and wakes whoever waits for that time. A system clock is left alone.
    pub fn set(&self, now: Timestamp) {
        if let Source::Manual(sender) = &self.0 {
            sender.send_replace(now);
        }
    }

    /// Moves a manual clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the system"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::from_datetime(chrono::Utc::now()),
            Source::Manual(sender) => *sender.borrow(),
        }
    }

    /// Returns once `now()` has reached `time`.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that sleeps"
    )]
    pub async fn sleep_until(&self, time: Timestamp) {
        match &self.0 {
            Source::System => loop {
                let left = time.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_NAP)).await;
            },
            Source::Manual(sender) => {
                let mut receiver = sender.subscribe();
                // The sender lives as long as `self`, so waiting can only end by the time coming.
                let _ = receiver.wait_for(|now| *now >= time).await;
            }
        }
    }

    pub async fn sleep(&self, delay: Duration) {
        self.sleep_until(self.now().plus(delay)).await;
    }
}

/// Random bytes: for secrets, nonces and ids that outsiders must not guess.
#[derive(Clone, Debug)]
pub struct Random(Generator);

#[derive(Clone, Debug)]
enum Generator {
    System,
    Seeded(u64, Arc<AtomicU64>),
}

impl Random {
    #[must_use]
    pub fn system() -> Self {
        Self(Generator::System)
    }

    /// The same sequence for the same seed: for tests only.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Generator::Seeded(seed, Arc::new(AtomicU64::new(0))))
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    /// The system's generator does not answer; nothing secret may be made then.
    pub fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that draws random bytes"
            )]
            Generator::System => getrandom::fill(buffer).map_err(|_| RandomUnavailable),
            Generator::Seeded(seed, counter) => {
                for chunk in buffer.chunks_mut(32) {
                    let number = counter.fetch_add(1, Ordering::Relaxed);
                    let block = Sha256::digest([seed.to_le_bytes(), number.to_le_bytes()].concat());
                    for (byte, value) in chunk.iter_mut().zip(block) {
                        *byte = value;
                    }
                }
                Ok(())
            }
        }
    }

    /// `length` characters of `[0-9A-Za-z]`, each drawn evenly.
    ///
    /// # Errors
    /// See [`Random::fill`].
    pub fn text(&self, length: usize) -> Result<String, RandomUnavailable> {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(length);
        let mut bytes = [0_u8; 64];
        while text.len() < length {
            self.fill(&mut bytes)?;
            // 248 is the largest multiple of 62 in a byte: bytes beyond would favour the first letters.
            let letters = bytes.iter().filter(|byte| **byte < 248);
            let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(*byte) % 62));
            text.extend(
                letters
                    .take(length - text.len())
                    .map(|letter| char::from(*letter)),
            );
        }
        Ok(text)
    }
}

/// The operating system gives no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random generator does not answer")]
pub struct RandomUnavailable;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_text_is_the_same_every_time() {
        assert_eq!(
            Random::seeded(7).text(40).ok(),
            Random::seeded(7).text(40).ok()
        );
        assert_ne!(
            Random::seeded(7).text(40).ok(),
            Random::seeded(8).text(40).ok()
        );
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_those_who_wait_for_it() {
        let clock = Clock::manual(Timestamp(0));
        let waiting = clock.clone();
        let task = tokio::spawn(async move { waiting.sleep_until(Timestamp(5_000_000)).await });
        clock.advance(Duration::from_secs(5));
        task.await.expect("wakes");
    }
}
