//! Stage 2: the guest's memory at its physical address, mapped when it is first touched.
//!
//! A flush has to reach all memory that the guest may have in a cache, and should reach no more. So
//! nothing is mapped before the guest touches it: in 4 KiB pages in the blocks that the boot image
//! and the device tree lie in, which a small guest uses thinly, in 2 MiB blocks elsewhere. What is
//! not the guest's memory and not the hypervisor's is a device, mapped in 2 MiB blocks.

use core::{
    cell::UnsafeCell,
    hint::spin_loop,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};
use setway_architecture::registers::Ctr;
use setway_policy::{Mutant, Policy};
use setway_runtime::{mrs, msr};

const ENTRIES: usize = 512;
const PAGE: u64 = 4096;
const BLOCK: u64 = 2 << 20;
const GIB: u64 = 1 << 30;
/// 40 bits of IPA: two concatenated level 1 tables.
const IPA_SIZE: u64 = 1 << 40;

/// VTCR_EL2: T0SZ 24, start at level 1, 4 KiB granule, walks write-back inner shareable, PS 40 bits.
const VTCR: u64 = 24 | 0b01 << 6 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 0b010 << 16 | 1 << 31;

/// Stage 2 descriptors (DDI 0487, "Translation table descriptor formats").
mod descriptor {
    pub const VALID: u64 = 1;
    /// A table at levels 1 and 2, a page at level 3.
    pub const TABLE_OR_PAGE: u64 = 0b11;
    pub const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
    /// Normal write-back, readable and writable, inner shareable, accessed.
    pub const MEMORY: u64 = 0b1111 << 2 | 0b11 << 6 | 0b11 << 8 | 1 << 10;
    /// The same Non-cacheable, for a mutant: MemAttr 0b0101.
    pub const NON_CACHEABLE: u64 = MEMORY & !(0b1111 << 2) | 0b0101 << 2;
    /// Device-nGnRE, readable and writable, never executed, accessed.
    pub const DEVICE: u64 = 0b0001 << 2 | 0b11 << 6 | 1 << 10 | 1 << 54;
    /// Not 0 in memory, 0 in devices: MemAttr\[3:2\].
    pub const IS_MEMORY: u64 = 0b1100 << 2;
    /// For mutants, in the bits that are software's: there has been no flush since it was mapped.
    pub const NEW: u64 = 1 << 55;
    /// For mutants, too: the vCPU that was the first to touch it.
    pub const OWNER_SHIFT: u32 = 56;
    pub const OWNER: u64 = 0b111 << OWNER_SHIFT;
}

use descriptor::*;

/// A translation table; its entries are changed by the holder of [`LOCK`].
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: see `Table`.
unsafe impl Sync for Table {}

/// Level 1, 1024 entries, aligned to its size.
#[repr(C, align(8192))]
struct Root([Table; 2]);

static ROOT: Root = Root([const { Table(UnsafeCell::new([0; ENTRIES])) }; 2]);

/// Tables for levels 2 and 3, handed out one by one and never given back.
const POOL_SIZE: usize = 64;
static POOL: [Table; POOL_SIZE] = [const { Table(UnsafeCell::new([0; ENTRIES])) }; POOL_SIZE];
static POOL_USED: AtomicUsize = AtomicUsize::new(0);

static LOCK: AtomicBool = AtomicBool::new(false);

/// The guest's memory; what lies below it down to the start of memory is the hypervisor's.
static MEMORY_START: AtomicU64 = AtomicU64::new(0);
static GUEST_START: AtomicU64 = AtomicU64::new(0);
static MEMORY_END: AtomicU64 = AtomicU64::new(0);

/// The blocks that are mapped in pages: those of the boot image, from GUEST_START, and the one of
/// the device tree.
static PAGED_END: AtomicU64 = AtomicU64::new(0);
static PAGED_ALSO: AtomicU64 = AtomicU64::new(0);

