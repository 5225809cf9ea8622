//! The walk through tables of 64-bit descriptors, one for all: both stages in AArch64 with any granule
//! (VMSAv8-64), and stage 1 in AArch32 (VMSAv8-32 Long-descriptor).

use super::{ADDRESS_BITS, Fault, bits};

/// A tree of tables.
#[derive(Clone, Copy)]
pub struct Tables {
    /// TTBR: where the first table is.
    pub base: u64,
    /// Size of the addresses that are looked up, in bits.
    pub input: u32,
    /// Size of the addresses that are found, in bits.
    pub output: u32,
    /// The granule's size as a power of two: 12, 14 or 16.
    pub granule: u32,
    /// The level of the first table; one past the last stands for none.
    pub start: u8,
    /// These are stage 2's.
    pub stage2: bool,
}

/// What a walk ends with.
pub struct Leaf {
    /// The address that was found.
    pub address: u64,
    /// Size of the page or block.
    pub span: u64,
    /// Its descriptor.
    pub descriptor: u64,
}

/// Bits 1:0 of descriptors, apart from invalid ones.
const BLOCK: u64 = 0b01;
const TABLE_OR_PAGE: u64 = 0b11;

/// The level of the pages.
const LAST: u8 = 3;

/// Stage 1's first level (AArch64.S1StartLevel()), 0 if there would have to be more than four.
pub fn start(input: u32, granule: u32) -> u8 {
    let more = input.saturating_sub(granule + 1) / (granule - 3);
    LAST.saturating_sub(more as u8)
}

impl Tables {
    /// Itself, unless the first table cannot be of its level: it must have two entries or more, and no
    /// more than stage 2's sixteen tables in a row have (AArch64.S2InconsistentSL()). Input sizes out of
    /// bounds are faults, which the architecture allows and QEMU does.
    pub fn checked(self) -> Result<Self, Fault> {
        let is_level = self.start <= LAST;
        let is_size = (16..=ADDRESS_BITS).contains(&self.input);
        let low = self.low(self.start);
        let fits = (low + 1..=low + self.stride() + 4).contains(&self.input);
        if is_level && is_size && fits {
            Ok(self)
        } else {
            Err(self.fault(0))
        }
    }

    /// Looks `address` up. Of its bits beyond the input size none counts.
    pub fn walk(
        &self,
        address: u64,
        mut read: impl FnMut(u64, u8) -> Result<u64, Fault>,
    ) -> Result<Leaf, Fault> {
        let (mut level, mut high) = (self.start, self.input);
        let mut table = self.base & !0 << (high - self.low(level) + 3);
        loop {
            let low = self.low(level);
            let index = bits(address, high - 1, low);
            let descriptor = read(self.found(table, level)? | index << 3, level)?;
            match descriptor & 0b11 {
                TABLE_OR_PAGE if level < LAST => {
                    table = descriptor & !0 << self.granule;
                    level += 1;
                    high = low;
                }
                TABLE_OR_PAGE => return self.leaf(descriptor, address, level),
                BLOCK if self.has_blocks(level) => return self.leaf(descriptor, address, level),
                _ => return Err(self.fault(level)),
            }
        }
    }

    fn leaf(&self, descriptor: u64, address: u64, level: u8) -> Result<Leaf, Fault> {
        let span = 1 << self.low(level);
        let base = self.found(descriptor & !(span - 1), level)?;
        Ok(Leaf {
            address: base | address & (span - 1),
            span,
            descriptor,
        })
    }

    /// The lowest bit of addresses that tables of a level resolve.
    fn low(&self, level: u8) -> u32 {
        self.granule + self.stride() * u32::from(LAST.saturating_sub(level))
    }

    /// How many bits a level resolves, but the first.
    fn stride(&self) -> u32 {
        self.granule - 3
    }

    /// AArch64.BlockDescSupported(), for addresses of no more than 48 bits.
    fn has_blocks(&self, level: u8) -> bool {
        level == 2 || level == 1 && self.granule == 12
    }

    /// The address in bits 47 and below of a register or descriptor, if there can be one of its size.
    fn found(&self, value: u64, level: u8) -> Result<u64, Fault> {
        let address = bits(value, ADDRESS_BITS - 1, 0);
        if address >> self.output == 0 {
            Ok(address)
        } else {
            Err(self.fault(level))
        }
    }

    fn fault(&self, level: u8) -> Fault {
        Fault {
            stage2: self.stage2,
            level,
        }
    }
}
