//! The registers and ops that HCR_EL2.TVM and TSW trap, as tables.
//!
//! The lists are those of DDI 0487, HCR_EL2, TVM and TSW, for CPUs up to Armv8.2; registers that later
//! extensions add are hidden from the guest by its ID registers.

use super::esr::{Esr, ec};
use crate::maintenance::SetWayOp;

/// A trapped access as ESR_EL2 encodes it, less direction, registers and condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u32);

/// The bits of ESR_EL2 that name the register: everything that is not an operand.
const SYS64_MASK: u32 = 0xfc00_0000 | 0x3f_fc00 | 0x1e;
const CP15_RT_MASK: u32 = 0xfc00_0000 | 0x0f_fc00 | 0x1e;
const CP15_RRT_MASK: u32 = 0xfc00_0000 | 0x0f_0000 | 0x1e;

impl Key {
    /// The key of an AArch64 system register or instruction.
    pub const fn a64(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> Self {
        Self(ec::SYS64 << 26 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1)
    }

    /// The key of a 32-bit coprocessor 15 register.
    pub const fn cp15(opc1: u32, crn: u32, crm: u32, opc2: u32) -> Self {
        Self(ec::CP15_RT << 26 | opc2 << 17 | opc1 << 14 | crn << 10 | crm << 1)
    }

    /// The key of a 64-bit coprocessor 15 register.
    pub const fn cp15_64(opc1: u32, crm: u32) -> Self {
        Self(ec::CP15_RRT << 26 | opc1 << 16 | crm << 1)
    }

    /// The key of the trap that `esr` reports, if it is one of a register access.
    #[inline]
    pub const fn of(esr: Esr) -> Option<Self> {
        let mask = match esr.class() {
            ec::SYS64 => SYS64_MASK,
            ec::CP15_RT => CP15_RT_MASK,
            ec::CP15_RRT => CP15_RRT_MASK,
            _ => return None,
        };
        Some(Self(esr.0 & mask))
    }

    /// The same register read or written with `rt`, as ESR_EL2 would report it, without condition.
    pub const fn to_esr(self, rt: u32, read: bool) -> Esr {
        Esr(self.0 | 1 << 25 | rt << 5 | read as u32)
    }
}

/// A set/way op as it traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetWayTrap {
    /// Its name in the manual.
    pub name: &'static str,
    /// How it traps.
    pub key: Key,
    /// What it does to the line.
    pub op: SetWayOp,
    /// It acts on allocation tags (FEAT_MTE2), alone or with data.
    pub tags: bool,
}

const fn data(name: &'static str, op: SetWayOp, key: Key) -> SetWayTrap {
    let tags = false;
    SetWayTrap {
        name,
        key,
        op,
        tags,
    }
}

const fn tags(name: &'static str, op: SetWayOp, key: Key) -> SetWayTrap {
    SetWayTrap {
        tags: true,
        ..data(name, op, key)
    }
}

/// Every op that HCR_EL2.TSW traps.
pub static SET_WAY_OPS: [SetWayTrap; 12] = {
    use SetWayOp::{Cisw, Csw, Isw};
    [
        data("DC ISW", Isw, Key::a64(1, 0, 7, 6, 2)),
        data("DC CSW", Csw, Key::a64(1, 0, 7, 10, 2)),
        data("DC CISW", Cisw, Key::a64(1, 0, 7, 14, 2)),
        data("DCISW", Isw, Key::cp15(0, 7, 6, 2)),
        data("DCCSW", Csw, Key::cp15(0, 7, 10, 2)),
        data("DCCISW", Cisw, Key::cp15(0, 7, 14, 2)),
        tags("DC IGSW", Isw, Key::a64(1, 0, 7, 6, 4)),
        tags("DC IGDSW", Isw, Key::a64(1, 0, 7, 6, 6)),
        tags("DC CGSW", Csw, Key::a64(1, 0, 7, 10, 4)),
        tags("DC CGDSW", Csw, Key::a64(1, 0, 7, 10, 6)),
        tags("DC CIGSW", Cisw, Key::a64(1, 0, 7, 14, 4)),
        tags("DC CIGDSW", Cisw, Key::a64(1, 0, 7, 14, 6)),
    ]
};

