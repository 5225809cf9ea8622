//! Random registers, and tables that go with them, in a sparse memory.

use crate::{
    dice::Dice,
    model::{Entry, Leaf, Path, ShortTree, Tree},
};
use setway_architecture::translate::{
    Context, Fault,
    Memory::{self, *},
    Registers, Step, Translation,
};
use std::collections::HashMap;

/// MAIR bytes 0 to 5 and what they mean; the rest of MAIR is not used.
pub const MAIR: [(u64, Memory); 6] = [
    (0x00, Device),
    (0x44, NonCacheable),
    (0xaa, WriteThrough),
    (0xff, WriteBack),
    (0x04, Device),
    (0x77, WriteBack),
];
/// TEX, C and B.
const TEX_C_B: [(u64, Memory); 6] = [
    (0b00000, Device),
    (0b00100, NonCacheable),
    (0b00010, WriteThrough),
    (0b00011, WriteBack),
    (0b00111, WriteBack),
    (0b11010, WriteThrough),
];
/// Stage 2's MemAttr.
const MEM_ATTR: [(u64, Memory); 4] = [
    (0b0001, Device),
    (0b0101, NonCacheable),
    (0b1010, WriteThrough),
    (0b1111, WriteBack),
];
/// IRGN, ORGN and RGN.
pub const REGION: [(u64, Memory); 4] = [
    (0b00, NonCacheable),
    (0b01, WriteBack),
    (0b10, WriteThrough),
    (0b11, WriteBack),
];
/// Bits of long descriptors that change nothing: AP, SH, AF, nG, and all above the address.
const NOISE: u64 = 0xfff0_0000_0000_0fc0;

/// How stage 1 is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage1 {
    /// Off, with HCR_EL2.DC or without.
    Off,
    /// EL1&0, TTBR0 or TTBR1.
    El1 { upper: bool },
    /// EL2 without E2H.
    El2,
    /// EL2&0, TTBR0 or TTBR1.
    Host { upper: bool },
    /// AArch32 with long descriptors.
    Long { upper: bool },
    /// AArch32 with short descriptors.
    Short { upper: bool },
}

/// Stage 1's tables.
pub enum Tree1 {
    /// None: all memory is the same, with addresses of so many bits.
    Off(Memory, u32),
    Long(Tree),
    Short(ShortTree),
}

/// A stage's tables and how they are read.
pub struct Walked<T> {
    pub tree: T,
    pub memory: Memory,
    pub big_endian: bool,
}

/// Registers and memory, and what has been put there.
pub struct World {
    pub registers: Registers,
    pub context: Context,
    /// Virtual addresses that are looked up in the tables: the first, and how many.
    pub range: (u64, u64),
    /// Bits 63:56 of virtual addresses do not count.
    pub top_byte_ignored: bool,
    pub dice: Dice,
    /// Descriptors.
    pub memory: HashMap<u64, u64>,
    /// Where stage 1's tables are: starts and sizes in bits.
    pub tables: Vec<(u64, u32)>,
    pub stage1: Walked<Tree1>,
    pub stage2: Option<Walked<Tree>>,
}

impl World {
    fn ipa_size(&self) -> u32 {
        self.stage2.as_ref().map_or(48, |stage2| stage2.tree.input)
    }

    /// An intermediate address for one of stage 1's tables, of a size in bits.
    pub fn allocate(&mut self, size: u32, bits: u32) -> u64 {
        let bits = bits.min(self.ipa_size());
        allocate(&mut self.dice, &mut self.tables, size, bits)
    }

    /// An address in the range; with stage 1 off, one that stage 2 has a place for.
    pub fn any_va(&mut self) -> u64 {
        let size = match self.stage1.tree {
            Tree1::Off(..) => self.range.1.min(1 << self.ipa_size()),
            _ => self.range.1,
        };
        self.range.0.wrapping_add(self.dice.roll() % size)
    }

    pub fn contains(&self, va: u64) -> bool {
        let va = if self.context.aarch64 {
            va
        } else {
            va & 0xffff_ffff
        };
        va.wrapping_sub(self.range.0) < self.range.1
    }

    /// An address in a leaf's size of another, which may be beyond the range.
    pub fn near(&mut self, va: u64, size: u64) -> u64 {
        let distance = self.dice.roll() % size;
        if self.dice.coin() {
            va.wrapping_add(distance)
        } else {
            va.wrapping_sub(distance)
        }
    }

    /// Maps `va` to anywhere, unless it is mapped or what is mapped next to it leaves no room.
    pub fn map(&mut self, va: u64) {
        let limit = self.ipa_size();
        let (dice, tables) = (&mut self.dice, &mut self.tables);
        let mut placed = Dice::new(dice.roll());
        match &mut self.stage1.tree {
            Tree1::Off(..) => {}
            Tree1::Long(tree) => {
                let limit = if self.context.aarch64 {
                    limit
                } else {
                    limit.min(40)
                };
                let shifts = tree.granule.shifts;
                let index = dice.number(0, 5);
                let level = match dice.pick(tree.granule.leaves).max(tree.start) {
                    level if shifts[level] <= limit => level,
                    _ => 3,
                };
                let leaf = Leaf {
                    output: dice.address(limit, shifts[level]),
                    size: shifts[level],
                    memory: MAIR[index as usize].1,
                };
                let attributes = dice.roll() & NOISE | index << 2;
                let allocate = || allocate(&mut placed, tables, shifts[3], limit);
                let entries = tree.map(level, va, leaf, attributes, allocate);
                self.write1(entries, 8);
            }
            Tree1::Short(tree) => {
                let (tex_c_b, memory) = dice.pick(&TEX_C_B);
                let size = dice.pick(&[24, 20, 16, 12]);
                let bits = if size == 24 { limit.min(40) } else { 32 };
                let leaf = Leaf {
                    output: dice.address(bits, size),
                    size,
                    memory,
                };
                let allocate = || allocate(&mut placed, tables, 10, 32);
                let entries = tree.map(va, leaf, tex_c_b, allocate);
                self.write1(entries, 4);
            }
        }
        if let Ok(leaf) = self.path1(va).1 {
            self.back(leaf.at(va));
        }
    }