/// Divides memory: the guest gets what starts at the first 128 MiB boundary past the hypervisor.
/// A 32-bit zImage rounds its own address down to such a boundary to find the start of memory.
pub fn init(memory: &Range<u64>) {
    unsafe extern "C" {
        static image_end: u8;
    }
    let start = ((&raw const image_end) as u64).next_multiple_of(128 << 20);
    if start + (32 << 20) > memory.end {
        panic!(
            "{} MiB of memory are too few: need 192",
            (memory.end - memory.start) >> 20
        );
    }
    MEMORY_START.store(memory.start, Ordering::Relaxed);
    GUEST_START.store(start, Ordering::Relaxed);
    // In whole blocks: what lies in the same block as what is no memory cannot be mapped as memory.
    MEMORY_END.store(memory.end & !(BLOCK - 1), Ordering::Relaxed);
}

/// The guest's memory.
pub fn guest_memory() -> Range<u64> {
    GUEST_START.load(Ordering::Relaxed)..MEMORY_END.load(Ordering::Relaxed)
}

/// Has everything up to `image_end`, and the block around `also`, mapped in pages.
pub fn map_in_pages(image_end: u64, also: u64) {
    PAGED_END.store(image_end.next_multiple_of(BLOCK), Ordering::Relaxed);
    PAGED_ALSO.store(also & !(BLOCK - 1), Ordering::Relaxed);
}

/// Whether `ipa` is mapped in pages.
pub fn is_paged(ipa: u64) -> bool {
    ipa < PAGED_END.load(Ordering::Relaxed)
        || ipa & !(BLOCK - 1) == PAGED_ALSO.load(Ordering::Relaxed)
}

/// Turns stage 2 on for this CPU, once HCR_EL2.VM is set.
pub fn enable() {
    // SAFETY: governs this CPU's vCPU only, which does not run yet; other CPUs have registers of their own.
    unsafe {
        msr!("vtcr_el2", VTCR);
        msr!("vttbr_el2", &raw const ROOT);
        core::arch::asm!("isb", "tlbi vmalls12e1", "dsb nsh", "isb", options(nostack));
    }
}

/// Why an address cannot be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// It is the hypervisor's memory, or beyond the IPA space.
    NotTheGuests,
    /// There is no table left.
    NoTables,
}

/// Holds [`LOCK`] for its life.
struct Locked;

impl Locked {
    fn new() -> Self {
        while LOCK
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            spin_loop();
        }
        Locked
    }

    /// Entry `index` of `table`.
    fn entry(&self, table: &Table, index: usize) -> u64 {
        // SAFETY: in bounds, and the lock is held.
        unsafe {
            table
                .0
                .get()
                .cast::<u64>()
                .add(index % ENTRIES)
                .read_volatile()
        }
    }

    /// Gives entry `index` of `table` a value that the MMU may find there at any time from now on.
    ///
    /// There is neither break-before-make nor TLB maintenance (DDI 0487, "TLB maintenance requirements"), because
    /// a change is one of two: an invalid entry, which no TLB holds, becomes valid; or a valid one stays the
    /// same except for [`NEW`], which is software's and ignored by the MMU. The callers see to that.
    fn set(&self, table: &Table, index: usize, entry: u64) {
        debug_assert!({
            let old = self.entry(table, index);
            old & VALID == 0 || (old ^ entry) & !NEW == 0
        });
        // SAFETY: in bounds, and the lock is held.
        unsafe {
            table
                .0
                .get()
                .cast::<u64>()
                .add(index % ENTRIES)
                .write_volatile(entry);
            core::arch::asm!("dsb ishst", options(nostack));
        }
    }

    /// Makes entry `index` of `table` the leaf `entry`, unless another vCPU that touched the same memory has been
    /// faster: then it is valid already, and stays as it is.
    fn map(&self, table: &Table, index: usize, entry: u64) {
        if self.entry(table, index) & VALID == 0 {
            self.set(table, index, entry);
        }
    }

    /// The table that entry `index` of `table` points to, made if there is none.
    fn next(&self, table: &Table, index: usize) -> Result<&'static Table, MapError> {
        let entry = self.entry(table, index);
        if entry & VALID != 0 {
            return Ok(table_at(entry));
        }
        let new = POOL
            .get(POOL_USED.fetch_add(1, Ordering::Relaxed))
            .ok_or(MapError::NoTables)?;
        self.set(table, index, new as *const Table as u64 | TABLE_OR_PAGE);
        Ok(new)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        LOCK.store(false, Ordering::Release);
    }
}

