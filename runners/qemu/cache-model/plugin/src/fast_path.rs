//! Lines that a CPU can go on using without the model's taking part.
//!
//! Most accesses are to lines that the CPU has used just before, and nothing has happened to them: what QEMU
//! has in memory is what the CPU sees, and the model has nothing to notice. Such a line is *steady*. It is
//! remembered with the moment at which that held, a count of everything that may end it; at any other moment the
//! entry is void.

/// How many lines are remembered.
const ENTRIES: usize = 2048;
const LINE_SHIFT: u32 = 6;
/// The size of lines for which this is done.
pub const LINE: usize = 1 << LINE_SHIFT;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The line's virtual address and its regime, or [`NOTHING`].
    key: u64,
    /// When this held.
    moment: u64,
    /// Where the line is in memory.
    offset: u64,
    /// No other CPU has it, and it is dirty.
    alone: bool,
}

const NOTHING: u64 = u64::MAX;

/// The lines of one CPU.
#[derive(Debug)]
pub struct SteadyLines(Box<[Entry; ENTRIES]>);

impl SteadyLines {
    /// None yet.
    pub fn new() -> Self {
        const EMPTY: Entry = Entry {
            key: NOTHING,
            moment: 0,
            offset: 0,
            alone: false,
        };
        Self(Box::new([EMPTY; ENTRIES]))
    }

    fn key(address: u64, regime: u64) -> u64 {
        address >> LINE_SHIFT << 2 | regime
    }

    /// Where `len` bytes at a virtual address are, if they lie in one line that is remembered, and whether
    /// the CPU has it alone.
    #[inline]
    pub fn find(&self, address: u64, len: usize, regime: u64, moment: u64) -> Option<(u64, bool)> {
        let within = address as usize % LINE;
        let key = Self::key(address, regime);
        let entry = &self.0[(address >> LINE_SHIFT) as usize % ENTRIES];
        let steady = entry.key == key && entry.moment == moment && within + len <= LINE;
        steady.then_some((entry.offset + within as u64, entry.alone))
    }

    /// Remembers the line of a virtual address, which is at `offset` in memory.
    pub fn remember(&mut self, address: u64, regime: u64, moment: u64, offset: u64, alone: bool) {
        self.0[(address >> LINE_SHIFT) as usize % ENTRIES] = Entry {
            key: Self::key(address, regime),
            moment,
            offset: offset & !(LINE as u64 - 1),
            alone,
        };
    }
}
