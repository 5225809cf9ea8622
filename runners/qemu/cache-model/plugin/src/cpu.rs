//! What the plugin knows of one CPU: the registers that govern translation, and the translations that
//! it has looked up.

use setway_architecture::{
    registers::Sctlr,
    translate::{Context, Kind, Memory, Registers, Step, translate},
};
use setway_cache_model::Path;

use crate::state::State;

/// How many translations are remembered.
const ENTRIES: usize = 1024;
const PAGE_SHIFT: u32 = 12;

/// Where an address leads, and how.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The physical address.
    pub address: u64,
    /// The way to it.
    pub path: Path,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    page: u64,
    /// As [`State::regime`] has it, or [`NO_REGIME`].
    regime: u64,
    physical: u64,
    path: Path,
}

const NO_REGIME: u64 = u64::MAX;
const EMPTY: Entry = Entry {
    page: 0,
    regime: NO_REGIME,
    physical: 0,
    path: Path::NonCacheable,
};

/// One CPU.
#[derive(Debug)]
pub struct Cpu {
    /// As last read.
    pub registers: Registers,
    /// A register may have changed since.
    pub stale: bool,
    entries: Box<[Entry; ENTRIES]>,
}

impl Cpu {
    /// A CPU of which nothing is known.
    pub fn new() -> Self {
        Self {
            registers: Registers::default(),
            stale: true,
            entries: Box::new([EMPTY; ENTRIES]),
        }
    }

    /// The registers were read again. Returns whether they have changed.
    pub fn refresh(&mut self, registers: Registers) -> bool {
        self.stale = false;
        if registers == self.registers {
            return false;
        }
        self.registers = registers;
        // Other registers may mean other translations, and other ways in which tables are walked.
        self.forget();
        true
    }

    /// Forgets every translation.
    pub fn forget(&mut self) {
        self.entries.fill(EMPTY);
    }

    /// Translates a data access. `read` reads a descriptor.
    #[inline]
    pub fn translate(
        &mut self,
        state: State,
        address: u64,
        read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let page = address >> PAGE_SHIFT;
        let regime = state.regime();
        let place = (page ^ regime << 5) as usize % ENTRIES;
        let entry = self.entries[place];
        if entry.page == page && entry.regime == regime {
            return Some(Target {
                address: entry.physical | address & ((1 << PAGE_SHIFT) - 1),
                path: entry.path,
            });
        }
        self.walk(state, address, place, read)
    }

    #[cold]
    fn walk(
        &mut self,
        state: State,
        address: u64,
        place: usize,
        mut read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let context = context(state);
        let found = translate(&self.registers, context, Kind::Data, address, &mut read).ok()?;
        let path = path(found.memory);
        self.entries[place] = Entry {
            page: address >> PAGE_SHIFT,
            regime: state.regime(),
            physical: found.pa >> PAGE_SHIFT << PAGE_SHIFT,
            path,
        };
        Some(Target {
            address: found.pa,
            path,
        })
    }

    /// Translates an instruction fetch, which takes `cacheable` where it is that.
    pub fn translate_fetch(
        &self,
        state: State,
        address: u64,
        cacheable: Path,
        mut read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let context = context(state);
        let found = translate(&self.registers, context, Kind::Fetch, address, &mut read).ok()?;
        Some(Target {
            address: found.pa,
            path: if found.memory.is_cacheable() {
                cacheable
            } else {
                Path::NonCacheable
            },
        })
    }

    /// Whether this CPU has a cacheable mapping in any regime, so that it may speculate.
    pub fn may_speculate(&self) -> bool {
        let on = |sctlr| Sctlr::from_bits_retain(sctlr).contains(Sctlr::M | Sctlr::C);
        on(self.registers.sctlr_el1) || on(self.registers.sctlr_el2)
    }
}

fn context(state: State) -> Context {
    Context {
        el: state.el,
        aarch64: state.aarch64_regime,
    }
}

/// How data of this memory type travels.
pub fn path(memory: Memory) -> Path {
    match memory {
        Memory::WriteBack => Path::WriteBack,
        Memory::WriteThrough => Path::WriteThrough,
        Memory::NonCacheable | Memory::Device => Path::NonCacheable,
    }
}
