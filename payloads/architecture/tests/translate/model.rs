//! Trees of tables as the tests keep them: by what has been put where, not by descriptors. Levels,
//! shifts and sizes are those of the manual's tables, written out.

use setway_architecture::translate::Memory;
use std::collections::HashMap;

/// A page, block or section.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    pub output: u64,
    /// Size as a power of two.
    pub size: u32,
    pub memory: Memory,
}

impl Leaf {
    /// Where it leads from an address in it.
    pub fn at(&self, input: u64) -> u64 {
        self.output | input & ((1 << self.size) - 1)
    }
}

/// What a walk should do: which descriptors are read, and the leaf, or the level that has none.
pub type Path = (Vec<u64>, Result<Leaf, u8>);

/// A descriptor to be written.
pub struct Entry {
    pub address: u64,
    pub value: u64,
}

/// Translation table format with one granule.
pub struct Granule {
    /// What an entry of each level maps, as a power of two.
    pub shifts: [u32; 4],
    /// The levels that have pages or blocks.
    pub leaves: &'static [usize],
    /// TG0 and TG1.
    pub tg: [u64; 2],
    /// TnSZ, lowest and highest, and with it stage 1's first level.
    pub starts: &'static [(u64, u64, usize)],
    /// The same for stage 2, where it goes with SL0 (last).
    pub starts2: &'static [(u64, u64, usize, u64)],
}

pub const GRANULES: [Granule; 3] = [
    Granule {
        shifts: [39, 30, 21, 12],
        leaves: &[1, 2, 3],
        tg: [0b00, 0b10],
        starts: &[(16, 24, 0), (25, 33, 1), (34, 42, 2), (43, 48, 3)],
        starts2: &[
            (16, 24, 0, 2),
            (21, 33, 1, 1),
            (30, 42, 2, 0),
            (39, 48, 3, 3),
        ],
    },
    Granule {
        shifts: [47, 36, 25, 14],
        leaves: &[2, 3],
        tg: [0b10, 0b01],
        starts: &[(16, 16, 0), (17, 27, 1), (28, 38, 2), (39, 48, 3)],
        starts2: &[(16, 27, 1, 2), (24, 38, 2, 1), (35, 48, 3, 0)],
    },
    Granule {
        shifts: [u32::MAX, 42, 29, 16],
        leaves: &[2, 3],
        tg: [0b01, 0b11],
        starts: &[(16, 21, 1), (22, 34, 2), (35, 47, 3)],
        starts2: &[(16, 21, 1, 2), (18, 34, 2, 1), (31, 47, 3, 0)],
    },
];

/// A tree with 64-bit descriptors.
pub struct Tree {
    pub granule: &'static Granule,
    pub start: usize,
    /// Size of input addresses.
    pub input: u32,
    /// By level and number of the entry that leads there; the first table's is 0.
    tables: HashMap<(usize, u64), u64>,
    /// By level and number of the entry.
    leaves: HashMap<(usize, u64), Leaf>,
}

impl Tree {
    pub fn new(granule: &'static Granule, start: usize, input: u32, root: u64) -> Self {
        Self {
            granule,
            start,
            input,
            tables: HashMap::from([((start, 0), root)]),
            leaves: HashMap::new(),
        }
    }

    /// Size of the first table as a power of two.
    pub fn root_size(granule: &Granule, start: usize, input: u32) -> u32 {
        input - granule.shifts[start] + 3
    }

    pub fn path(&self, address: u64) -> Path {
        let address = address & ((1 << self.input) - 1);
        let (mut read, mut level, mut table) =
            (Vec::new(), self.start, self.tables[&(self.start, 0)]);
        loop {
            let entry = address >> self.granule.shifts[level];
            let first = if level == self.start {
                0
            } else {
                let above = self.granule.shifts[level - 1];
                address >> above << above >> self.granule.shifts[level]
            };
            read.push(table + (entry - first) * 8);
            if let Some(leaf) = self.leaves.get(&(level, entry)) {
                return (read, Ok(*leaf));
            }
            match self.tables.get(&(level + 1, entry)) {
                Some(next) => (level, table) = (level + 1, *next),
                None => return (read, Err(level as u8)),
            }
        }
    }

