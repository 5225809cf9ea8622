//! What the plugin knows of one CPU: the registers that govern translation, and the translations that
//! it has looked up.

use setway_architecture::translate::{Context, Kind, Memory, Registers, Step, translate};
use setway_cache_model::Path;

use crate::{
    api::Buffer,
    handles::{Handles, State},
};

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
    /// Whether it is EL2's, and AArch64's, as bits; or [`NO_REGIME`].
    regime: u32,
    physical: u64,
    path: Path,
}

const NO_REGIME: u32 = u32::MAX;
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

    /// Reads the registers again, if they may have changed.
    #[inline]
    pub fn refresh(&mut self, handles: &Handles, buffer: &mut Buffer) -> bool {
        if !self.stale {
            return false;
        }
        self.stale = false;
        let registers = handles.translation(buffer);
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

    /// Translates a data access at exception level `el`. `read` reads a descriptor.
    #[inline]
    pub fn translate(
        &mut self,
        el: u8,
        aarch64: bool,
        address: u64,
        read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let page = address >> PAGE_SHIFT;
        // EL0 and EL1 share a regime, but not with EL2, nor the two states with each other.
        let regime = u32::from(el >= 2) << 1 | u32::from(aarch64);
        let place = (page ^ u64::from(regime) << 5) as usize % ENTRIES;
        let entry = self.entries[place];
        if entry.page == page && entry.regime == regime {
            return Some(Target {
                address: entry.physical | address & ((1 << PAGE_SHIFT) - 1),
                path: entry.path,
            });
        }
        self.walk(el, aarch64, address, place, regime, read)
    }

    #[cold]
    fn walk(
        &mut self,
        el: u8,
        aarch64: bool,
        address: u64,
        place: usize,
        regime: u32,
        mut read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let context = Context { el, aarch64 };
        let found = translate(&self.registers, context, Kind::Data, address, &mut read).ok()?;
        let path = path(found.memory);
        self.entries[place] = Entry {
            page: address >> PAGE_SHIFT,
            regime,
            physical: found.pa >> PAGE_SHIFT << PAGE_SHIFT,
            path,
        };
        Some(Target {
            address: found.pa,
            path,
        })
    }

    /// Translates an instruction fetch.
    pub fn translate_fetch(
        &self,
        state: State,
        address: u64,
        mut read: impl FnMut(Step) -> Option<u64>,
    ) -> Option<Target> {
        let context = Context {
            el: state.el,
            aarch64: state.aarch64_regime,
        };
        let found = translate(&self.registers, context, Kind::Fetch, address, &mut read).ok()?;
        Some(Target {
            address: found.pa,
            path: match found.memory.is_cacheable() {
                true => Path::Fetch,
                false => Path::NonCacheable,
            },
        })
    }

    /// Whether this CPU has a cacheable mapping in any regime, so that it may speculate.
    pub fn may_speculate(&self) -> bool {
        const ON: u64 = 0b101;
        let on = |sctlr: u64| sctlr & ON == ON;
        on(self.registers.sctlr_el1) || on(self.registers.sctlr_el2)
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
