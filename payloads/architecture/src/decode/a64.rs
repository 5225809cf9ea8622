//! A64: "Loads and stores", and what "Branches, exception generating and system instructions" has for
//! caches, TLBs, system registers and exception levels (DDI 0487, "A64 instruction set encoding").
//!
//! Covered are Armv8.0 to Armv8.2, LSE atomics, LDAPR and LDAPUR, and the MTE ops of DC that act on
//! data. [`Instruction::Other`], although they matter: SVE, SME and MOPS, whose lengths are not in the
//! instruction; LDRAA and LDRAB, whose address is authenticated first; MTE's loads and stores of tags,
//! some of which (STZG, STGP) store data as well; and what is younger, such as LD64B, MSRR, TLBIP, and
//! the DC ops to the outer cache or of physical addresses. PRFM is too, because a prefetch may do
//! nothing, and so are DC ops for tags alone, which leave data where it is.

use super::{
    Access, Address, Encoding, Instruction, Maintenance, Offset, Shift, SystemRegister, bit, bits,
    memory, signed, simd,
};
use crate::maintenance::{SetWayOp, VaOp};

/// What the A64 instruction `word` does.
pub fn a64(word: u32) -> Instruction {
    match bits(word, 28, 25) {
        0b0100 | 0b0110 | 0b1100 | 0b1110 => CLASSES
            .iter()
            .find(|class| word & class.mask == class.value)
            .map_or(Instruction::Other, |class| memory((class.decode)(word))),
        0b1010 | 0b1011 => system(word),
        _ => Instruction::Other,
    }
}

/// One class of "Loads and stores".
struct Class {
    mask: u32,
    value: u32,
    decode: fn(u32) -> Option<Access>,
}

const fn class(mask: u32, value: u32, decode: fn(u32) -> Option<Access>) -> Class {
    Class {
        mask,
        value,
        decode,
    }
}

/// "Loads and stores", in the manual's order. No two match the same word.
#[rustfmt::skip]
const CLASSES: [Class; 15] = [
    // Advanced SIMD load/store multiple structures, and the same post-indexed
    class(0xbfbf_0000, 0x0c00_0000, simd::a64_multiple),
    class(0xbfa0_0000, 0x0c80_0000, simd::a64_multiple),
    // Advanced SIMD load/store single structure, and the same post-indexed
    class(0xbf9f_0000, 0x0d00_0000, simd::a64_single),
    class(0xbf80_0000, 0x0d80_0000, simd::a64_single),
    // Load/store exclusive pair, exclusive register, ordered; Compare and swap (pair)
    class(0x3f00_0000, 0x0800_0000, exclusive_or_ordered),
    // LDAPR/STLR (unscaled immediate)
    class(0x3f20_0c00, 0x1900_0000, |word| offset(word, signed(word, 20, 12))),
    // Load register (literal)
    class(0x3b00_0000, 0x1800_0000, literal),
    // Load/store no-allocate pair; register pair (post-indexed, offset, pre-indexed)
    class(0x3a00_0000, 0x2800_0000, pair),
    // Load/store register (unscaled immediate), (immediate post-indexed), (unprivileged), and
    // (immediate pre-indexed)
    class(0x3b20_0c00, 0x3800_0000, |word| offset(word, signed(word, 20, 12))),
    class(0x3b20_0c00, 0x3800_0400, |word| offset(word, 0)),
    class(0x3f20_0c00, 0x3800_0800, |word| offset(word, signed(word, 20, 12))),
    class(0x3b20_0c00, 0x3800_0c00, |word| offset(word, signed(word, 20, 12))),
    // Atomic memory operations
    class(0x3f20_0c00, 0x3820_0000, atomic),
    // Load/store register (register offset)
    class(0x3b20_0c00, 0x3820_0800, register_offset),
    // Load/store register (unsigned immediate)
    class(0x3b00_0000, 0x3900_0000, scaled_offset),
];

/// The register whose number is in the five bits from `low`.
pub(super) const fn register(word: u32, low: u32) -> u8 {
    bits(word, low + 4, low) as u8
}

/// The address that every class but the literals begins with: Rn, plus an immediate.
pub(super) const fn base(word: u32, offset: i64) -> Address {
    Address::Base {
        base: register(word, 5),
        offset: Offset::Immediate(offset),
    }
}

