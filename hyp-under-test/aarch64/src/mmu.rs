//! The hypervisor's own translation: everything at its physical address, memory write-back.
//!
//! Blocks of 1 GiB suit boards that keep memory and devices in different gigabytes, as `virt` does. Where the last
//! gigabyte of memory is not whole, blocks of 2 MiB divide it.
//!
//! aarch64-rt calls [`enable_mmu`] first thing on every CPU, before there is a stack. Its own version
//! for EL2 does not suit: it sets TCR_EL2 as if it were TCR_EL1. This one maps the gigabyte that the
//! image runs in as memory and all else as devices; [`map_memory`] adds the rest of the memory once
//! the device tree is read.

use core::{arch::global_asm, cell::UnsafeCell, ops::Range, sync::atomic::AtomicU64};
use setway_architecture::registers::{Hcr, Sctlr};

const ENTRIES: usize = 512;
const GIB: u64 = 1 << 30;

const BLOCK: u64 = 2 << 20;

/// A table: 1 GiB an entry, or 2 MiB in the one that the last gigabyte of memory has if it is not whole.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; ENTRIES]>);

// SAFETY: written by the boot CPU before there is another.
unsafe impl Sync for Table {}

// Outside .bss, which is cleared after this table has been filled.
#[unsafe(link_section = ".stack.level1")]
static LEVEL1: Table = Table(UnsafeCell::new([0; ENTRIES]));

/// Not 0 once [`LEVEL1`] is filled. In the file, so that it is known to be 0 at first.
#[unsafe(link_section = ".data.level1_filled")]
static LEVEL1_FILLED: AtomicU64 = AtomicU64::new(0);

/// A block, AP\[1\] (RES1 at EL2), accessed, inner shareable, AttrIndx 1: Normal write-back.
const NORMAL_BLOCK: u64 = 0b01 | 1 << 6 | 1 << 10 | 0b11 << 8 | 1 << 2;
/// A block, accessed, never executed, AttrIndx 0: Device-nGnRE.
const DEVICE_BLOCK: u64 = 0b01 | 1 << 6 | 1 << 10 | 1 << 54;
/// Device-nGnRE, Normal write-back.
const MAIR: u64 = 0x04 | 0xff << 8;
/// 39 bits of VA, 4 KiB granule, walks write-back inner shareable, RES1 bits (DDI 0487, TCR_EL2).
/// PS is added from ID_AA64MMFR0_EL1.
const TCR: u64 = 25 | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23 | 1 << 31;
/// SCTLR_EL2 with stage 1 and the caches on, and SP checked.
const SCTLR: Sctlr = Sctlr::EL2_RESET
    .union(Sctlr::M)
    .union(Sctlr::C)
    .union(Sctlr::SA)
    .union(Sctlr::I);
/// No trap of SIMD and floating point to EL2, and the RES1 bits.
const CPTR: u64 = 0x33ff;

global_asm!(
    // Uses x8 to x15 only.
    ".section .init.enable_mmu, \"ax\"",
    ".global enable_mmu",
    "enable_mmu:",
    // Without FEAT_VHE's E2H, which would change what the registers below mean.
    "    mov     x8, #{rw}",
    "    msr     hcr_el2, x8",
    "    isb",
    "    adrp    x8, {table}",
    "    add     x8, x8, :lo12:{table}",
    // A secondary CPU finds the table filled, and the flag in memory, where caches were still off.
    "    adrp    x13, {filled}",
    "    ldr     x10, [x13, :lo12:{filled}]",
    "    cbnz    x10, 3f",
    "    mov     x10, #1",
    "    str     x10, [x13, :lo12:{filled}]",
    "    add     x13, x13, :lo12:{filled}",
    "    dc      ivac, x13",
    "    adrp    x9, image_begin",
    "    lsr     x9, x9, #30",
    "    ldr     x10, ={device}",
    "    mov     x11, #0",
    "1:  orr     x12, x10, x11, lsl #30",
    "    str     x12, [x8, x11, lsl #3]",
    "    add     x11, x11, #1",
    "    cmp     x11, #{entries}",
    "    b.lo    1b",
    "    ldr     x10, ={normal}",
    "    orr     x12, x10, x9, lsl #30",
    "    str     x12, [x8, x9, lsl #3]",
    // Nothing stale of the table may be in the cache that is turned on now.
    "    dmb     sy",
    "    mov     x11, #4096",
    "    add     x12, x8, x11",
    "    mov     x11, x8",
    "2:  dc      ivac, x11",
    // The smallest line that the architecture allows.
    "    add     x11, x11, #16",
    "    cmp     x11, x12",
    "    b.lo    2b",
    "3:  dsb     sy",
    "    ldr     x9, ={mair}",
    "    msr     mair_el2, x9",
    "    ldr     x9, ={tcr}",
    "    mrs     x10, id_aa64mmfr0_el1",
    "    and     x10, x10, #7",
    "    bfi     x9, x10, #16, #3",
    "    msr     tcr_el2, x9",
    "    msr     ttbr0_el2, x8",
    "    ldr     x9, ={cptr}",
    "    msr     cptr_el2, x9",
    "    tlbi    alle2",
    "    ic      iallu",
    "    dsb     sy",
    "    isb",
    "    ldr     x9, ={sctlr}",
    "    msr     sctlr_el2, x9",
    "    isb",
    "    ret",
    "    .ltorg",
    rw = const Hcr::RW.bits(),
    table = sym LEVEL1,
    filled = sym LEVEL1_FILLED,
    entries = const ENTRIES,
    device = const DEVICE_BLOCK,
    normal = const NORMAL_BLOCK,
    mair = const MAIR,
    tcr = const TCR,
    cptr = const CPTR,
    sctlr = const SCTLR.bits(),
);

/// The last gigabyte of memory, if it is not whole.
static LAST: Table = Table(UnsafeCell::new([0; ENTRIES]));

/// A descriptor that points to a table.
const TABLE: u64 = 0b11;

impl Table {
    /// Changes an entry, on the boot CPU.
    fn set(&self, index: u64, entry: u64) {
        // SAFETY: in bounds, and see `Sync`. What changes from device to memory has not been accessed yet, so
        // break-before-make has nothing to break but a TLB entry, which goes before the memory is used.
        unsafe {
            self.0
                .get()
                .cast::<u64>()
                .add(index as usize % ENTRIES)
                .write_volatile(entry)
        }
    }
}

/// Maps `memory` as memory from its first whole gigabyte on. The image's gigabyte is mapped already, as if it were
/// whole.
pub fn map_memory(memory: &Range<u64>) {
    let first = memory.start.div_ceil(GIB);
    let end = (memory.end / GIB).min(ENTRIES as u64);
    for gib in first..end {
        LEVEL1.set(gib, (gib * GIB) | NORMAL_BLOCK);
    }
    let rest = memory.end % GIB / BLOCK;
    // What runs now is in the image's gigabyte, whose entry must not change under it.
    let image = &raw const LAST as u64 / GIB;
    if end > image && end < ENTRIES as u64 && rest > 0 {
        for block in 0..ENTRIES as u64 {
            let attributes = if block < rest {
                NORMAL_BLOCK
            } else {
                DEVICE_BLOCK
            };
            LAST.set(block, (end * GIB + block * BLOCK) | attributes);
        }
        LEVEL1.set(end, &raw const LAST as u64 | TABLE);
    }
    // SAFETY: TLB maintenance.
    unsafe {
        core::arch::asm!(
            "dsb ishst",
            "tlbi alle2is",
            "dsb ish",
            "isb",
            options(nostack)
        );
    }
}
