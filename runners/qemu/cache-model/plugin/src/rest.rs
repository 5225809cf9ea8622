//! What QEMU's memory shows while no load is looking.
//!
//! Loads are prepared one by one. But QEMU also reads memory unasked: its table walker, when a
//! translation is not in its TLB, and its translator, when it has no block for an address. So each line
//! that has been walked or executed has a view in which it is left: the walker's, or that of fetches.

use std::collections::HashMap;

use setway_cache_model::Path;

/// Lines of memory that QEMU reads unasked.
#[derive(Debug)]
pub struct Rest {
    line_size: u64,
    lines: HashMap<u64, Path>,
    /// Which pages have such lines, a bit each: most have none.
    pages: Vec<u64>,
    /// Lines that a load has seen in another view than theirs.
    disturbed: Vec<u64>,
    /// Counts changes of which lines are read unasked, and how.
    changes: u64,
}

const PAGE_SHIFT: u32 = 12;

impl Rest {
    /// None yet, in a memory of `size` bytes.
    pub fn new(size: u64, line_size: u64) -> Self {
        let pages = (size >> PAGE_SHIFT) as usize;
        Self {
            line_size,
            lines: HashMap::new(),
            pages: vec![0; pages.div_ceil(64)],
            disturbed: Vec::new(),
            changes: 0,
        }
    }

    /// The line of `at` is read unasked, along `path`.
    pub fn set(&mut self, at: u64, path: Path) {
        let page = (at >> PAGE_SHIFT) as usize;
        self.pages[page / 64] |= 1 << (page % 64);
        let line = at & !(self.line_size - 1);
        self.changes += u64::from(self.lines.insert(line, path) != Some(path));
    }

    /// A number that is another whenever [`of`](Self::of) may have another answer.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How the line of `at` is left, if it is one of these.
    #[inline]
    pub fn of(&self, at: u64) -> Option<Path> {
        let page = (at >> PAGE_SHIFT) as usize;
        if self.pages[page / 64] >> (page % 64) & 1 == 0 {
            return None;
        }
        self.lines.get(&(at & !(self.line_size - 1))).copied()
    }

    /// The line of `at` is shown along `path`; if that is not how it is to be left, it is to be put right.
    #[inline]
    pub fn shown(&mut self, at: u64, path: Path) {
        if self.of(at).is_some_and(|rest| rest != path) {
            self.disturbed.push(at);
        }
    }

    /// Whether there are lines to put right.
    #[inline]
    pub fn is_disturbed(&self) -> bool {
        !self.disturbed.is_empty()
    }

    /// The lines to put right.
    #[inline]
    pub fn take_disturbed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.disturbed)
    }
}