/// "Load/store register": whether `size`, V and `opc` say load, and the logarithm of the length.
const fn load_and_scale(word: u32) -> Option<(bool, u32)> {
    let size = bits(word, 31, 30);
    match (bit(word, 26), size, bits(word, 23, 22)) {
        (_, _, 0b00) => Some((false, size)),
        (_, _, 0b01) => Some((true, size)),
        // Sign-extended to 64 or to 32 bits; PRFM would be a 64-bit register extended to 64 bits.
        (false, 0..=2, 0b10) | (false, 0..=1, 0b11) => Some((true, size)),
        // A Q register
        (true, 0, opc) => Some((opc == 0b11, 4)),
        _ => None,
    }
}

fn offset(word: u32, offset: i64) -> Option<Access> {
    let (load, scale) = load_and_scale(word)?;
    Some(Access::new(load, base(word, offset), 1 << scale))
}

fn scaled_offset(word: u32) -> Option<Access> {
    let (_, scale) = load_and_scale(word)?;
    offset(word, i64::from(bits(word, 21, 10) << scale))
}

fn register_offset(word: u32) -> Option<Access> {
    let (load, scale) = load_and_scale(word)?;
    let amount = if bit(word, 12) { scale as u8 } else { 0 };
    let shift = match bits(word, 15, 13) {
        0b010 => Shift::UnsignedWord(amount),
        0b110 => Shift::SignedWord(amount),
        0b011 | 0b111 => Shift::Left(amount),
        _ => return None,
    };
    let address = Address::Base {
        base: register(word, 5),
        offset: Offset::Register {
            index: register(word, 16),
            shift,
            subtract: false,
        },
    };
    Some(Access::new(load, address, 1 << scale))
}

fn literal(word: u32) -> Option<Access> {
    let len = match (bit(word, 26), bits(word, 31, 30)) {
        (false, 0b00) => 4,
        (false, 0b01) => 8,
        // LDRSW
        (false, 0b10) => 4,
        // PRFM
        (false, _) => return None,
        (true, 0b11) => return None,
        (true, opc) => 4 << opc,
    };
    let address = Address::Literal {
        offset: signed(word, 23, 5) * 4,
        aligned: false,
    };
    Some(Access::new(true, address, len))
}

fn pair(word: u32) -> Option<Access> {
    let load = bit(word, 22);
    let index = bits(word, 24, 23);
    let scale = match (bit(word, 26), bits(word, 31, 30)) {
        (false, 0b00) => 2,
        (false, 0b10) => 3,
        // LDPSW; the store is STGP, and there is neither without allocation.
        (false, 0b01) if load && index != 0b00 => 2,
        (false, _) | (true, 0b11) => return None,
        (true, opc) => 2 + opc,
    };
    let offset = match index {
        0b01 => 0,
        _ => signed(word, 21, 15) << scale,
    };
    Some(Access::new(load, base(word, offset), 2 << scale))
}

fn exclusive_or_ordered(word: u32) -> Option<Access> {
    let size = bits(word, 31, 30);
    let load = bit(word, 22);
    let pair = bit(word, 21);
    let no_second = register(word, 10) == 31;
    let address = base(word, 0);
    match (bit(word, 23), pair) {
        // LDXR, STXR and their acquire and release forms
        (false, false) => Some(Access::new(load, address, 1 << size).exclusive()),
        // LDXP, STXP
        (false, true) if size >= 2 => Some(Access::new(load, address, 2 << size).exclusive()),
        // CASP, whose size is in bit 30 alone
        (false, true) if no_second => Some(Access::read_modify_write(address, 8 << size)),
        // LDAR, STLR, LDLAR, STLLR
        (true, false) => Some(Access::new(load, address, 1 << size)),
        // CAS
        (true, true) if no_second => Some(Access::read_modify_write(address, 1 << size)),
        _ => None,
    }
}

fn atomic(word: u32) -> Option<Access> {
    let len = 1 << bits(word, 31, 30);
    let ordering = bits(word, 23, 22);
    match (bit(word, 15), bits(word, 14, 12)) {
        // LDADD, LDCLR, LDEOR, LDSET, LDSMAX, LDSMIN, LDUMAX, LDUMIN; SWP
        (false, _) | (true, 0b000) => Some(Access::read_modify_write(base(word, 0), len)),
        // LDAPR
        (true, 0b100) if ordering == 0b10 => Some(Access::new(true, base(word, 0), len)),
        _ => None,
    }
}

