//! Bits of SCTLR that may change for a moment: what they mean matters only to what is not done meanwhile.

use core::arch::global_asm;
use setway_cases::{IsaName, SctlrBit};

const fn bit(name: &'static str, number: u32) -> SctlrBit {
    SctlrBit {
        name,
        mask: 1 << number,
        translated: true,
        optional: false,
    }
}

/// A bit that only some CPUs have.
const fn optional(name: &'static str, number: u32) -> SctlrBit {
    SctlrBit {
        optional: true,
        ..bit(name, number)
    }
}

/// A bit that stage 1 depends on.
const fn off(row: SctlrBit) -> SctlrBit {
    SctlrBit {
        translated: false,
        ..row
    }
}

/// All but those that are RES1, with or without some feature (Z, SPAN, nTLSMD, LSMAOE: DDI 0487, SCTLR).
pub static BITS: [SctlrBit; 15] = [
    bit("SCTLR.A", 1),
    optional("SCTLR.CP15BEN", 5),
    optional("SCTLR.ITD", 7),
    optional("SCTLR.SED", 8),
    bit("SCTLR.I", 12),
    bit("SCTLR.V", 13),
    bit("SCTLR.nTWI", 16),
    bit("SCTLR.nTWE", 18),
    off(bit("SCTLR.WXN", 19)),
    off(bit("SCTLR.UWXN", 20)),
    off(optional("SCTLR.EE", 25)),
    off(bit("SCTLR.TRE", 28)),
    off(bit("SCTLR.AFE", 29)),
    bit("SCTLR.TE", 30),
    optional("SCTLR.DSSBS", 31),
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