/// The EL1 register, as EL2 reaches it in AArch64 state, that holds a VM register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the variants are the architecture's register names"
)]
pub enum Backing {
    SctlrEl1,
    Ttbr0El1,
    Ttbr1El1,
    TcrEl1,
    EsrEl1,
    FarEl1,
    Afsr0El1,
    Afsr1El1,
    MairEl1,
    AmairEl1,
    ContextidrEl1,
    Dacr32El2,
    Ifsr32El2,
}

/// Which bits of its backing register a VM register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All 64.
    Whole,
    /// Bits 31:0 of a 64-bit register, the others kept.
    Low,
    /// Bits 63:32, the others kept.
    High,
    /// Bits 31:0 of a register that has no others in AArch32 state.
    Word,
}

impl Part {
    /// The backing register's new value when `value` is written to this part of `old`.
    pub const fn insert(self, old: u64, value: u64) -> u64 {
        match self {
            Part::Whole => value,
            Part::Low => old & !0xffff_ffff | value & 0xffff_ffff,
            Part::High => value << 32 | old & 0xffff_ffff,
            Part::Word => value & 0xffff_ffff,
        }
    }

    /// What a read of this part gives of the backing register's value.
    pub const fn extract(self, value: u64) -> u64 {
        match self {
            Part::Whole => value,
            Part::Low | Part::Word => value & 0xffff_ffff,
            Part::High => value >> 32,
        }
    }
}

/// A register whose writes HCR_EL2.TVM traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VmReg {
    /// Its name in the manual.
    pub name: &'static str,
    /// How it traps.
    pub key: Key,
    /// Where it lives.
    pub backing: Backing,
    /// Which part of that.
    pub part: Part,
}

const fn reg(name: &'static str, key: Key, backing: Backing, part: Part) -> VmReg {
    VmReg {
        name,
        key,
        backing,
        part,
    }
}