/// The table that a table descriptor points to.
fn table_at(entry: u64) -> &'static Table {
    // SAFETY: only `next` makes table descriptors, of tables that live forever, and the hypervisor
    // has memory at its physical address.
    unsafe { &*((entry & ADDRESS) as *const Table) }
}

/// Maps what the vCPU `vcpu` touched at `ipa`.
pub fn fault(policy: Policy, ipa: u64, vcpu: usize) -> Result<(), MapError> {
    let memory = guest_memory();
    let hypervisors = MEMORY_START.load(Ordering::Relaxed)..memory.start;
    if ipa >= IPA_SIZE || hypervisors.contains(&ipa) {
        return Err(MapError::NotTheGuests);
    }
    let attributes = if policy.is(Mutant::Stage2NonCacheable) {
        NON_CACHEABLE
    } else {
        MEMORY
    };
    let memory_of = attributes | NEW | (vcpu as u64) << OWNER_SHIFT & OWNER;
    let locked = Locked::new();
    let gib = (ipa / GIB) as usize;
    let whole = ipa & !(GIB - 1)..(ipa | (GIB - 1)) + 1;
    if whole.end <= hypervisors.start || whole.start >= memory.end {
        // No memory in it: one entry for all, lest a guest that looks everywhere use up the tables.
        locked.map(&ROOT.0[gib / ENTRIES], gib, whole.start | DEVICE | VALID);
        return Ok(());
    }
    let level2 = locked.next(&ROOT.0[gib / ENTRIES], gib)?;
    let block = (ipa / BLOCK) as usize;
    if !memory.contains(&ipa) {
        locked.map(level2, block, ipa & !(BLOCK - 1) | DEVICE | VALID);
    } else if is_paged(ipa) {
        let level3 = locked.next(level2, block)?;
        let page = (ipa / PAGE) as usize;
        locked.map(level3, page, ipa & !(PAGE - 1) | memory_of | TABLE_OR_PAGE);
    } else {
        prepare(policy, ipa & !(BLOCK - 1)..(ipa | (BLOCK - 1)) + 1);
        locked.map(level2, block, ipa & !(BLOCK - 1) | memory_of | VALID);
    }
    Ok(())
}

/// What is done to memory before the guest gets it: nothing, as it is all the guest's from the start. A hypervisor that
/// scrubs pages writes them through its caches.
fn prepare(policy: Policy, memory: Range<u64>) {
    if !policy.is(Mutant::FreshLeftDirty) {
        return;
    }
    each_line(memory, |line| {
        let word = line as *mut u64;
        // SAFETY: the guest's memory, which it cannot reach before it is mapped, and what it holds stays.
        unsafe { word.write_volatile(word.read_volatile()) }
    });
}

/// Cleans and invalidates by VA, to the point of coherency, all memory mapped to the guest, on behalf of
/// `vcpu`. Returns the number of lines.
pub fn flush(policy: Policy, vcpu: usize) -> u64 {
    let memory = guest_memory();
    let locked = Locked::new();
    if policy.is(Mutant::FlushWholeMemory) {
        return clean_range(memory);
    }
    // SAFETY: a barrier: what the guest has stored past its caches is in memory before a line is written back over it.
    // Taking an exception orders nothing.
    unsafe { core::arch::asm!("dsb sy", options(nostack)) }
    let flush = Flush { policy, vcpu };
    let mut lines = 0;
    let mut ipa = memory.start;
    while ipa < memory.end {
        let gib = (ipa / GIB) as usize;
        let entry = locked.entry(&ROOT.0[gib / ENTRIES], gib);
        if entry & VALID == 0 {
            ipa = (ipa & !(GIB - 1)) + GIB;
            continue;
        }
        let level2 = table_at(entry);
        let block = (ipa / BLOCK) as usize;
        let entry = locked.entry(level2, block);
        if entry & TABLE_OR_PAGE == TABLE_OR_PAGE {
            lines += flush.pages(&locked, table_at(entry));
        } else if entry & VALID != 0 {
            lines += flush.block(&locked, level2, block);
        } else if policy.is(Mutant::FlushStopsAtHole) {
            break;
        }
        ipa += BLOCK;
    }
    // SAFETY: a barrier: the maintenance is complete before the guest goes on.
    unsafe { core::arch::asm!("dsb sy", options(nostack)) }
    lines
}

