//! Chance from a seed: the same seed makes the same plan. When things happen in fact is up to the machine.

use std::time::Duration;

/// A generator (SplitMix64) whose numbers follow from its seed; nothing secret may come of it.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of its own for somebody whose throws must not shift those of the others.
    pub(super) fn of(&self, whose: u64) -> Self {
        let mut dice = Self(self.0 ^ whose.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `below`, exclusive; 0 where that is 0.
    pub(super) fn number(&mut self, below: usize) -> usize {
        let below = u64::try_from(below).unwrap_or(u64::MAX);
        usize::try_from(self.next().checked_rem(below).unwrap_or(0)).unwrap_or(0)
    }

    /// True in so many of a hundred throws.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.number(100) < percent
    }

    /// A time between two, in steps of a millisecond.
    pub(super) fn between(&mut self, from_ms: u64, to_ms: u64) -> Duration {
        let span = to_ms.saturating_sub(from_ms).saturating_add(1);
        Duration::from_millis(from_ms + self.next() % span)
    }

    /// One of them; `None` where there is none.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.number(all.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_and_another_one_does_not() {
        let throws = |seed| {
            let mut dice = Dice::new(seed).of(3);
            std::iter::repeat_with(|| dice.number(1000))
                .take(20)
                .collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn chances_are_about_what_they_say() {
        let mut dice = Dice::new(1);
        let hits = (0..10_000).filter(|_| dice.percent(20)).count();
        assert!((1800..2200).contains(&hits), "{hits}");
        assert_eq!(dice.number(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
