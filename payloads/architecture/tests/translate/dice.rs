//! Random choices that hang on one number, so that a whole world of tables can be made of it again.

use rand_xoshiro::{
    SplitMix64,
    rand_core::{Rng, SeedableRng},
};

/// Choices that follow from a seed.
pub struct Dice(SplitMix64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    pub fn roll(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Below a power of two, and a multiple of another.
    pub fn address(&mut self, bits: u32, aligned: u32) -> u64 {
        self.roll() >> (64 - bits) >> aligned << aligned
    }

    /// One of `low` to `high`.
    pub fn number(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }

    pub fn coin(&mut self) -> bool {
        self.number(0, 1) == 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.number(0, from.len() as u64 - 1) as usize]
    }
}
