//! Turning the payload's MMU and cache on and off without losing its own memory.
//!
//! Whether the hypervisor keeps the *arena* coherent is what the cases test. The payload's own code,
//! data and stacks must stay right whatever the hypervisor does, so each switch cleans and
//! invalidates them by VA, which no hypervisor traps, and touches no memory between that and the
//! write of SCTLR:
//!
//! * turning off, no dirty line is left that would hide what is then stored past the cache;
//! * turning on, no stale line is left that would hide what was stored past it.
//!
//! While the cache is off, nothing writes to the payload's lines but past the cache; while it is on, lines that
//! the hardware fetches on its own are clean copies of the truth.

use core::arch::global_asm;
use setway_architecture::registers::{Ctr, Sctlr};
use setway_runtime::mrs;

global_asm!(
    // Sets SCTLR_EL1.M and .C to the bits of w0, by exactly one write of SCTLR_EL1.
    ".section .text.set_caches, \"ax\"",
    ".global set_caches",
    "set_caches:",
    "    mrs     x1, sctlr_el1",
    "    mov     x2, #{mc}",
    "    bic     x1, x1, x2",
    "    orr     x1, x1, x0",
    // CTR_EL0.DminLine is the logarithm of the line's words.
    "    mrs     x2, ctr_el0",
    "    ubfx    x2, x2, #{dmin_line}, #4",
    "    mov     x3, #4",
    "    lsl     x3, x3, x2",
    "    adrp    x4, image_begin",
    "    add     x4, x4, :lo12:image_begin",
    "    adrp    x5, runtime_end",
    "    add     x5, x5, :lo12:runtime_end",
    "    dsb     sy",
    "1:  dc      civac, x4",
    "    add     x4, x4, x3",
    "    cmp     x4, x5",
    "    b.lo    1b",
    "    dsb     sy",
    "    msr     sctlr_el1, x1",
    "    isb",
    "    tlbi    vmalle1",
    "    dsb     nsh",
    "    isb",
    "    ret",
    mc = const MC.bits(),
    dmin_line = const Ctr::DMIN_LINE_SHIFT,
);

/// What turns the MMU and the cache on.
const MC: Sctlr = Sctlr::M.union(Sctlr::C);

unsafe extern "C" {
    fn set_caches(bits: u64);
}

/// Sets SCTLR_EL1.M and SCTLR_EL1.C.
pub fn set(m: bool, c: bool) {
    let mut bits = Sctlr::empty();
    bits.set(Sctlr::M, m);
    bits.set(Sctlr::C, c);
    // SAFETY: stage 1 maps all memory at its physical address, so turning it on or off moves
    // nothing, and the switch keeps the payload's memory coherent.
    unsafe { set_caches(bits.bits()) }
}

/// Whether SCTLR_EL1.M is set.
pub fn mmu_is_on() -> bool {
    sctlr().contains(Sctlr::M)
}

fn sctlr() -> Sctlr {
    Sctlr::from_bits_retain(mrs!("sctlr_el1"))
}
