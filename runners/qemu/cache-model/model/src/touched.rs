//! What memory a guest has touched: by it a flush is measured, which has to reach all that the guest may have in a cache.
//!
//! Hypervisors map memory in pages or in blocks of 2 MiB, and which is not for the guest to say. So what counts here is
//! blocks: who flushes those that were touched, whole, has done no more than it may have had to.

use std::collections::BTreeSet;

/// The size of a block, as a power of two.
const BLOCK_SHIFT: u32 = 21;

/// The blocks of memory that guests have touched.
#[derive(Debug, Default)]
pub struct Touched {
    blocks: BTreeSet<u64>,
    /// The last one, which is the next one most of the time.
    last: Option<u64>,
}

impl Touched {
    /// A guest has accessed the byte at `offset` in memory.
    #[inline]
    pub fn add(&mut self, offset: u64) {
        let block = offset >> BLOCK_SHIFT;
        if self.last != Some(block) {
            self.last = Some(block);
            self.blocks.insert(block);
        }
    }

    /// The size of these blocks, all together.
    pub fn bytes(&self) -> u64 {
        (self.blocks.len() as u64) << BLOCK_SHIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_once() {
        let mut touched = Touched::default();
        for offset in [0, 0x1f_ffff, 0x20_0000, 0x10, 0x4000_0000] {
            touched.add(offset);
        }
        assert_eq!(touched.bytes(), 3 << 21);
    }
}
