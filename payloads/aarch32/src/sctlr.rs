//! Bits of SCTLR that may change for a moment: what they mean matters only to what is not done meanwhile.

use core::arch::global_asm;
use setway_cases::{IsaName, SctlrBit};

/// All but those that are RES1, with or without some feature (Z, SPAN, nTLSMD, LSMAOE: DDI 0487, SCTLR).
pub static BITS: [SctlrBit; 15] = [
    SctlrBit::new("SCTLR.A", 1),
    SctlrBit::new("SCTLR.CP15BEN", 5).optional(),
    SctlrBit::new("SCTLR.ITD", 7).optional(),
    SctlrBit::new("SCTLR.SED", 8).optional(),
    SctlrBit::new("SCTLR.I", 12),
    SctlrBit::new("SCTLR.V", 13),
    SctlrBit::new("SCTLR.nTWI", 16),
    SctlrBit::new("SCTLR.nTWE", 18),
    SctlrBit::new("SCTLR.WXN", 19).untranslated(),
    SctlrBit::new("SCTLR.UWXN", 20).untranslated(),
    SctlrBit::new("SCTLR.EE", 25).optional().untranslated(),
    SctlrBit::new("SCTLR.TRE", 28).untranslated(),
    SctlrBit::new("SCTLR.AFE", 29).untranslated(),
    SctlrBit::new("SCTLR.TE", 30),
    SctlrBit::new("SCTLR.DSSBS", 31).optional(),
];

global_asm!(
    // r0: the bits to flip, and what had changed between the two writes.
    ".section .text.flip_sctlr, \"ax\"",
    ".macro flip prefix, mode",
    "    .\\mode",
    "    .balign 4",
    "    .global \\prefix\\()_flip_sctlr",
    "    .type   \\prefix\\()_flip_sctlr, %function",
    "\\prefix\\()_flip_sctlr:",
    "    mrc     p15, 0, r1, c1, c0, 0",
    "    eor     r0, r0, r1",
    "    mcr     p15, 0, r0, c1, c0, 0",
    "    isb",
    "    mrc     p15, 0, r0, c1, c0, 0",
    "    mcr     p15, 0, r1, c1, c0, 0",
    "    isb",
    "    eor     r0, r0, r1",
    "    bx      lr",
    ".endm",
    "    flip    a32, arm",
    "    flip    t32, thumb",
    "    .arm",
    ".purgem flip",
);

unsafe extern "C" {
    fn a32_flip_sctlr(bits: u32) -> u32;
    fn t32_flip_sctlr(bits: u32) -> u32;
}

/// Writes SCTLR with `bits` flipped, and then as it was. Returns what had changed in between.
///
/// # Safety
///
/// `bits` must be one of [`BITS`], and stage 1 be off unless that row says otherwise.
pub unsafe fn flip(isa: IsaName, bits: u64) -> u64 {
    let flip = match isa {
        IsaName::T32 => t32_flip_sctlr,
        _ => a32_flip_sctlr,
    };
    // SAFETY: no memory is accessed and no exception is taken to EL1 in between, and instructions are fetched as before.
    unsafe { flip(bits as u32).into() }
}