/// "Branches, exception generating and system instructions".
fn system(word: u32) -> Instruction {
    const ERET: u32 = 0xd69f_03e0;
    const ERETAA: u32 = 0xd69f_0bff;
    const ERETAB: u32 = 0xd69f_0fff;

    let rt = register(word, 0);
    let op1 = bits(word, 18, 16);
    let crn = bits(word, 15, 12);
    let crm = bits(word, 11, 8);
    let op2 = bits(word, 7, 5);
    if matches!(word, ERET | ERETAA | ERETAB) {
        Instruction::ExceptionReturn
    } else if matches!(word & 0xffe0_001f, 0xd400_0002 | 0xd400_0003) {
        Instruction::Call
    } else if word & 0xffe0_001f == 0xd400_0001 {
        Instruction::SystemCall(bits(word, 20, 5) as u16)
    } else if word & 0xffff_f0ff == 0xd503_30df {
        Instruction::Synchronize
    } else if word & 0xfff8_f01f == 0xd500_401f {
        match (op1, op2) {
            // CFINV, XAFLAG, AXFLAG: flags only
            (0b000, 0b000..=0b010) => Instruction::Other,
            _ => written(Encoding::Pstate, 31),
        }
    } else if word & 0xfff8_0000 == 0xd508_0000 {
        match crn {
            7 => MAINTENANCE
                .iter()
                .find(|row| (row.0, row.1, row.2) == (op1, crm, op2))
                .map_or(Instruction::Other, |row| row.3.with(rt)),
            // TLBI, and TLBI nXS
            8 | 9 => Instruction::Tlb,
            _ => Instruction::Other,
        }
    } else if word & 0xfff0_0000 == 0xd510_0000 {
        let op0 = bits(word, 20, 19);
        let [op0, op1, crn, crm, op2] = [op0, op1, crn, crm, op2].map(|field| field as u8);
        written(Encoding::A64(op0, op1, crn, crm, op2), rt)
    } else {
        Instruction::Other
    }
}

fn written(name: Encoding, rt: u8) -> Instruction {
    Instruction::SystemWrite(SystemRegister { name, rt, rt2: 31 })
}

/// IC and DC: op1, CRm and op2 of SYS with CRn 7. MTE's ops for tags alone are left out.
#[rustfmt::skip]
const MAINTENANCE: [(u32, u32, u32, Maintenance); 22] = {
    use Maintenance::{ByVa, InstructionCache, SetWay, Zero};
    use SetWayOp::{Cisw, Csw, Isw};
    use VaOp::{Civac, Cvac, Cvau, Ivac};
    [
        (0,  1, 0, InstructionCache), // IC IALLUIS
        (0,  5, 0, InstructionCache), // IC IALLU
        (3,  5, 1, InstructionCache), // IC IVAU
        (0,  6, 1, ByVa(Ivac)),       // DC IVAC
        (0,  6, 5, ByVa(Ivac)),       // DC IGDVAC
        (3, 10, 1, ByVa(Cvac)),       // DC CVAC
        (3, 10, 5, ByVa(Cvac)),       // DC CGDVAC
        (3, 12, 1, ByVa(Cvac)),       // DC CVAP
        (3, 12, 5, ByVa(Cvac)),       // DC CGDVAP
        (3, 13, 1, ByVa(Cvac)),       // DC CVADP
        (3, 13, 5, ByVa(Cvac)),       // DC CGDVADP
        (3, 11, 1, ByVa(Cvau)),       // DC CVAU
        (3, 14, 1, ByVa(Civac)),      // DC CIVAC
        (3, 14, 5, ByVa(Civac)),      // DC CIGDVAC
        (3,  4, 1, Zero),             // DC ZVA
        (3,  4, 4, Zero),             // DC GZVA
        (0,  6, 2, SetWay(Isw)),      // DC ISW
        (0,  6, 6, SetWay(Isw)),      // DC IGDSW
        (0, 10, 2, SetWay(Csw)),      // DC CSW
        (0, 10, 6, SetWay(Csw)),      // DC CGDSW
        (0, 14, 2, SetWay(Cisw)),     // DC CISW
        (0, 14, 6, SetWay(Cisw)),     // DC CIGDSW
    ]
};
