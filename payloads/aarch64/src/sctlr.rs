//! Bits of SCTLR_EL1 that may change for a moment: what they mean matters only to what is not done meanwhile.

use core::arch::asm;
use setway_cases::SctlrBit;

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

/// All but those that are RES1 without some feature (EOS, TSCXT, EIS, SPAN, nTLSMD, LSMAOE: DDI 0487, SCTLR_EL1), and
/// those of features that payloads know nothing of.
pub static BITS: [SctlrBit; 24] = [
    bit("SCTLR_EL1.A", 1),
    bit("SCTLR_EL1.SA", 3),
    bit("SCTLR_EL1.SA0", 4),
    optional("SCTLR_EL1.CP15BEN", 5),
    optional("SCTLR_EL1.nAA", 6),
    optional("SCTLR_EL1.ITD", 7),
    optional("SCTLR_EL1.SED", 8),
    bit("SCTLR_EL1.UMA", 9),
    optional("SCTLR_EL1.EnRCTX", 10),
    bit("SCTLR_EL1.I", 12),
    optional("SCTLR_EL1.EnDB", 13),
    bit("SCTLR_EL1.DZE", 14),
    bit("SCTLR_EL1.UCT", 15),
    bit("SCTLR_EL1.nTWI", 16),
    bit("SCTLR_EL1.nTWE", 18),
    off(bit("SCTLR_EL1.WXN", 19)),
    optional("SCTLR_EL1.IESB", 21),
    optional("SCTLR_EL1.E0E", 24),
    off(optional("SCTLR_EL1.EE", 25)),
    bit("SCTLR_EL1.UCI", 26),
    optional("SCTLR_EL1.EnDA", 27),
    optional("SCTLR_EL1.EnIB", 30),
    optional("SCTLR_EL1.EnIA", 31),
    optional("SCTLR_EL1.BT1", 36),
];

/// Writes SCTLR_EL1 with `bits` flipped, and then as it was. Returns what had changed in between.
///
/// # Safety
///
/// `bits` must be one of [`BITS`], and stage 1 be off unless that row says otherwise.
pub unsafe fn flip(bits: u64) -> u64 {
    let changed;
    // SAFETY: no memory is accessed and no exception is taken to EL1 in between, and instructions are fetched as before.
    unsafe {
        asm!(
            "mrs {before}, sctlr_el1",
            "eor {other}, {before}, {bits}",
            "msr sctlr_el1, {other}",
            "isb",
            "mrs {other}, sctlr_el1",
            "msr sctlr_el1, {before}",
            "isb",
            "eor {other}, {other}, {before}",
            before = out(reg) _,
            other = out(reg) changed,
            bits = in(reg) bits,
            options(nostack),
        );
    }
    changed
}
