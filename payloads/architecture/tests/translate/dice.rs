//! Random choices that hang on one number, so that a whole world of tables can be made of it again.

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
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