    /// Puts a leaf with these attribute bits at a level, where nothing is yet; returns the descriptors
    /// that this takes, or none if there is something. `allocate` gives addresses for tables.
    pub fn map(
        &mut self,
        level: usize,
        address: u64,
        leaf: Leaf,
        attributes: u64,
        mut allocate: impl FnMut() -> u64,
    ) -> Vec<Entry> {
        let address = address & ((1 << self.input) - 1);
        let mut entries = Vec::new();
        loop {
            let (path, end) = self.path(address);
            let Err(reached) = end.map_err(usize::from) else {
                return entries;
            };
            let slot = path[path.len() - 1];
            if reached == level {
                self.leaves
                    .insert((level, address >> self.granule.shifts[level]), leaf);
                let kind = if level == 3 { 0b11 } else { 0b01 };
                entries.push(Entry {
                    address: slot,
                    value: leaf.output | attributes | kind,
                });
            } else if reached < level {
                let table = allocate();
                let entry = address >> self.granule.shifts[reached];
                self.tables.insert((reached + 1, entry), table);
                // Attributes mean something else in a table's descriptor, or nothing.
                let noise = attributes & !0b11;
                entries.push(Entry {
                    address: slot,
                    value: table | noise | 0b11,
                });
            } else {
                return entries;
            }
        }
    }
}

/// A tree with 32-bit descriptors. Leaves go by their size and number.
pub struct ShortTree {
    /// TTBCR.N, or 0 for TTBR1.
    pub n: u32,
    pub root: u64,
    tables: HashMap<u64, u64>,
    leaves: HashMap<(u32, u64), Leaf>,
}

impl ShortTree {
    pub fn new(n: u32, root: u64) -> Self {
        Self {
            n,
            root,
            tables: HashMap::new(),
            leaves: HashMap::new(),
        }
    }

    fn leaf(&self, sizes: [u32; 2], va: u64) -> Option<Leaf> {
        sizes
            .iter()
            .find_map(|&size| self.leaves.get(&(size, va >> size)).copied())
    }

    pub fn path(&self, va: u64) -> Path {
        let va = va & 0xffff_ffff;
        let mut read = vec![self.root + (va >> 20) % (4096 >> self.n) * 4];
        if let Some(leaf) = self.leaf([24, 20], va) {
            return (read, Ok(leaf));
        }
        let Some(table) = self.tables.get(&(va >> 20)) else {
            return (read, Err(1));
        };
        read.push(table + (va >> 12) % 256 * 4);
        (read, self.leaf([16, 12], va).ok_or(2))
    }

    /// As for [`Tree`]; `tex_c_b` are the attribute bits.
    pub fn map(
        &mut self,
        va: u64,
        leaf: Leaf,
        tex_c_b: u64,
        mut allocate: impl FnMut() -> u64,
    ) -> Vec<Entry> {
        let va = va & 0xffff_ffff;
        let overlaps = |other: &(u32, u64)| {
            let size = leaf.size.max(other.0);
            va >> size == other.1 << other.0 >> size
        };
        let has_table = self
            .tables
            .keys()
            .any(|mib| leaf.size >= 20 && mib << 20 >> leaf.size == va >> leaf.size);
        if has_table || self.leaves.keys().any(overlaps) {
            return Vec::new();
        }
        let mut entries = Vec::new();
        if leaf.size < 20 && !self.tables.contains_key(&(va >> 20)) {
            let table = allocate();
            entries.push(Entry {
                address: self.path(va).0[0],
                value: table | 0b01,
            });
            self.tables.insert(va >> 20, table);
        }
        let (tex, c_b) = (tex_c_b >> 2, tex_c_b & 0b11);
        let output = leaf.output;
        let (value, entry_size) = match leaf.size {
            24 => {
                let high = (output >> 32 & 0xf) << 20 | (output >> 36) << 5;
                (
                    output & 0xffff_ffff | high | 1 << 18 | tex << 12 | c_b << 2 | 0b10,
                    20,
                )
            }
            20 => (output | tex << 12 | c_b << 2 | 0b10, 20),
            16 => (output | tex << 12 | c_b << 2 | 0b01, 12),
            _ => (output | tex << 6 | c_b << 2 | 0b10, 12),
        };
        // Large pages and supersections take sixteen entries.
        let start = va >> leaf.size << leaf.size;
        for part in (start..start + (1 << leaf.size)).step_by(1 << entry_size) {
            let (path, _) = self.path(part);
            entries.push(Entry {
                address: path[path.len() - 1],
                value,
            });
        }
        self.leaves.insert((leaf.size, va >> leaf.size), leaf);
        entries
    }
}
