//! A32: loads and stores, and what the coprocessor space has for caches, TLBs and system registers (DDI
//! 0487, "A32 instruction set encoding"). The condition field is evaluated by the caller, except for 0b1111,
//! which is not one.
//!
//! What T32 has in common with A32 is here too: the addresses, and all of the coprocessor space.
//!
//! [`Instruction::Other`], although it touches memory: STC and LDC, which transfer a debug register. PLD, PLDW
//! and PLI are too, because a prefetch may do nothing. RFE, and LDM with the PC and an exception return, are loads here,
//! although the mode changes after them. SRS has the banked SP of the mode that it names as its base,
//! which is register 13 here: right if the CPU is in that mode, and for others the mode is in the
//! encoding.

use super::{
    Access, Address, Encoding, Instruction, Maintenance, Offset, Shift, SystemRegister, bit, bits,
    memory, simd,
};
use crate::maintenance::{SetWayOp, VaOp};

/// What the A32 instruction `word` does if its condition holds.
pub fn a32(word: u32) -> Instruction {
    if bits(word, 31, 28) == 0b1111 {
        return match word & 0xffff_fff0 {
            // ISB
            0xf57f_f060 => Instruction::Synchronize,
            _ => memory(unconditional(word)),
        };
    }
    match bits(word, 27, 25) {
        0b000 if bit(word, 7) && bit(word, 4) => memory(if bits(word, 6, 5) != 0b00 {
            extra(word)
        } else {
            synchronization(word)
        }),
        0b000 | 0b001 => data_processing_and_miscellaneous(word),
        0b010 => memory(word_or_byte(
            word,
            immediate_offset(word, bits(word, 11, 0)),
        )),
        // The rest is "Media instructions".
        0b011 if !bit(word, 4) => {
            let (kind, amount) = (bits(word, 6, 5), bits(word, 11, 7));
            memory(word_or_byte(
                word,
                register_offset(word, shift(kind, amount)),
            ))
        }
        0b100 => memory(load_store_multiple(word)),
        0b110 | 0b111 => coprocessor(word, AArch32::A32),
        _ => Instruction::Other,
    }
}

/// The two instruction sets of AArch32.
#[derive(Clone, Copy)]
pub(super) enum AArch32 {
    A32,
    T32,
}

impl AArch32 {
    /// `offset` from `base`; from the PC if that is r15, which is aligned if the offset is a constant. r15 as the index
    /// is UNPREDICTABLE.
    pub(super) fn address(self, base: u8, offset: Offset) -> Option<Address> {
        let ahead = match self {
            AArch32::A32 => 8,
            AArch32::T32 => 4,
        };
        match (base, offset) {
            (15, Offset::Immediate(offset)) => Some(Address::Literal {
                offset: ahead + offset,
                aligned: true,
            }),
            (_, Offset::Register { index: 15, .. }) => None,
            (
                15,
                Offset::Register {
                    index,
                    shift,
                    subtract,
                },
            ) => Some(Address::Table {
                ahead: ahead as u8,
                index,
                shift,
                subtract,
            }),
            _ => Some(Address::Base { base, offset }),
        }
    }
}

/// The register whose number is in the four bits from `low`.
pub(super) const fn register(word: u32, low: u32) -> u8 {
    bits(word, low + 3, low) as u8
}

/// `offset`, negative if it does not go `up`: the U bit of the encoding.
pub(super) fn up_or_down(up: bool, offset: u32) -> Offset {
    let offset = i64::from(offset);
    Offset::Immediate(if up { offset } else { -offset })
}

/// Where LDM, STM, RFE or SRS of `len` bytes begins, relative to its base: `before` and `up` are the P
/// and U bits of the encoding.
pub(super) fn multiple(before: bool, up: bool, len: u32) -> Offset {
    match (before, up) {
        (false, true) => Offset::Immediate(0),
        (true, true) => Offset::Immediate(4),
        (true, false) => up_or_down(false, len),
        (false, false) => up_or_down(false, len - 4),
    }
}

