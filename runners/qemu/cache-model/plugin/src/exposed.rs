//! What QEMU reads from its memory unasked.
//!
//! Loads are prepared one by one. But QEMU also reads memory without a plugin callback: its table walker, when a
//! translation is not in its TLB, and its translator, when it has no block for an address.
//!
//! A line that was walked is always left as the walker sees it. A line that was executed need not be: when a
//! block is translated the plugin is called, and can have that done again. But the blocks stay, and so it is
//! remembered what they were made from.

use std::collections::HashMap;

use setway_cache_model::Path;

/// Lines of memory that QEMU reads unasked.
#[derive(Debug)]
pub struct Exposed {
    line_size: u64,
    /// How the walker reads each line that it has read.
    tables: HashMap<u64, Path>,
    /// What fetches found in each line with code.
    code: HashMap<u64, Fetched>,
    /// Which pages have lines of either kind, a bit each: most have none.
    pages: Vec<u64>,
    /// Lines that a load or fetch has seen in another view than the walker's.
    disturbed: Vec<u64>,
    /// Counts changes of which lines are walked, and how.
    changes: u64,
}

/// What fetches found in a line.
#[derive(Debug)]
struct Fetched {
    path: Path,
    bytes: Box<[u8]>,
}

const PAGE_SHIFT: u32 = 12;

impl Exposed {
    /// None yet, in a memory of `size` bytes.
    pub fn new(size: u64, line_size: u64) -> Self {
        let pages = (size >> PAGE_SHIFT) as usize;
        Self {
            line_size,
            tables: HashMap::new(),
            code: HashMap::new(),
            pages: vec![0; pages.div_ceil(64)],
            disturbed: Vec::new(),
            changes: 0,
        }
    }

    /// Forgets what was walked: memory is the same to everybody, and nothing of it was walked since. What
    /// was translated from it is still there.
    pub fn restart(&mut self) {
        self.tables.clear();
        self.disturbed.clear();
        self.changes += 1;
    }

    fn line(&self, at: u64) -> u64 {
        at & !(self.line_size - 1)
    }

    fn mark(&mut self, at: u64) {
        let page = (at >> PAGE_SHIFT) as usize;
        self.pages[page / 64] |= 1 << (page % 64);
    }

    /// Whether anything of the page of `at` was walked or executed.
    #[inline]
    pub fn is_marked(&self, at: u64) -> bool {
        let page = (at >> PAGE_SHIFT) as usize;
        self.pages[page / 64] >> (page % 64) & 1 != 0
    }

    /// The walker reads the line of `at` along `path`.
    pub fn walked(&mut self, at: u64, path: Path) {
        self.mark(at);
        let line = self.line(at);
        self.changes += u64::from(self.tables.insert(line, path) != Some(path));
    }

    /// A number that is another whenever [`table`](Self::table) may have another answer.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How the walker reads the line of `at`, if it does.
    #[inline]
    pub fn table(&self, at: u64) -> Option<Path> {
        let marked = self.is_marked(at);
        marked.then(|| self.tables.get(&self.line(at)).copied())?
    }

    /// Code was fetched along `path` from the line of `at`, which fetches find to be `bytes`.
    pub fn fetched(&mut self, at: u64, path: Path, bytes: &[u8]) {
        self.mark(at);
        let line = self.line(at);
        match self.code.get_mut(&line) {
            Some(known) if *known.bytes == *bytes => known.path = path,
            _ => {
                let bytes = bytes.into();
                self.code.insert(line, Fetched { path, bytes });
            }
        }
    }

    /// How code was fetched from the line of `at`, if it was.
    #[inline]
    pub fn code(&self, at: u64) -> Option<Path> {
        let marked = self.is_marked(at);
        marked.then(|| self.code.get(&self.line(at)).map(|known| known.path))?
    }

    /// Fetches find `bytes` in the line of `at` now, where they found code before. Says whether that is
    /// something else; then it is as if none had been fetched.
    pub fn refetched(&mut self, at: u64, bytes: &[u8]) -> bool {
        let line = self.line(at);
        let other = self
            .code
            .get(&line)
            .is_some_and(|known| *known.bytes != *bytes);
        if other {
            self.code.remove(&line);
        }
        other
    }

    /// The line of `at` is shown along `path`; if that is not the walker's, it is to be put right.
    #[inline]
    pub fn shown(&mut self, at: u64, path: Path) {
        if self.table(at).is_some_and(|walker| walker != path) {
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
