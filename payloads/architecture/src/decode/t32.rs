//! T32: loads and stores in 16 and in 32 bits, HVC and exception returns (DDI 0487, "T32 instruction
//! set encoding"). The coprocessor space is A32's.
//!
//! What [`a32`](super::a32()) leaves out is left out here, too, and RFE and SRS are as they are there.

use super::{
    Access, Instruction, Offset, Shift,
    a32::{AArch32, coprocessor, multiple, register, up_or_down},
    bit, bits, memory, simd,
};

/// What the T32 instruction does whose first halfword is `first`. A 16-bit instruction has no `second`:
/// then it is ignored.
pub fn t32(first: u16, second: u16) -> Instruction {
    if first >> 11 < 0b11101 {
        return memory(narrow(first.into()));
    }
    let word = u32::from(first) << 16 | u32::from(second);
    match bits(word, 31, 24) {
        0b1110_1000 | 0b1110_1001 if bit(word, 22) => memory(dual_or_exclusive(word)),
        0b1110_1000 | 0b1110_1001 => memory(load_store_multiple(word)),
        0b1110_1100..=0b1110_1111 => coprocessor(word, AArch32::T32),
        0b1111_1001 if !bit(word, 20) => memory(simd::aarch32_structure(word, AArch32::T32)),
        0b1111_1000 | 0b1111_1001 => memory(load_store_single(word)),
        _ => branches_and_miscellaneous(word),
    }
}

/// An index register as T32 has it: shifted left, never subtracted.
fn index(index: u8, amount: u32) -> Offset {
    Offset::Register {
        index,
        shift: Shift::Left(amount as u8),
        subtract: false,
    }
}

/// The 16-bit loads and stores.
fn narrow(word: u32) -> Option<Access> {
    let l = bit(word, 11);
    let rn = bits(word, 5, 3) as u8;
    let imm5 = bits(word, 10, 6);
    let imm8 = bits(word, 7, 0);
    let (load, base, offset, len) = match bits(word, 15, 12) {
        // "Load from Literal Pool"
        0b0100 if l => (true, 15, up_or_down(true, 4 * imm8), 4),
        // "Load/store (register offset)"
        0b0101 => {
            let (load, len) = match bits(word, 11, 9) {
                0b000 => (false, 4),
                0b001 => (false, 2),
                0b010 => (false, 1),
                0b100 => (true, 4),
                0b101 | 0b111 => (true, 2),
                // LDRSB, LDRB
                _ => (true, 1),
            };
            (load, rn, index(bits(word, 8, 6) as u8, 0), len)
        }
        // "Load/store word/byte (immediate offset)" and "Load/store halfword (immediate offset)"
        0b0110 => (l, rn, up_or_down(true, 4 * imm5), 4),
        0b0111 => (l, rn, up_or_down(true, imm5), 1),
        0b1000 => (l, rn, up_or_down(true, 2 * imm5), 2),
        // "Load/store (SP-relative)"
        0b1001 => (l, 13, up_or_down(true, 4 * imm8), 4),
        // "Push and Pop", of the low registers and of one more
        0b1011 if bits(word, 10, 9) == 0b10 => {
            let len = 4 * bits(word, 8, 0).count_ones();
            (l, 13, multiple(!l, l, len), len)
        }
        // "Load/store multiple"
        0b1100 => {
            let len = 4 * imm8.count_ones();
            (l, bits(word, 10, 8) as u8, Offset::Immediate(0), len)
        }
        _ => return None,
    };
    if len == 0 {
        return None;
    }
    let address = AArch32::T32.address(base, offset)?;
    Some(Access::new(load, address, len))
}

/// "Load/store multiple", with RFE and SRS where there could be increment before and decrement after.
fn load_store_multiple(word: u32) -> Option<Access> {
    let registers = 4 * bits(word, 15, 0).count_ones();
    let (up, len) = match bits(word, 24, 23) {
        0b00 => (false, 8),
        0b01 => (true, registers),
        0b10 => (false, registers),
        _ => (true, 8),
    };
    if len == 0 {
        return None;
    }
    let address = AArch32::T32.address(register(word, 16), multiple(!up, up, len))?;
    Some(Access::new(bit(word, 20), address, len))
}

/// "Load/store dual, load/store exclusive, load-acquire/store-release, and table branch".
fn dual_or_exclusive(word: u32) -> Option<Access> {
    let load = bit(word, 20);
    let (before, up, writeback) = (bit(word, 24), bit(word, 23), bit(word, 21));
    let imm8 = bits(word, 7, 0);
    let op = bits(word, 7, 4);
    let (offset, len, exclusive) = match (before, writeback, up) {
        // LDREX, STREX
        (false, false, false) => (up_or_down(true, 4 * imm8), 4, true),
        (false, false, true) => match op {
            // TBB, TBH
            0b0000 | 0b0001 if load => (index(register(word, 0), op), 1 << op, false),
            // LDREXB, LDREXH, LDREXD; LDAEX in all four lengths; and their stores
            0b0100 | 0b0101 | 0b0111 | 0b1100.. => (Offset::Immediate(0), 1 << (op & 3), true),
            // LDAB, LDAH, LDA; STLB, STLH, STL
            0b1000..=0b1010 => (Offset::Immediate(0), 1 << (op & 3), false),
            _ => return None,
        },
        // LDRD, STRD
        (false, true, _) => (Offset::Immediate(0), 8, false),
        (true, _, _) => (up_or_down(up, 4 * imm8), 8, false),
    };
    let address = AArch32::T32.address(register(word, 16), offset)?;
    let access = Access::new(load, address, len);
    Some(if exclusive {
        access.exclusive()
    } else {
        access
    })
}

/// "Load/store single".
fn load_store_single(word: u32) -> Option<Access> {
    let load = bit(word, 20);
    let sign_extended = bit(word, 24);
    let size = bits(word, 22, 21);
    // PLD, PLDW, PLI, and room for more of them
    let hint = load && size < 2 && register(word, 12) == 15;
    if size == 3 || sign_extended && size == 2 || hint {
        return None;
    }
    let base = register(word, 16);
    let imm12 = bits(word, 11, 0);
    let imm8 = bits(word, 7, 0);
    let (before, up, writeback) = (bit(word, 10), bit(word, 9), bit(word, 8));
    let offset = if base == 15 {
        if !load {
            return None;
        }
        up_or_down(bit(word, 23), imm12)
    } else if bit(word, 23) {
        up_or_down(true, imm12)
    } else if bits(word, 11, 6) == 0 {
        index(register(word, 0), bits(word, 5, 4))
    } else if !bit(word, 11) {
        return None;
    } else if before {
        // Negative, pre-indexed, or unprivileged
        up_or_down(up, imm8)
    } else if writeback {
        Offset::Immediate(0)
    } else {
        return None;
    };
    let address = AArch32::T32.address(base, offset)?;
    Some(Access::new(load, address, 1 << size))
}

/// "Branches and miscellaneous control".
fn branches_and_miscellaneous(word: u32) -> Instruction {
    if matches!(word & 0xfff0_f000, 0xf7e0_8000 | 0xf7f0_8000) {
        Instruction::Call
    } else if word & 0xffff_fff0 == 0xf3bf_8f60 {
        Instruction::Synchronize
    } else if word & 0xfff0_ff00 == 0xf3d0_8f00 {
        // SUBS PC, LR, of which ERET is the one that subtracts 0
        Instruction::ExceptionReturn
    } else {
        Instruction::Other
    }
}
