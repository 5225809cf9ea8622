//! Turning the payload's MMU and cache on and off without losing its own memory. The reasons are
//! those of the AArch64 payload's module of this name.

use crate::cp15;
use core::arch::global_asm;
use setway_architecture::registers::{Ctr, Sctlr};

global_asm!(
    ".section .text.set_caches, \"ax\"",
    ".arm",
    ".balign 4",
    // Sets SCTLR.M and .C to the bits of r0, by exactly one write of SCTLR.
    ".global set_caches",
    "set_caches:",
    "    mrc     p15, 0, r1, c1, c0, 0",
    "    bic     r1, r1, #{mc}",
    "    orr     r1, r1, r0",
    // DminLine is the logarithm of the line's words.
    "    mrc     p15, 0, r2, c0, c0, 1",
    "    ubfx    r2, r2, #{dmin_line}, #4",
    "    mov     r3, #4",
    "    lsl     r3, r3, r2",
    // Everything that memory is needed for is in registers before the maintenance begins.
    "    ldr     r0, =image_begin",
    "    ldr     r2, =runtime_end",
    "    dsb     sy",
    "1:  mcr     p15, 0, r0, c7, c14, 1",
    "    add     r0, r0, r3",
    "    cmp     r0, r2",
    "    blo     1b",
    "    dsb     sy",
    "    mcr     p15, 0, r1, c1, c0, 0",
    "    isb",
    // TLBIALL, BPIALL.
    "    mov     r0, #0",
    "    mcr     p15, 0, r0, c8, c7, 0",
    "    mcr     p15, 0, r0, c7, c5, 6",
    "    dsb     sy",
    "    isb",
    "    bx      lr",
    "    .ltorg",
    mc = const MC.bits(),
    dmin_line = const Ctr::DMIN_LINE_SHIFT,
);

/// What turns the MMU and the cache on.
const MC: Sctlr = Sctlr::M.union(Sctlr::C);

unsafe extern "C" {
    fn set_caches(bits: u32);
}

/// Sets SCTLR.M and SCTLR.C.
pub fn set(m: bool, c: bool) {
    let mut bits = Sctlr::empty();
    bits.set(Sctlr::M, m);
    bits.set(Sctlr::C, c);
    // SAFETY: stage 1 maps all memory at its physical address, so turning it on or off moves
    // nothing, and the switch keeps the payload's memory coherent.
    unsafe { set_caches(bits.bits() as u32) }
}

/// Whether SCTLR.M is set.
pub fn mmu_is_on() -> bool {
    sctlr().contains(Sctlr::M)
}

fn sctlr() -> Sctlr {
    Sctlr::from_bits_retain(cp15::read!(SCTLR).into())
}