/// Every register that HCR_EL2.TVM traps, as AArch64 and as AArch32 name it. The mapping of the
/// AArch32 names is that of the registers' own descriptions ("architecturally mapped to").
pub static VM_REGS: [VmReg; 30] = {
    use Backing::*;
    use Part::*;
    [
        reg("SCTLR_EL1", Key::a64(3, 0, 1, 0, 0), SctlrEl1, Whole),
        reg("TTBR0_EL1", Key::a64(3, 0, 2, 0, 0), Ttbr0El1, Whole),
        reg("TTBR1_EL1", Key::a64(3, 0, 2, 0, 1), Ttbr1El1, Whole),
        reg("TCR_EL1", Key::a64(3, 0, 2, 0, 2), TcrEl1, Whole),
        reg("AFSR0_EL1", Key::a64(3, 0, 5, 1, 0), Afsr0El1, Whole),
        reg("AFSR1_EL1", Key::a64(3, 0, 5, 1, 1), Afsr1El1, Whole),
        reg("ESR_EL1", Key::a64(3, 0, 5, 2, 0), EsrEl1, Whole),
        reg("FAR_EL1", Key::a64(3, 0, 6, 0, 0), FarEl1, Whole),
        reg("MAIR_EL1", Key::a64(3, 0, 10, 2, 0), MairEl1, Whole),
        reg("AMAIR_EL1", Key::a64(3, 0, 10, 3, 0), AmairEl1, Whole),
        reg(
            "CONTEXTIDR_EL1",
            Key::a64(3, 0, 13, 0, 1),
            ContextidrEl1,
            Whole,
        ),
        reg("SCTLR", Key::cp15(0, 1, 0, 0), SctlrEl1, Word),
        reg("TTBR0", Key::cp15(0, 2, 0, 0), Ttbr0El1, Low),
        reg("TTBR1", Key::cp15(0, 2, 0, 1), Ttbr1El1, Low),
        reg("TTBCR", Key::cp15(0, 2, 0, 2), TcrEl1, Low),
        // FEAT_AA32HPD; UNDEFINED before it.
        reg("TTBCR2", Key::cp15(0, 2, 0, 3), TcrEl1, High),
        reg("DACR", Key::cp15(0, 3, 0, 0), Dacr32El2, Word),
        reg("DFSR", Key::cp15(0, 5, 0, 0), EsrEl1, Word),
        reg("IFSR", Key::cp15(0, 5, 0, 1), Ifsr32El2, Word),
        reg("ADFSR", Key::cp15(0, 5, 1, 0), Afsr0El1, Word),
        reg("AIFSR", Key::cp15(0, 5, 1, 1), Afsr1El1, Word),
        reg("DFAR", Key::cp15(0, 6, 0, 0), FarEl1, Low),
        reg("IFAR", Key::cp15(0, 6, 0, 2), FarEl1, High),
        reg("MAIR0", Key::cp15(0, 10, 2, 0), MairEl1, Low),
        reg("MAIR1", Key::cp15(0, 10, 2, 1), MairEl1, High),
        reg("AMAIR0", Key::cp15(0, 10, 3, 0), AmairEl1, Low),
        reg("AMAIR1", Key::cp15(0, 10, 3, 1), AmairEl1, High),
        reg("CONTEXTIDR", Key::cp15(0, 13, 0, 1), ContextidrEl1, Word),
        reg("TTBR0 (64-bit)", Key::cp15_64(0, 2), Ttbr0El1, Whole),
        reg("TTBR1 (64-bit)", Key::cp15_64(1, 2), Ttbr1El1, Whole),
    ]
};

/// The index in [`SET_WAY_OPS`] of the op that `key` names.
#[inline]
pub fn set_way_op(key: Key) -> Option<usize> {
    SET_WAY_OPS.iter().position(|op| op.key == key)
}

/// How ESR_EL2 reports one op: these bits of it are so.
#[derive(Clone, Copy)]
struct Pattern {
    mask: u32,
    bits: u32,
    /// Its index in [`SET_WAY_OPS`].
    op: u8,
}

/// The ops on data, by the bits in which their patterns differ: bit 26, which is 1 for AArch32, and CRm\[3:2\].
static DATA_OPS: [Pattern; 8] = {
    // No syndrome is like this one.
    let nothing = Pattern {
        mask: 0,
        bits: 1,
        op: 0,
    };
    let mut patterns = [nothing; 8];
    let mut n = 0;
    while n < SET_WAY_OPS.len() {
        let SetWayTrap { key, tags, .. } = SET_WAY_OPS[n];
        if !tags {
            let mask = match Esr(key.0).class() {
                ec::SYS64 => SYS64_MASK,
                _ => CP15_RT_MASK,
            };
            patterns[place(key.0)] = Pattern {
                mask: mask | 1,
                bits: key.0,
                op: n as u8,
            };
        }
        n += 1;
    }
    patterns
};

#[inline(always)]
const fn place(esr: u32) -> usize {
    (esr >> 26 & 1 | (esr >> 3 & 0b11) << 1) as usize
}

/// The index in [`SET_WAY_OPS`] of the op on data that has trapped. A loop over a cache traps tens of thousands of times,
/// so this searches for nothing.
#[inline(always)]
pub fn data_op(esr: Esr) -> Option<usize> {
    let pattern = &DATA_OPS[place(esr.0)];
    (esr.0 & pattern.mask == pattern.bits).then_some(pattern.op.into())
}

/// The index in [`VM_REGS`] of the register that `key` names.
#[inline]
pub fn vm_reg(key: Key) -> Option<usize> {
    VM_REGS.iter().position(|reg| reg.key == key)
}
