//! Chance from the printed seed. Each actor has dice of its own, so that what one does changes no other's throws.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// One actor's dice.
pub(crate) struct Dice(StdRng);

impl Dice {
    /// The dice of `name` in the round with this seed.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(name.as_bytes());
        Self(StdRng::from_seed(hash.finalize().into()))
    }

    /// A number from 0 up to, without, `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end.max(1))
    }

    /// True so many times of a hundred.
    pub(crate) fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    /// One of them.
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A time between the two, in milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.0.random_range(from..=to))
    }

    /// Random text, for secrets.
    pub(crate) fn hex<const N: usize>(&mut self) -> String {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        hex::encode(bytes)
    }
}
