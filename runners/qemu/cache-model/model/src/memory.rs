//! The bytes of each level, and what is known of each line; page by page, as far as they were touched.

use crate::{Actor, LostWrite, Maintenance, Path, Range, StaleRead, Where};

/// The grain in which memory comes into being.
pub const PAGE: usize = 4096;

/// What memory holds where the model has not been yet, and where it leaves what memory holds when it
/// starts again. Addresses are those of pages.
pub trait Backing: Send {
    /// Fills in the contents of a page.
    fn read(&self, at: u64, page: &mut [u8; PAGE]);

    /// Keeps the contents of a page.
    fn write(&mut self, at: u64, page: &[u8; PAGE]);
}

/// A place where bytes can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// The private caches: their copies of a line are all alike.
    Private = 0,
    /// The system cache.
    System = 1,
    /// The point of coherency.
    Poc = 2,
}

/// The system cache's state of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum System {
    #[default]
    Absent,
    Clean,
    Dirty,
}

impl System {
    pub(crate) const fn is_present(self) -> bool {
        !matches!(self, System::Absent)
    }
}

/// What is known of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    /// The CPUs whose private cache has a copy, as a bit mask.
    pub(crate) holders: u8,
    /// The one of them whose copy is dirty.
    pub(crate) owner: Option<u8>,
    pub(crate) system: System,
    pub(crate) stored: Option<(Actor, Path)>,
    /// What was done to it since it was stored to.
    pub(crate) maintained: Option<(Actor, Maintenance)>,
}

impl Line {
    pub(crate) const fn is_held(&self) -> bool {
        self.holders != 0
    }

    pub(crate) const fn is_held_by(&self, cpu: u8) -> bool {
        self.holders >> cpu & 1 != 0
    }

    pub(crate) fn first_holder(&self) -> Option<u8> {
        (self.holders != 0).then(|| self.holders.trailing_zeros() as u8)
    }
}

/// Which bytes of a line exist anywhere as they were last written.
pub(crate) enum Located {
    /// All, in one place.
    Whole,
    /// Those that are marked, from the line's first byte on.
    Bytes(Vec<bool>),
}

impl Located {
    /// Whether byte `n` of the line is among them.
    fn has(&self, n: usize) -> bool {
        match self {
            Self::Whole => true,
            Self::Bytes(bytes) => bytes[n],
        }
    }
}

/// A page of every level.
#[derive(Debug)]
pub(crate) struct Page {
    levels: [[u8; PAGE]; 3],
    truth: [u8; PAGE],
    lines: Box<[Line]>,
    line_shift: u32,
}

fn offset(at: u64) -> usize {
    at as usize % PAGE
}

impl Page {
    fn span(range: Range) -> std::ops::Range<usize> {
        offset(range.at)..offset(range.at) + range.len
    }

    fn whole(&self, at: u64) -> std::ops::Range<usize> {
        let start = offset(at) >> self.line_shift << self.line_shift;
        start..start + (1 << self.line_shift)
    }

    #[inline]
    pub(crate) fn bytes(&self, level: Level, range: Range) -> &[u8] {
        &self.levels[level as usize][Self::span(range)]
    }

    #[inline]
    pub(crate) fn truth(&self, range: Range) -> &[u8] {
        &self.truth[Self::span(range)]
    }

    /// What is newest now is `bytes`. They are at one level, or `everywhere`.
    #[inline]
    pub(crate) fn put(&mut self, level: Level, range: Range, bytes: &[u8], everywhere: bool) {
        let span = Self::span(range);
        self.truth[span.clone()].copy_from_slice(bytes);
        self.levels[level as usize][span.clone()].copy_from_slice(bytes);
        if everywhere {
            for level in &mut self.levels {
                level[span.clone()].copy_from_slice(bytes);
            }
        }
    }

    #[inline]
    pub(crate) fn line(&self, at: u64) -> &Line {
        &self.lines[offset(at) >> self.line_shift]
    }

    #[inline]
    pub(crate) fn line_mut(&mut self, at: u64) -> &mut Line {
        &mut self.lines[offset(at) >> self.line_shift]
    }

    /// Copies the line of `at` from one level to another.
    pub(crate) fn copy(&mut self, at: u64, from: Level, to: Level) {
        let whole = self.whole(at);
        let mut bytes = [0; 1 << 11];
        let bytes = &mut bytes[..whole.len()];
        bytes.copy_from_slice(&self.levels[from as usize][whole.clone()]);
        self.levels[to as usize][whole].copy_from_slice(bytes);
    }

    /// The bytes of a range as an access along `path` finds them.
    #[inline]
    pub(crate) fn view(&self, path: Path, range: Range) -> &[u8] {
        let line = self.line(range.at);
        let level = match path {
            Path::WriteBack | Path::WriteThrough | Path::CoherentFetch if line.is_held() => {
                Level::Private
            }
            Path::NonCacheable => Level::Poc,
            _ if line.system.is_present() => Level::System,
            _ => Level::Poc,
        };
        self.bytes(level, range)
    }

    /// Whether an access along `path` finds the newest bytes.
    #[inline]
    pub(crate) fn is_fresh(&self, path: Path, range: Range) -> bool {
        let (seen, newest) = (self.view(path, range), self.truth(range));
        // Nearly all accesses are words, and comparing those needs no call.
        match (<[u8; 8]>::try_from(seen), <[u8; 8]>::try_from(newest)) {
            (Ok(seen), Ok(newest)) => seen == newest,
            _ => seen == newest,
        }
    }