    /// Writes stage 1's descriptors.
    fn write1(&mut self, entries: Vec<Entry>, len: u32) {
        for entry in entries {
            let pa = self.back(entry.address);
            let value = match (self.stage1.big_endian, len) {
                (false, _) => entry.value,
                (true, 4) => entry.value.swap_bytes() >> 32,
                (true, _) => entry.value.swap_bytes(),
            };
            self.memory.insert(pa, value);
        }
    }

    /// The physical address of an intermediate one, mapped now if it was not.
    fn back(&mut self, ipa: u64) -> u64 {
        let Some(stage2) = &mut self.stage2 else {
            return ipa;
        };
        let tree = &mut stage2.tree;
        loop {
            if let Ok(leaf) = tree.path(ipa).1 {
                return leaf.at(ipa);
            }
            let dice = &mut self.dice;
            let (mem_attr, memory) = dice.pick(&MEM_ATTR);
            let level = dice.pick(tree.granule.leaves).max(tree.start);
            let size = tree.granule.shifts[level];
            let leaf = Leaf {
                output: dice.address(48, size),
                size,
                memory,
            };
            let attributes = dice.roll() & NOISE | mem_attr << 2;
            let page = tree.granule.shifts[3];
            let allocate = || dice.address(48, page);
            for entry in tree.map(level, ipa, leaf, attributes, allocate) {
                let value = if stage2.big_endian {
                    entry.value.swap_bytes()
                } else {
                    entry.value
                };
                self.memory.insert(entry.address, value);
            }
        }
    }

    pub fn read(&self, step: Step) -> Option<u64> {
        // Tables are zero where nothing was written.
        Some(self.memory.get(&step.pa).copied().unwrap_or(0))
    }

    fn path1(&self, va: u64) -> Path {
        match &self.stage1.tree {
            &Tree1::Off(memory, size) => {
                let leaf = Leaf {
                    output: 0,
                    size,
                    memory,
                };
                (Vec::new(), Ok(leaf))
            }
            Tree1::Long(tree) => tree.path(va),
            Tree1::Short(tree) => tree.path(va),
        }
    }

    /// What stage 2 should do with an intermediate address of which stage 1 says `memory`.
    fn expect2(
        &self,
        ipa: u64,
        memory: Memory,
        is_walk: bool,
        steps: &mut Vec<Step>,
    ) -> Result<Translation, Fault> {
        let Some(stage2) = &self.stage2 else {
            return Ok(Translation {
                pa: ipa,
                memory,
                span: 1 << 63,
            });
        };
        let fault = |level| Fault {
            stage2: true,
            level,
        };
        if ipa >> stage2.tree.input != 0 {
            return Err(fault(0));
        }
        let (path, end) = stage2.tree.path(ipa);
        steps.extend(path.iter().map(|&pa| Step {
            pa,
            len: 8,
            memory: stage2.memory,
        }));
        let leaf = end.map_err(fault)?;
        Ok(Translation {
            pa: leaf.at(ipa),
            memory: match weaker(memory, leaf.memory) {
                Device if is_walk => NonCacheable,
                memory => memory,
            },
            span: 1 << leaf.size,
        })
    }

    /// What a data access at `va`, which is in the range, should do.
    pub fn expect(&self, va: u64) -> (Vec<Step>, Result<Translation, Fault>) {
        let mut steps = Vec::new();
        let result = self.expect_result(va, &mut steps);
        (steps, result)
    }

    fn expect_result(&self, va: u64, steps: &mut Vec<Step>) -> Result<Translation, Fault> {
        let (path, end) = self.path1(va);
        for address in path {
            let table = self.expect2(address, self.stage1.memory, true, steps)?;
            steps.push(Step {
                pa: table.pa,
                len: match self.stage1.tree {
                    Tree1::Short(_) => 4,
                    _ => 8,
                },
                memory: table.memory,
            });
        }
        let leaf = end.map_err(|level| Fault {
            stage2: false,
            level,
        })?;
        let result = self.expect2(leaf.at(va), leaf.memory, false, steps)?;
        Ok(Translation {
            span: result.span.min(1 << leaf.size),
            ..result
        })
    }
}

/// An address for a table that keeps clear of the others.
fn allocate(dice: &mut Dice, tables: &mut Vec<(u64, u32)>, size: u32, bits: u32) -> u64 {
    loop {
        let address = dice.address(bits, size);
        let meets = |&(other, other_size): &(u64, u32)| {
            let larger = size.max(other_size);
            address >> larger == other >> larger
        };
        if !tables.iter().any(meets) {
            tables.push((address, size));
            return address;
        }
    }
}

/// Stage 1 by stage 2.
fn weaker(stage1: Memory, stage2: Memory) -> Memory {
    #[rustfmt::skip]
    const COMBINED: [[Memory; 4]; 4] = [
        [Device, Device, Device, Device],
        [Device, NonCacheable, NonCacheable, NonCacheable],
        [Device, NonCacheable, WriteThrough, WriteThrough],
        [Device, NonCacheable, WriteThrough, WriteBack],
    ];
    let index = |memory| match memory {
        Device => 0,
        NonCacheable => 1,
        WriteThrough => 2,
        WriteBack => 3,
    };
    COMBINED[index(stage1)][index(stage2)]
}
