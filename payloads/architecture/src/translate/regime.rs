//! Translation regimes: which registers, in which layout, speak for an access's stage 1, and whether
//! a stage 2 follows it.

use super::{Context, Registers};
use crate::registers::{Hcr, Sctlr};

/// Stage 1 of the regime that an access is made in. Registers go by the names of EL1's.
pub struct Regime {
    pub sctlr: Sctlr,
    /// TTBCR in AArch32.
    pub tcr: u64,
    pub ttbr: [u64; 2],
    pub mair: u64,
    pub format: Format,
    /// Stage 1 translates.
    pub enabled: bool,
    /// Without translation, everything is Write-Back: HCR_EL2.DC.
    pub default_cacheable: bool,
    /// Stage 2 translates.
    pub nested: bool,
}

/// Layout of TCR, and format of the tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// AArch64: a range of addresses from 0 up, in TTBR0, and one from the top down, in TTBR1.
    TwoRanges,
    /// AArch64: TTBR0 only.
    OneRange,
    /// AArch32 with long descriptors.
    Long,
    /// AArch32 with short descriptors.
    Short,
}

/// TTBCR.EAE: descriptors are long.
const EAE: u64 = 1 << 31;

impl Regime {
    /// The regime of accesses made in `context` (TranslationRegime()), or `None` if it is not covered.
    pub fn of(registers: &Registers, context: Context) -> Option<Self> {
        let is_host = registers.hcr().contains(Hcr::E2H | Hcr::TGE);
        match (context.el, context.aarch64) {
            (0, _) if is_host => Some(Self::el2(registers)),
            (0 | 1, true) => Some(Self::el10(registers, Format::TwoRanges)),
            (0 | 1, false) if registers.tcr_el1 & EAE != 0 => {
                Some(Self::el10(registers, Format::Long))
            }
            (0 | 1, false) => Some(Self::el10(registers, Format::Short)),
            (2, true) => Some(Self::el2(registers)),
            _ => None,
        }
    }

    /// EL1&0. HCR_EL2.DC and TGE turn its stage 1 off (AArch64.S1Enabled()).
    fn el10(registers: &Registers, format: Format) -> Self {
        let (hcr, sctlr) = (registers.hcr(), registers.sctlr_el1());
        Self {
            sctlr,
            tcr: registers.tcr_el1,
            ttbr: [registers.ttbr0_el1, registers.ttbr1_el1],
            mair: registers.mair_el1,
            format,
            enabled: sctlr.contains(Sctlr::M) && !hcr.intersects(Hcr::DC | Hcr::TGE),
            default_cacheable: hcr.contains(Hcr::DC),
            nested: hcr.intersects(Hcr::VM | Hcr::DC),
        }
    }

    /// EL2, or EL2&0 of a host.
    fn el2(registers: &Registers) -> Self {
        let sctlr = registers.sctlr_el2();
        Self {
            sctlr,
            tcr: registers.tcr_el2,
            ttbr: [registers.ttbr0_el2, registers.ttbr1_el2],
            mair: registers.mair_el2,
            format: if registers.hcr().contains(Hcr::E2H) {
                Format::TwoRanges
            } else {
                Format::OneRange
            },
            enabled: sctlr.contains(Sctlr::M),
            default_cacheable: false,
            nested: false,
        }
    }
}