/// DecodeImmShift() of DDI 0487.
pub(super) const fn shift(kind: u32, amount: u32) -> Shift {
    let right = if amount == 0 { 32 } else { amount as u8 };
    match (kind, amount) {
        (0b00, _) => Shift::Left(amount as u8),
        (0b01, _) => Shift::Right(right),
        (0b10, _) => Shift::ArithmeticRight(right),
        (_, 0) => Shift::RotateThroughCarry,
        _ => Shift::Rotate(right),
    }
}

/// `offset` with the sign that U gives it, or 0 if the instruction is post-indexed: P is clear.
fn immediate_offset(word: u32, offset: u32) -> Offset {
    let indexed = bit(word, 24);
    up_or_down(bit(word, 23), if indexed { offset } else { 0 })
}

/// Rm with the sign that U gives it, or 0 if the instruction is post-indexed: P is clear.
fn register_offset(word: u32, shift: Shift) -> Offset {
    if !bit(word, 24) {
        return Offset::Immediate(0);
    }
    Offset::Register {
        index: register(word, 0),
        shift,
        subtract: !bit(word, 23),
    }
}

/// "Load/Store Word, Unsigned Byte (immediate, literal)" and "(register)".
fn word_or_byte(word: u32, offset: Offset) -> Option<Access> {
    let len = if bit(word, 22) { 1 } else { 4 };
    let address = AArch32::A32.address(register(word, 16), offset)?;
    Some(Access::new(bit(word, 20), address, len))
}

/// "Extra load/store": halfwords, signed bytes, doublewords.
fn extra(word: u32) -> Option<Access> {
    let (load, len) = match (bit(word, 20), bits(word, 6, 5)) {
        (load, 0b01) => (load, 2),
        (true, 0b10) => (true, 1),
        (true, _) => (true, 2),
        // LDRD and STRD, where L does not say which
        (false, 0b10) => (true, 8),
        (false, _) => (false, 8),
    };
    let offset = if bit(word, 22) {
        immediate_offset(word, bits(word, 11, 8) << 4 | bits(word, 3, 0))
    } else {
        register_offset(word, Shift::Left(0))
    };
    let address = AArch32::A32.address(register(word, 16), offset)?;
    Some(Access::new(load, address, len))
}

/// "Synchronization primitives and Load-Acquire/Store-Release", and SWP and SWPB, which Armv8 has
/// dropped.
fn synchronization(word: u32) -> Option<Access> {
    let address = AArch32::A32.address(register(word, 16), Offset::Immediate(0))?;
    if word & 0x0fb0_0000 == 0x0100_0000 {
        let len = if bit(word, 22) { 1 } else { 4 };
        return Some(Access::read_modify_write(address, len));
    }
    // Anything else without these bits is a multiplication.
    if bits(word, 24, 23) != 0b11 {
        return None;
    }
    let exclusive = bit(word, 9);
    let len = match bits(word, 22, 21) {
        0b00 => 4,
        0b01 if exclusive => 8,
        0b10 => 1,
        0b11 => 2,
        _ => return None,
    };
    let access = Access::new(bit(word, 20), address, len);
    match (exclusive, bit(word, 8)) {
        (true, _) => Some(access.exclusive()),
        // LDA, STL
        (false, false) => Some(access),
        _ => None,
    }
}

fn data_processing_and_miscellaneous(word: u32) -> Instruction {
    const ERET: u32 = 0x0160_006e;

    let writes_pc_and_flags = bit(word, 20) && register(word, 12) == 15;
    let compares = bits(word, 24, 23) == 0b10;
    let shifted_by_register = !bit(word, 25) && bit(word, 4);
    if matches!(word & 0x0ff0_00f0, 0x0140_0070 | 0x0160_0070) {
        Instruction::Call
    } else if word & 0x0fff_ffff == ERET || writes_pc_and_flags && !compares && !shifted_by_register
    {
        // The latter is SUBS PC, LR and its like.
        Instruction::ExceptionReturn
    } else {
        Instruction::Other
    }
}

