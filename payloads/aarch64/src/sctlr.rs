//! Bits of SCTLR_EL1 that may change for a moment: what they mean matters only to what is not done meanwhile.

use core::arch::asm;
use setway_cases::SctlrBit;

/// All but those that are RES1 without some feature (EOS, TSCXT, EIS, SPAN, nTLSMD, LSMAOE: DDI 0487, SCTLR_EL1), and
/// those of features that payloads know nothing of.
pub static BITS: [SctlrBit; 24] = [
    SctlrBit::new("SCTLR_EL1.A", 1),
    SctlrBit::new("SCTLR_EL1.SA", 3),
    SctlrBit::new("SCTLR_EL1.SA0", 4),
    SctlrBit::new("SCTLR_EL1.CP15BEN", 5).optional(),
    SctlrBit::new("SCTLR_EL1.nAA", 6).optional(),
    SctlrBit::new("SCTLR_EL1.ITD", 7).optional(),
    SctlrBit::new("SCTLR_EL1.SED", 8).optional(),
    SctlrBit::new("SCTLR_EL1.UMA", 9),
    SctlrBit::new("SCTLR_EL1.EnRCTX", 10).optional(),
    SctlrBit::new("SCTLR_EL1.I", 12),
    SctlrBit::new("SCTLR_EL1.EnDB", 13).optional(),
    SctlrBit::new("SCTLR_EL1.DZE", 14),
    SctlrBit::new("SCTLR_EL1.UCT", 15),
    SctlrBit::new("SCTLR_EL1.nTWI", 16),
    SctlrBit::new("SCTLR_EL1.nTWE", 18),
    SctlrBit::new("SCTLR_EL1.WXN", 19).untranslated(),
    SctlrBit::new("SCTLR_EL1.IESB", 21).optional(),
    SctlrBit::new("SCTLR_EL1.E0E", 24).optional(),
    SctlrBit::new("SCTLR_EL1.EE", 25).optional().untranslated(),
    SctlrBit::new("SCTLR_EL1.UCI", 26),
    SctlrBit::new("SCTLR_EL1.EnDA", 27).optional(),
    SctlrBit::new("SCTLR_EL1.EnIB", 30).optional(),
    SctlrBit::new("SCTLR_EL1.EnIA", 31).optional(),
    SctlrBit::new("SCTLR_EL1.BT1", 36).optional(),
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
