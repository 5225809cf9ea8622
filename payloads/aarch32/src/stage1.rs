//! The payload's own translation: all memory at its physical address, and the arena once more past
//! the cache. Short descriptors, sections of 1 MiB.

use crate::cp15;
use core::{
    cell::UnsafeCell,
    ops::Range,
    sync::atomic::{AtomicU32, Ordering},
};

const ENTRIES: usize = 4096;
const MIB: u32 = 1 << 20;

/// The first-level table.
#[repr(C, align(16384))]
struct Table(UnsafeCell<[u32; ENTRIES]>);

// SAFETY: only `init` writes the table, before there is a second CPU.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([0; ENTRIES]));

/// Section attributes with SCTLR.TRE and AFE clear (DDI 0487, "The VMSAv8-32 Short-descriptor Translation Table format"): full access in
/// domain 0.
mod section {
    const SECTION: u32 = 0b10 | 0b11 << 10;
    const NEVER_EXECUTE: u32 = 1 << 4;
    const SHAREABLE: u32 = 1 << 16;
    /// Normal, write-back, write-allocate.
    pub const WRITE_BACK: u32 = SECTION | SHAREABLE | 0b001 << 12 | 0b11 << 2;
    /// Normal Non-cacheable.
    pub const NON_CACHEABLE: u32 = SECTION | SHAREABLE | 0b001 << 12 | NEVER_EXECUTE;
    /// Device.
    pub const DEVICE: u32 = SECTION | 0b01 << 2 | NEVER_EXECUTE;
}

/// Descriptors of a table of 4 KiB pages, with the same attributes as [`section::WRITE_BACK`], and not
/// executable.
mod page {
    /// In the first level: leads to the table, in domain 0.
    pub const TABLE: u32 = 0b01;
    pub const WRITE_BACK: u32 = 0b11 | 0b11 << 2 | 0b11 << 4 | 0b001 << 6 | 1 << 10;
}

/// The offset in the arena of the table that cases for the bare machine fill in.
pub const WINDOW_TABLE: u32 = 0x3000;

/// TTBR0: walks write-back write-allocate, inner and outer, shareable.
const WALKS: u32 = 1 << 6 | 0b01 << 3 | 1 << 1;
/// DACR: domain 0 is a client.
const DOMAINS: u32 = 0b01;
/// SCTLR as a Cortex-A57 resets it, and the instruction cache on.
const SCTLR: u32 = 0x00c5_0838 | 1 << 12;

/// Where the non-cacheable section is.
static ALIAS: AtomicU32 = AtomicU32::new(0);

/// Where the non-cacheable sections may be: 3 MiB, as [`init`] uses them.
const ALIASES: [u32; 3] = [0xf000_0000, 0x1000_0000, 0xd000_0000];
const ALIAS_SIZE: u64 = 3 * MIB as u64;

/// Fills the table and points the CPU at it; [`set_registers`] does the same for another CPU.
pub fn init(memory: &Range<u64>, console: Option<u64>) {
    let set = |index: u32, entry: u32| {
        // SAFETY: in bounds, and see `Sync`.
        unsafe {
            TABLE
                .0
                .get()
                .cast::<u32>()
                .add(index as usize)
                .write_volatile(entry)
        }
    };
    for index in 0..ENTRIES as u32 {
        let base = index * MIB;
        let attributes = if memory.contains(&base.into()) {
            section::WRITE_BACK
        } else {
            section::DEVICE
        };
        set(index, base | attributes);
    }
    // Any place will do that is neither memory nor the console's.
    let is_free = |alias: &u32| {
        let place = u64::from(*alias)..u64::from(*alias) + ALIAS_SIZE;
        let is_memory = place.start < memory.end && memory.start < place.end;
        !is_memory && !console.is_some_and(|console| place.contains(&console))
    };
    let alias = ALIASES.into_iter().find(is_free);
    let alias = alias.unwrap_or_else(|| panic!("no address is free for the non-cacheable mapping"));
    ALIAS.store(alias, Ordering::Relaxed);
    // Two sections: the arena and what lies with it may cross a boundary.
    let arena = crate::isa::arena_address() & !(MIB - 1);
    set(alias / MIB, arena | section::NON_CACHEABLE);
    set(alias / MIB + 1, (arena + MIB) | section::NON_CACHEABLE);
    set(
        alias / MIB + 2,
        (crate::isa::arena_address() + WINDOW_TABLE) | page::TABLE,
    );
    set_registers();
}

/// Where the page is whose table cases for the bare machine fill in.
pub fn window() -> u32 {
    ALIAS.load(Ordering::Relaxed) + 2 * MIB
}

/// The table entry that leads to the page at `physical`, cacheable.
pub fn page(physical: usize) -> u64 {
    (physical as u32 | page::WRITE_BACK).into()
}

/// Says whether table walks go through the caches.
pub fn set_walks(cacheable: bool) {
    /// IRGN and RGN.
    const CACHEABLE: u32 = 1 << 6 | 1 | 0b11 << 3;
    let ttbr0 = cp15::read!(TTBR0) & !CACHEABLE;
    let walks = if cacheable { WALKS & CACHEABLE } else { 0 };
    // SAFETY: the tables were written past the caches, so either way shows the same.
    unsafe { cp15::write!(TTBR0, ttbr0 | walks) }
    invalidate_tlb();
}

/// Forgets all translations.
pub fn invalidate_tlb() {
    // SAFETY: translations are looked up again when they are needed.
    unsafe {
        core::arch::asm!("dsb sy", "isb", options(nostack));
        // TLBIALL.
        cp15::write!("p15, 0, {}, c8, c7, 0", 0);
        core::arch::asm!("dsb sy", "isb", options(nostack));
    }
}

/// Points this CPU at the table, its MMU and cache still off.
pub fn set_registers() {
    // SAFETY: with the MMU off the values mean nothing yet, and `init` has made them right.
    unsafe {
        cp15::write!(TTBCR, 0);
        cp15::write!(TTBR0, TABLE.0.get() as u32 | WALKS);
        cp15::write!(DACR, DOMAINS);
        cp15::write!(SCTLR, SCTLR);
        core::arch::asm!("isb", options(nostack));
        // ICIALLU, TLBIALL.
        cp15::write!("p15, 0, {}, c7, c5, 0", 0);
        cp15::write!("p15, 0, {}, c8, c7, 0", 0);
        core::arch::asm!("dsb sy", "isb", options(nostack));
    }
}

/// The non-cacheable address of `address`, which must lie in the 1 MiB of the arena's start or the
/// next.
pub fn uncached(address: u32) -> u32 {
    let arena = crate::isa::arena_address() & !(MIB - 1);
    ALIAS.load(Ordering::Relaxed) + (address - arena)
}
