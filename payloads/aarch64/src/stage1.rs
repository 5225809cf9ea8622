//! The payload's own translation: all memory at its physical address, and the arena once more past
//! the cache.

use core::{cell::UnsafeCell, ops::Range};
use setway_runtime::{mrs, msr};

const ENTRIES: usize = 512;
const GIB: u64 = 1 << 30;
const MIB_2: u64 = 2 << 20;

/// A translation table of the 4 KiB granule.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: only `init` writes a table, before there is a second CPU.
unsafe impl Sync for Table {}

impl Table {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; ENTRIES]))
    }

    fn set(&self, index: usize, entry: u64) {
        // SAFETY: see `Sync`; volatile because the MMU reads what the compiler sees nobody read.
        unsafe { self.0.get().cast::<u64>().add(index).write_volatile(entry) }
    }

    fn address(&self) -> u64 {
        self.0.get() as u64
    }
}

/// 1 GiB an entry, 512 GiB in all.
static LEVEL1: Table = Table::new();
/// 2 MiB an entry: the gigabyte in which the payload runs.
static HOME: Table = Table::new();
/// 2 MiB an entry: the gigabyte at [`ALIAS`].
static UNCACHED: Table = Table::new();

/// 2 MiB an entry: the gigabyte at [`WINDOW`].
static WINDOWS: Table = Table::new();

/// Where the page is whose table, in the arena, cases for the bare machine fill in.
pub const WINDOW: u64 = 257 * GIB;
/// That table's offset in the arena.
pub const WINDOW_TABLE: u64 = 0x3000;

/// Where the non-cacheable mapping is: its first 2 MiB show the 2 MiB around the arena.
const ALIAS: u64 = 256 * GIB;

/// Descriptor types and attributes (DDI 0487, "Translation table descriptor formats").
mod descriptor {
    pub const BLOCK: u64 = 0b01;
    pub const TABLE: u64 = 0b11;
    pub const ACCESS: u64 = 1 << 10;
    pub const INNER_SHAREABLE: u64 = 0b11 << 8;
    pub const NEVER_EXECUTE: u64 = 0b11 << 53;
    /// AttrIndx, into [`super::MAIR`].
    pub const DEVICE: u64 = 0 << 2;
    pub const WRITE_BACK: u64 = 1 << 2;
    pub const NON_CACHEABLE: u64 = 2 << 2;
}

use descriptor::*;

const NORMAL: u64 = BLOCK | ACCESS | INNER_SHAREABLE | WRITE_BACK;
const DEVICE_BLOCK: u64 = BLOCK | ACCESS | NEVER_EXECUTE | DEVICE;

/// Device-nGnRE; Normal write-back read- and write-allocate; Normal Non-cacheable.
const MAIR: u64 = 0x04 | 0xff << 8 | 0x44 << 16;
/// 39 bits of VA in TTBR0, 4 KiB granule, walks write-back inner shareable; TTBR1 not walked.
const TCR: u64 = 25 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23;
/// RES1 bits of ARMv8.0, instruction cache on.
const SCTLR: u64 = 0x30d0_0800 | 1 << 12;

/// Fills the tables and points the CPU at them; [`set_registers`] does the same for another CPU.
pub fn init(memory: &Range<u64>) {
    let here = LEVEL1.address();
    for index in 0..256 {
        let base = index as u64 * GIB;
        let whole = memory.start <= base && base + GIB <= memory.end;
        LEVEL1.set(index, base | if whole { NORMAL } else { DEVICE_BLOCK });
    }
    let home = here & !(GIB - 1);
    for index in 0..ENTRIES {
        let base = home + index as u64 * MIB_2;
        let block = memory.contains(&base);
        HOME.set(index, base | if block { NORMAL } else { DEVICE_BLOCK });
    }
    LEVEL1.set((home / GIB) as usize, HOME.address() | TABLE);
    let arena = crate::isa::arena_address() & !(MIB_2 - 1);
    UNCACHED.set(0, arena | BLOCK | ACCESS | NEVER_EXECUTE | NON_CACHEABLE);
    LEVEL1.set((ALIAS / GIB) as usize, UNCACHED.address() | TABLE);
    WINDOWS.set(0, (crate::isa::arena_address() + WINDOW_TABLE) | TABLE);
    LEVEL1.set((WINDOW / GIB) as usize, WINDOWS.address() | TABLE);
    set_registers();
}

/// The table entry that leads to the page at `physical`, cacheable.
pub fn page(physical: usize) -> u64 {
    const PAGE: u64 = 0b11;
    physical as u64 | PAGE | ACCESS | INNER_SHAREABLE | NEVER_EXECUTE | WRITE_BACK
}

/// Says whether table walks go through the caches.
pub fn set_walks(cacheable: bool) {
    /// IRGN0 and ORGN0.
    const CACHEABLE: u64 = 0b01 << 8 | 0b01 << 10;
    let tcr = mrs!("tcr_el1") & !CACHEABLE;
    // SAFETY: the tables were written past the caches, so either way shows the same.
    unsafe { msr!("tcr_el1", if cacheable { tcr | CACHEABLE } else { tcr }) }
    invalidate_tlb();
}

/// Forgets all translations.
pub fn invalidate_tlb() {
    // SAFETY: translations are looked up again when they are needed.
    unsafe {
        core::arch::asm!(
            "dsb sy",
            "isb",
            "tlbi vmalle1",
            "dsb sy",
            "isb",
            options(nostack)
        )
    }
}

/// Points this CPU at the tables, its MMU and cache still off.
pub fn set_registers() {
    let physical_size = mrs!("id_aa64mmfr0_el1") & 7;
    // SAFETY: with the MMU off the values mean nothing yet, and `init` has made them right.
    unsafe {
        msr!("mair_el1", MAIR);
        msr!("tcr_el1", TCR | physical_size << 32);
        msr!("ttbr0_el1", LEVEL1.address());
        msr!("sctlr_el1", SCTLR);
        core::arch::asm!(
            "isb",
            "ic iallu",
            "tlbi vmalle1",
            "dsb nsh",
            "isb",
            options(nostack)
        );
    }
}

/// The non-cacheable address of `address`, which must lie in the 2 MiB of the arena's start.
pub fn uncached(address: u64) -> u64 {
    ALIAS + (address & (MIB_2 - 1))
}