fn load_store_multiple(word: u32) -> Option<Access> {
    let len = match 4 * bits(word, 15, 0).count_ones() {
        // UNPREDICTABLE
        0 => return None,
        len => len,
    };
    let offset = multiple(bit(word, 24), bit(word, 23), len);
    let address = AArch32::A32.address(register(word, 16), offset)?;
    Some(Access::new(bit(word, 20), address, len))
}

/// "Unconditional instructions".
fn unconditional(word: u32) -> Option<Access> {
    if word & 0x0f10_0000 == 0x0400_0000 {
        return simd::aarch32_structure(word, AArch32::A32);
    }
    // RFE and SRS have S and L opposite to each other.
    let load = bit(word, 20);
    if bits(word, 27, 25) != 0b100 || bit(word, 22) == load {
        return None;
    }
    let offset = multiple(bit(word, 24), bit(word, 23), 8);
    let address = AArch32::A32.address(register(word, 16), offset)?;
    Some(Access::new(load, address, 8))
}

/// "System register access, Advanced SIMD, and floating-point", which is the same in T32 and in A32
/// with a condition.
pub(super) fn coprocessor(word: u32, set: AArch32) -> Instruction {
    let coprocessor = bits(word, 11, 8) as u8;
    let to_cp15 = !bit(word, 20) && coprocessor == 15;
    let rt = register(word, 12);
    let crm = register(word, 0);
    if word & 0x0fe0_0000 == 0x0c40_0000 {
        let rt2 = register(word, 16);
        let opc1 = bits(word, 7, 4) as u8;
        match to_cp15 {
            true if rt != 15 && rt2 != 15 => written(Encoding::Mcrr(15, opc1, crm), rt, rt2),
            _ => Instruction::Other,
        }
    } else if bits(word, 27, 25) == 0b110 {
        memory(simd::vector_or_float(word, set))
    } else if bits(word, 27, 24) == 0b1110 && bit(word, 4) && to_cp15 && rt != 15 {
        let opc1 = bits(word, 23, 21) as u8;
        let opc2 = bits(word, 7, 5) as u8;
        match register(word, 16) {
            7 => MAINTENANCE
                .iter()
                .find(|row| (0, row.0, row.1) == (opc1, crm, opc2))
                .map_or(Instruction::Other, |row| row.2.with(rt)),
            8 => Instruction::Tlb,
            crn => written(Encoding::Mcr(15, opc1, crn, crm, opc2), rt, 31),
        }
    } else {
        Instruction::Other
    }
}

fn written(name: Encoding, rt: u8, rt2: u8) -> Instruction {
    Instruction::SystemWrite(SystemRegister { name, rt, rt2 })
}

/// Cache maintenance: CRm and opc2 of MCR to p15 with opc1 0 and CRn 7.
#[rustfmt::skip]
const MAINTENANCE: [(u8, u8, Maintenance); 11] = {
    use Maintenance::{ByVa, InstructionCache, SetWay, Synchronize};
    use SetWayOp::{Cisw, Csw, Isw};
    use VaOp::{Civac, Cvac, Cvau, Ivac};
    [
        ( 1, 0, InstructionCache), // ICIALLUIS
        ( 5, 0, InstructionCache), // ICIALLU
        ( 5, 1, InstructionCache), // ICIMVAU
        ( 5, 4, Synchronize),      // CP15ISB
        ( 6, 1, ByVa(Ivac)),       // DCIMVAC
        ( 6, 2, SetWay(Isw)),      // DCISW
        (10, 1, ByVa(Cvac)),       // DCCMVAC
        (10, 2, SetWay(Csw)),      // DCCSW
        (11, 1, ByVa(Cvau)),       // DCCMVAU
        (14, 1, ByVa(Civac)),      // DCCIMVAC
        (14, 2, SetWay(Cisw)),     // DCCISW
    ]
};
