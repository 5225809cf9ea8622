//! Random programs of loads, stores and cache maintenance, made from a seed in the same way by the guest
//! that runs them and by the host that knows what they should see.
//!
//! A program does things to a few consecutive lines, on both sides of a page's end, and in
//! sets of the cache that the payload does not write to otherwise. Every byte that it stores is a random one.
//! At its end it loads every line along both paths, so that nothing that went wrong stays hidden.

mod forms;
mod forms_a64;
mod forms_aarch32;

pub use forms::{Direction, Form, forms};

use crate::isa::IsaName;
use core::{fmt, hash::Hasher};
use rand_xoshiro::{
    SplitMix64,
    rand_core::{Rng, SeedableRng},
};
use setway_architecture::maintenance::{SetWayOp, VaOp};
use setway_protocol::Fnv;

/// Bytes of a line.
pub const LINE: usize = 64;
/// How many lines there are. The page's end is in their middle.
pub const LINES: usize = 16;
/// Bytes of them all.
pub const SPAN: usize = LINES * LINE;
/// Most steps of a program, not counting its end.
pub const STEPS: u32 = 60;

/// Which programs to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// The seed of the first.
    pub first: u64,
    /// How many, each with the next seed.
    pub count: u64,
    /// The seed of the one whose loads are all wanted, not only their digest.
    pub detail: Option<u64>,
}

/// The most programs that a boot can run.
pub const MOST_PROGRAMS: usize = 256;

/// As on the command line.
impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={} programs={}", self.first, self.count)?;
        match self.detail {
            Some(seed) => write!(f, " detail={seed}"),
            None => Ok(()),
        }
    }
}

/// The most bytes that the loads of a program have.
pub const MOST_SEEN: usize = STEPS as usize * 64 + 2 * SPAN;

/// How an access reaches memory while caches are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the caches.
    Cached,
    /// Past them.
    Past,
}

/// One step of a program. Places are offsets from the first line.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A load, a store, or both.
    Access {
        /// With what instruction.
        form: &'static Form,
        /// Along which way, if caches are on; past them if not.
        way: Way,
        /// Where.
        at: usize,
        /// The seed of the bytes that it stores.
        value: u64,
    },
    /// An op by VA.
    ByVa(VaOp, usize),
    /// An op by set/way on every way of the set of the line at this place.
    SetWay(SetWayOp, usize),
    /// Caches on or off, and the MMU with them.
    Caches(bool),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Access { form, way, at, .. } => {
                let way = match way {
                    Way::Cached => "cached",
                    Way::Past => "past the caches",
                };
                write!(f, "{} bytes at {at:#05x}, {way}: {}", form.len, form.text)
            }
            Step::ByVa(op, at) => write!(f, "{op:?} by VA at {at:#05x}"),
            Step::SetWay(op, at) => write!(f, "{op:?} by set/way, set of {at:#05x}"),
            Step::Caches(on) => write!(f, "caches {}", if *on { "on" } else { "off" }),
        }
    }
}

/// A sequence of random numbers that depends on its seed alone: guest and host make the same programs of it.
#[derive(Clone, Debug)]
pub struct Random(SplitMix64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        // The programs are small, and so is the bias.
        ((self.draw() >> 32) as usize) % limit
    }
}

/// The bytes of a seed.
pub fn bytes(seed: u64) -> [u8; 64] {
    let mut random = Random::new(seed);
    let mut all = [0; 64];
    for word in all.chunks_exact_mut(8) {
        word.copy_from_slice(&random.draw().to_le_bytes());
    }
    all
}

/// What the line of this number holds before a program starts.
pub fn initial(line: usize) -> [u8; LINE] {
    bytes(0x5eed_0000 + line as u64)
}

/// Sums up what loads have seen (FNV-1a).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(Fnv);

impl Digest {
    /// Adds the bytes of a load.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The sum.
    pub fn sum(&self) -> u64 {
        self.0.finish()
    }
}

/// The steps of a program, in order.
#[derive(Clone, Debug)]
pub struct Program {
    random: Random,
    forms: &'static [Form],
    /// The lines that it favours.
    lines: core::ops::Range<usize>,
    /// The last line that something was done to, from the first of these.
    last: usize,
    left: u32,
    caches_on: bool,
    /// How much of the end is done: two loads for each line.
    ended: usize,
}

impl Program {
    /// The program of a seed, for an instruction set.
    pub fn new(isa: IsaName, seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let count = 2 + random.below(LINES - 1);
        let first = random.below(LINES - count + 1);
        Self {
            forms: forms(isa),
            lines: first..first + count,
            last: 0,
            left: STEPS / 2 + random.below(STEPS as usize / 2 + 1) as u32,
            random,
            caches_on: true,
            ended: 0,
        }
    }

    /// A place in the lines for `len` bytes, a multiple of `align`. Some are in the line of the last place,
    /// where what was just done matters most, and some across a line's end, if they may be.
    fn place(&mut self, len: usize, align: usize) -> usize {
        let lines = self.lines.len();
        let across = (len - 1) / align;
        let offset = match self.random.below(4) {
            0 if across > 0 => {
                let end = (1 + self.random.below(lines - 1)) * LINE;
                end - align * (1 + self.random.below(across))
            }
            1 => self.last + self.random.below(LINE - len + 1) / align * align,
            _ => self.random.below(lines * LINE - len + 1) / align * align,
        };
        self.last = offset / LINE * LINE;
        self.lines.start * LINE + offset
    }

    fn access(&mut self) -> Step {
        let form = loop {
            let form = &self.forms[self.random.below(self.forms.len())];
            if self.caches_on || form.anywhere {
                break form;
            }
        };
        // With the MMU off all memory is Device, which wants everything aligned.
        let natural = form.len.next_power_of_two().min(16);
        let align = if self.caches_on {
            form.align
        } else {
            form.align.max(natural)
        };
        let way = if self.random.below(8) < 6 {
            Way::Cached
        } else {
            Way::Past
        };
        Step::Access {
            form,
            way,
            at: self.place(form.len, align),
            value: self.random.draw(),
        }
    }

    fn step(&mut self) -> Step {
        match self.random.below(100) {
            0..70 => self.access(),
            70..84 => {
                let op = match self.random.below(4) {
                    0 => VaOp::Ivac,
                    1 => VaOp::Cvac,
                    2 => VaOp::Cvau,
                    _ => VaOp::Civac,
                };
                Step::ByVa(op, self.place(1, 1))
            }
            84..97 => {
                let op = match self.random.below(3) {
                    0 => SetWayOp::Isw,
                    1 => SetWayOp::Csw,
                    _ => SetWayOp::Cisw,
                };
                Step::SetWay(op, self.place(1, 1))
            }
            _ => {
                self.caches_on = !self.caches_on;
                Step::Caches(self.caches_on)
            }
        }
    }

    /// The loads of every line, past the caches first: a load through them fills the line.
    fn end(&mut self) -> Option<Step> {
        if !self.caches_on {
            self.caches_on = true;
            return Some(Step::Caches(true));
        }
        let line = self.ended / 2;
        let way = [Way::Past, Way::Cached][self.ended % 2];
        self.ended += 1;
        let whole = |form: &&Form| form.len == LINE && form.direction == Direction::Load;
        (line < LINES).then(|| Step::Access {
            form: self.forms.iter().find(whole).expect("a load of a line"),
            way,
            at: line * LINE,
            value: 0,
        })
    }
}

impl Iterator for Program {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(self.step())
            }
            None => self.end(),
        }
    }
}
