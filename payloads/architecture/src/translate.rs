//! Address translation and memory attributes, as the architecture's pseudocode has them (DDI 0487,
//! AArch64.TranslateAddress() and AArch32.TranslateAddress()).
//!
//! It answers for accesses that the CPU does make. So it does not look for what would only stop one:
//! permissions, domains, access flags, alignment, and the sizes in ID_AA64MMFR0_EL1.PARange and
//! TCR_ELx.IPS. Bits that do not change where an address leads or how that is cached are ignored:
//! hierarchical attributes, the contiguous hint, hardware updates of descriptors.
//!
//! Not covered: addresses of more than 48 bits (FEAT_LPA, FEAT_LVA, FEAT_LPA2), 128-bit descriptors,
//! MAIR2_ELx, and the regimes of EL3 and of AArch32 Hyp mode.

mod attributes;
mod long;
mod range;
mod regime;
mod short;
mod stage1;
mod stage2;
mod walks;

use crate::registers::{Hcr, Sctlr};
use attributes::Attributes;
pub use attributes::Memory;
use regime::Regime;
use stage2::IpaSpace;

/// The registers that govern translation on one CPU.
///
/// AArch32 registers are where the architecture maps them: TTBCR in TCR_EL1\[31:0\] and TTBCR2 in
/// \[63:32\], PRRR or MAIR0 in MAIR_EL1\[31:0\], NMRR or MAIR1 in \[63:32\], SCTLR and TTBRn in their
/// namesakes. Where EL2 is missing or not enabled, its registers are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// SCTLR_EL1: of it M, C, I, EE, and TRE in AArch32.
    pub sctlr_el1: u64,
    /// TTBR0_EL1.
    pub ttbr0_el1: u64,
    /// TTBR1_EL1.
    pub ttbr1_el1: u64,
    /// TCR_EL1.
    pub tcr_el1: u64,
    /// MAIR_EL1.
    pub mair_el1: u64,
    /// SCTLR_EL2: of it M, C, I and EE, the last of which also governs stage 2.
    pub sctlr_el2: u64,
    /// TTBR0_EL2.
    pub ttbr0_el2: u64,
    /// TTBR1_EL2, used with HCR_EL2.E2H only.
    pub ttbr1_el2: u64,
    /// TCR_EL2, whose layout HCR_EL2.E2H chooses.
    pub tcr_el2: u64,
    /// MAIR_EL2.
    pub mair_el2: u64,
    /// HCR_EL2: of it VM, DC, TGE, CD, ID, E2H and FWB.
    pub hcr_el2: u64,
    /// VTCR_EL2.
    pub vtcr_el2: u64,
    /// VTTBR_EL2.
    pub vttbr_el2: u64,
}

impl Registers {
    fn hcr(&self) -> Hcr {
        Hcr::from_bits_retain(self.hcr_el2)
    }

    fn sctlr_el1(&self) -> Sctlr {
        Sctlr::from_bits_retain(self.sctlr_el1)
    }

    fn sctlr_el2(&self) -> Sctlr {
        Sctlr::from_bits_retain(self.sctlr_el2)
    }
}

/// The exception level and state in which an access is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The exception level.
    pub el: u8,
    /// The level that controls stage 1 uses AArch64; for EL0 that is EL1, or EL2 of a VHE host.
    pub aarch64: bool,
}

/// What an access is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Loads, stores and cache maintenance.
    Data,
    /// Fetches of instructions.
    Fetch,
}

/// The reading of one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The descriptor's physical address.
    pub pa: u64,
    /// Its length in bytes: 4 for short descriptors, otherwise 8.
    pub len: u8,
    /// How the walker reads it.
    pub memory: Memory,
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address.
    pub pa: u64,
    /// What an access of this kind sees there.
    pub memory: Memory,
    /// How many bytes, a power of two, the aligned block around the virtual address has in which the
    /// same holds: 4 KiB or more, and up to the whole address space where nothing is translated.
    pub span: u64,
}

/// An address leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stage 2 says so, of the address or of one of stage 1's tables.
    pub stage2: bool,
    /// The level of the table that ends the walk; 0 also if none was looked at.
    pub level: u8,
}

/// Translates `va`.
///
/// `read` gives the descriptor at a physical address, its bytes put together in little-endian order
/// whatever the tables' endianness; `None` where there is no memory, which is a fault. It is called for
/// every descriptor in the order in which a walker without caches of its own reads them: before each
/// of stage 1's come those of stage 2 that lead to it.
///
/// EL3 and AArch32 Hyp mode are taken for flat Non-cacheable memory.
pub fn translate(
    registers: &Registers,
    context: Context,
    kind: Kind,
    va: u64,
    read: &mut dyn FnMut(Step) -> Option<u64>,
) -> Result<Translation, Fault> {
    let output = match Regime::of(registers, context) {
        Some(regime) => {
            let mut ipas = IpaSpace::new(registers, &regime, read)?;
            let ipa = stage1::translate(&regime, kind, va, &mut ipas)?;
            ipas.translate(ipa, kind.into())?
        }
        None => Output {
            address: va,
            attributes: Attributes::NON_CACHEABLE,
            span: 1 << ADDRESS_BITS,
        },
    };
    Ok(Translation {
        pa: output.address,
        memory: output.attributes.memory(),
        span: output.span,
    })
}

impl Fault {
    const fn stage1(level: u8) -> Self {
        Self {
            stage2: false,
            level,
        }
    }

    const fn stage2(level: u8) -> Self {
        Self {
            stage2: true,
            level,
        }
    }
}

/// Size of the largest addresses that are covered, and of AArch32's virtual ones.
const ADDRESS_BITS: u32 = 48;
const AARCH32_BITS: u32 = 32;

/// What a stage makes of an address.
#[derive(Clone, Copy)]
struct Output {
    address: u64,
    attributes: Attributes,
    /// As in [`Translation`].
    span: u64,
}

/// What memory is accessed for, once walkers are counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Data,
    Fetch,
    Walk,
}

impl From<Kind> for Purpose {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Data => Purpose::Data,
            Kind::Fetch => Purpose::Fetch,
        }
    }
}

/// Bits `high` to `low` of `value`.
fn bits(value: u64, high: u32, low: u32) -> u64 {
    value << (63 - high) >> (63 - high + low)
}