/// A flush, and the ways in which a mutant's falls short.
struct Flush {
    policy: Policy,
    vcpu: usize,
}

impl Flush {
    fn pages(&self, locked: &Locked, table: &Table) -> u64 {
        if self.policy.is(Mutant::FlushMissesPages) {
            return 0;
        }
        let valid = |page: &usize| locked.entry(table, *page) & VALID != 0;
        let mut pages = (0..ENTRIES).filter(valid);
        if self.policy.is(Mutant::FlushMissesLastPage) {
            pages.next_back();
        }
        pages.map(|page| self.leaf(locked, table, page, PAGE)).sum()
    }

    fn block(&self, locked: &Locked, table: &Table, index: usize) -> u64 {
        match self.policy.mutant {
            Some(Mutant::FlushMissesBlocks) => 0,
            Some(Mutant::FlushMissesLastPage) => self.leaf(locked, table, index, BLOCK - PAGE),
            _ => self.leaf(locked, table, index, BLOCK),
        }
    }

    /// Flushes the first `size` bytes that a leaf maps.
    fn leaf(&self, locked: &Locked, table: &Table, index: usize, size: u64) -> u64 {
        let leaf = locked.entry(table, index);
        debug_assert!(leaf & IS_MEMORY != 0);
        let owner = (leaf & OWNER) >> OWNER_SHIFT;
        if self.policy.is(Mutant::FlushMissesOthers) && owner != self.vcpu as u64 {
            return 0;
        }
        if self.policy.is(Mutant::FlushMissesNew) && leaf & NEW != 0 {
            locked.set(table, index, leaf & !NEW);
            return 0;
        }
        let mut start = leaf & ADDRESS;
        let mut end = start + size;
        match self.policy.mutant {
            Some(Mutant::CleanWithoutInvalidate) => each_line(start..end, |line| {
                // SAFETY: no data changes.
                unsafe {
                    core::arch::asm!("dc cvac, {}", in(reg) line, options(nostack, preserves_flags))
                }
            }),
            Some(Mutant::InvalidateWithoutClean) => each_line(start..end, |line| {
                // SAFETY: the guest's memory only, which is to lose data.
                unsafe {
                    core::arch::asm!("dc ivac, {}", in(reg) line, options(nostack, preserves_flags))
                }
            }),
            Some(Mutant::FlushTwice) => clean_range(start..end) + clean_range(start..end),
            Some(Mutant::FlushQuarterLines) => (start..end)
                .step_by(line_size() as usize / 4)
                .map(clean_line)
                .count() as u64,
            Some(Mutant::FlushToPou) => each_line(start..end, |line| {
                // SAFETY: no data changes.
                unsafe {
                    core::arch::asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags))
                }
            }),
            Some(Mutant::FlushEveryOtherLine) => (start..end)
                .step_by(line_size() as usize * 2)
                .map(clean_line)
                .count() as u64,
            Some(Mutant::FlushMissesAbove2G) if end as u32 as i32 <= 0 => 0,
            Some(Mutant::FlushMissesAbove4G) if end >> 32 != 0 => 0,
            Some(Mutant::FlushMissesLastLine) => {
                end -= line_size();
                clean_range(start..end)
            }
            Some(Mutant::FlushMissesFirstLine) => {
                start += line_size();
                clean_range(start..end)
            }
            _ => clean_range(start..end),
        }
    }
}

/// Bytes of the smallest line of any data or unified cache.
fn line_size() -> u64 {
    Ctr(mrs!("ctr_el0")).data_line()
}

/// Does `op` to every line of `range`, and says how many there are.
fn each_line(range: Range<u64>, op: impl Fn(u64)) -> u64 {
    let line = line_size();
    let lines = (range.start & !(line - 1)..range.end).step_by(line as usize);
    lines.map(op).count() as u64
}

/// Cleans and invalidates `range` by VA to the point of coherency. Returns the number of lines.
pub fn clean_range(range: Range<u64>) -> u64 {
    each_line(range, clean_line)
}

/// Cleans and invalidates the line of an address by VA to the point of coherency.
#[inline]
fn clean_line(at: u64) {
    // SAFETY: memory that is mapped write-back at its physical address; no data changes.
    unsafe { core::arch::asm!("dc civac, {}", in(reg) at, options(nostack, preserves_flags)) }
}
