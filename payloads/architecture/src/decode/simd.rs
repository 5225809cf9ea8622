//! The loads and stores that only SIMD&FP has: structures, whose elements lie one after the other in
//! memory however they are spread over registers, and AArch32's VLDR and VLDM.
//!
//! A64 calls the former "Advanced SIMD load/store multiple structures" and "... single structure" (DDI
//! 0487, "Loads and stores"), AArch32 "Advanced SIMD element or structure load/store", which A32 and
//! T32 encode alike except for the first byte. A post-index never matters: it is added when the access is
//! over.

use super::{
    Access, Offset,
    a32::{AArch32, register, up_or_down},
    a64, bit, bits,
};

/// A64's LD1 to LD4 and ST1 to ST4 (multiple structures).
pub(super) fn a64_multiple(word: u32) -> Option<Access> {
    let (registers, structure) = match bits(word, 15, 12) {
        0b0000 => (4, true),
        0b0010 => (4, false),
        0b0100 => (3, true),
        0b0110 => (3, false),
        0b0111 => (1, false),
        0b1000 => (2, true),
        0b1010 => (2, false),
        _ => return None,
    };
    let quad = bit(word, 30);
    // A structure of one 64-bit element from each register is what LD1 is for.
    if structure && !quad && bits(word, 11, 10) == 0b11 {
        return None;
    }
    let len = registers * if quad { 16 } else { 8 };
    Some(Access::new(bit(word, 22), a64::base(word, 0), len))
}

/// A64's LD1 to LD4 and ST1 to ST4 (single structure), and LD1R to LD4R.
pub(super) fn a64_single(word: u32) -> Option<Access> {
    let load = bit(word, 22);
    let (s, size) = (bit(word, 12), bits(word, 11, 10));
    let elements = 1 + (bits(word, 13, 13) << 1 | bits(word, 21, 21));
    let scale = match (bits(word, 15, 14), size) {
        (0b00, _) => 0,
        (0b01, 0b00 | 0b10) => 1,
        (0b10, 0b00) => 2,
        (0b10, 0b01) if !s => 3,
        (0b11, _) if load && !s => size,
        _ => return None,
    };
    Some(Access::new(load, a64::base(word, 0), elements << scale))
}

/// VLD1 to VLD4 and VST1 to VST4 of AArch32, in the low 24 bits of `word`.
pub(super) fn aarch32_structure(word: u32, set: AArch32) -> Option<Access> {
    let load = bit(word, 21);
    let field = bits(word, 11, 8);
    let len = if !bit(word, 23) {
        // "Advanced SIMD load/store multiple structures", by the number of D registers
        let (registers, structure) = match field {
            0b0000 | 0b0001 => (4, true),
            0b0010 => (4, false),
            0b0011 => (4, true),
            0b0100 | 0b0101 => (3, true),
            0b0110 => (3, false),
            0b0111 => (1, false),
            0b1000 | 0b1001 => (2, true),
            0b1010 => (2, false),
            _ => return None,
        };
        if structure && bits(word, 7, 6) == 0b11 {
            return None;
        }
        8 * registers
    } else {
        let elements = 1 + bits(field, 1, 0);
        match (bits(field, 3, 2), bits(word, 7, 6)) {
            // "Advanced SIMD load single structure to all lanes"
            (0b11, size @ 0b00..=0b10) if load => elements << size,
            // VLD4.32 with an alignment of 16 bytes
            (0b11, _) if load && elements == 4 => 16,
            (0b11, _) => return None,
            // "Advanced SIMD load/store single structure to one lane"
            (size, _) => elements << size,
        }
    };
    let address = set.address(register(word, 16), Offset::Immediate(0))?;
    Some(Access::new(load, address, len))
}

/// "Advanced SIMD and floating-point load/store": VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP, and FLDMX and
/// FSTMX, whose odd count of words has one that is not transferred.
pub(super) fn vector_or_float(word: u32, set: AArch32) -> Option<Access> {
    let scale = match bits(word, 11, 8) {
        0b1001 => 1,
        0b1010 => 2,
        0b1011 => 3,
        _ => return None,
    };
    let (before, up, writeback) = (bit(word, 24), bit(word, 23), bit(word, 21));
    let immediate = bits(word, 7, 0);
    let (offset, len) = match (before, up, writeback) {
        (true, _, false) if scale == 1 => (up_or_down(up, 2 * immediate), 2),
        (true, _, false) => (up_or_down(up, 4 * immediate), 1 << scale),
        (false, true, _) | (true, false, true) if scale > 1 => {
            let words = if scale == 3 {
                immediate & !1
            } else {
                immediate
            };
            let offset = if up { 0 } else { 4 * immediate };
            (up_or_down(up, offset), 4 * words)
        }
        _ => return None,
    };
    // More than 32 S or 16 D registers, or none, are UNPREDICTABLE.
    if !(1..=128).contains(&len) {
        return None;
    }
    let address = set.address(register(word, 16), offset)?;
    Some(Access::new(bit(word, 20), address, len))
}