    /// Where the newest value of byte `at` is to be had.
    fn whereabouts(&self, at: usize) -> Where {
        let line = &self.lines[at >> self.line_shift];
        let has = |level: Level| self.levels[level as usize][at] == self.truth[at];
        // A clean private copy holds nothing that the level below does not hold as well.
        match line.owner {
            Some(cpu) if has(Level::Private) => Where::Cache(cpu),
            _ if line.system.is_present() && has(Level::System) => Where::SystemCache,
            _ if has(Level::Poc) => Where::Memory,
            _ => Where::Lost,
        }
    }

    /// Which bytes of the line still exist anywhere.
    pub(crate) fn located(&self, at: u64) -> Located {
        let whole = self.whole(at);
        let has =
            |level: Level| self.levels[level as usize][whole.clone()] == self.truth[whole.clone()];
        let line = self.line(at);
        // Nearly always one place has all of it.
        if line.owner.is_some() && has(Level::Private)
            || line.system.is_present() && has(Level::System)
            || has(Level::Poc)
        {
            return Located::Whole;
        }
        Located::Bytes(
            whole
                .map(|byte| self.whereabouts(byte) != Where::Lost)
                .collect(),
        )
    }

    /// The loss between `before` and now, if there is one.
    pub(crate) fn lost(&self, at: u64, by: Actor, before: &Located) -> Option<LostWrite> {
        let Located::Bytes(now) = self.located(at) else {
            return None;
        };
        let lost = |n: &usize| before.has(*n) && !now[*n];
        let first = (0..now.len()).find(lost)?;
        let last = (0..now.len()).rev().find(lost)?;
        let line = self.line(at);
        let start = at >> self.line_shift << self.line_shift;
        Some(LostWrite {
            range: Range {
                at: start + first as u64,
                len: last + 1 - first,
            },
            by,
            stored: line.stored,
            maintained: line.maintained,
        })
    }

    /// What there is to say about a load of `range` that saw `saw`.
    pub(crate) fn stale(&self, reader: Actor, path: Path, range: Range) -> StaleRead {
        let saw = self.view(path, range).to_vec();
        let newest = self.truth(range).to_vec();
        let wrong = saw.iter().zip(&newest).position(|(a, b)| a != b);
        let line = self.line(range.at);
        StaleRead {
            reader,
            path,
            range,
            walk: false,
            whereabouts: self.whereabouts(offset(range.at) + wrong.unwrap_or(0)),
            saw,
            newest,
            stored: line.stored,
            maintained: line.maintained,
        }
    }
}

/// All pages.
pub(crate) struct Memory {
    pages: Vec<Option<Box<Page>>>,
    /// The numbers of those that there are, in the order in which they were touched.
    known: Vec<usize>,
    /// Pages that are not in use, for the next that is touched.
    spare: Vec<Box<Page>>,
    line_shift: u32,
    backing: Box<dyn Backing>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (known, all) = (self.known.len(), self.pages.len());
        write!(f, "Memory {{ {known} of {all} pages }}")
    }
}

impl Memory {
    pub(crate) fn new(size: u64, line_shift: u32, backing: Box<dyn Backing>) -> Self {
        let pages = size.div_ceil(PAGE as u64) as usize;
        Self {
            pages: std::iter::repeat_with(|| None).take(pages).collect(),
            known: Vec::new(),
            spare: Vec::new(),
            line_shift,
            backing,
        }
    }

    /// Makes the truth of every page what memory holds, shows it, and forgets all else.
    pub(crate) fn restart(&mut self, mut show: impl FnMut(u64, &[u8; PAGE])) {
        for number in self.known.drain(..) {
            let Some(page) = self.pages[number].take() else {
                continue;
            };
            let at = (number * PAGE) as u64;
            show(at, &page.truth);
            self.backing.write(at, &page.truth);
            self.spare.push(page);
        }
    }

    /// Whether the page of `at` was touched.
    pub(crate) fn is_known(&self, at: u64) -> bool {
        self.pages[at as usize / PAGE].is_some()
    }

    pub(crate) fn line_start(&self, at: u64) -> u64 {
        at >> self.line_shift << self.line_shift
    }

    /// The page of `at`.
    ///
    /// # Panics
    ///
    /// If `at` is beyond the memory's size.
    #[inline]
    pub(crate) fn page(&mut self, at: u64) -> &mut Page {
        let number = at as usize / PAGE;
        if self.pages[number].is_none() {
            self.pages[number] = Some(self.new_page(number));
        }
        match &mut self.pages[number] {
            Some(page) => page,
            None => unreachable!("it was made above"),
        }
    }

    #[cold]
    fn new_page(&mut self, number: usize) -> Box<Page> {
        let line_shift = self.line_shift;
        let mut page = self.spare.pop().unwrap_or_else(|| {
            Box::new(Page {
                levels: [[0; PAGE]; 3],
                truth: [0; PAGE],
                lines: vec![Line::default(); PAGE >> line_shift].into(),
                line_shift,
            })
        });
        self.known.push(number);
        // No line is in a cache, so of the caches' bytes none counts.
        page.lines.fill(Line::default());
        self.backing.read((number * PAGE) as u64, &mut page.truth);
        page.levels[Level::Poc as usize] = page.truth;
        page
    }

    /// Every line of the pages that were touched, with its address, in order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &Line)> {
        let mut numbers = self.known.clone();
        numbers.sort_unstable();
        let known = numbers
            .into_iter()
            .filter_map(|number| Some((number, self.pages[number].as_ref()?)));
        known.flat_map(|(number, page)| {
            let at = move |n: usize| ((number * PAGE) + (n << page.line_shift)) as u64;
            page.lines
                .iter()
                .enumerate()
                .map(move |(n, line)| (at(n), line))
        })
    }
}
