//! SCTLR_EL1, SCTLR_EL2, System Control Register; and AArch32's SCTLR, which SCTLR_EL1 holds.

bitflags::bitflags! {
    /// A value of SCTLR_ELx, or of AArch32's SCTLR (DDI 0487, SCTLR_EL1, SCTLR_EL2, SCTLR). Bits of one
    /// Execution state alone say so.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Sctlr: u64 {
        /// Stage 1 is on.
        const M = 1 << 0;
        /// Alignment of data accesses is checked.
        const A = 1 << 1;
        /// Data accesses and table walks may be cached.
        const C = 1 << 2;
        /// AArch64: alignment of SP is checked at the level that the register is of.
        const SA = 1 << 3;
        /// Instruction fetches may be cached.
        const I = 1 << 12;
        /// AArch32: exceptions are taken to 0xffff0000.
        const V = 1 << 13;
        /// PAN is left alone on exception entry (FEAT_PAN).
        const SPAN = 1 << 23;
        /// Data at this level is big-endian, tables included.
        const EE = 1 << 25;
        /// AArch64: EL0 may maintain caches by VA.
        const UCI = 1 << 26;
        /// AArch32: PRRR and NMRR define what TEX, C and B mean.
        const TRE = 1 << 28;
        /// AArch32: exceptions are taken in T32 state.
        const TE = 1 << 30;
        /// AArch32: PSTATE.SSBS on exception entry (FEAT_SSBS).
        const DSSBS_AARCH32 = 1 << 31;
        /// AArch64: PSTATE.SSBS on exception entry (FEAT_SSBS).
        const DSSBS = 1 << 44;
        /// AArch64: PSTATE.ALLINT is left clear on exception entry (FEAT_NMI).
        const SPINTMASK = 1 << 62;

        // The bits that have no name here are kept.
        const _ = !0;
    }
}

impl Sctlr {
    /// SCTLR_EL1 with everything off: the bits that are RES1 in Armv8.0 (DDI 0487, SCTLR_EL1: 11, 20, 22, 23,
    /// 28, 29).
    pub const EL1_RESET: Self = Self::from_bits_retain(0x30d0_0800);
    /// SCTLR_EL2 with everything off: the bits that are RES1 in Armv8.0 (DDI 0487, SCTLR_EL2: 4, 5, 11, 16, 18,
    /// 22, 23, 28, 29).
    pub const EL2_RESET: Self = Self::from_bits_retain(0x30c5_0830);
    /// AArch32's SCTLR with everything off, as a Cortex-A57 resets it: the bits that are RES1 (DDI 0487, SCTLR:
    /// 3, 4, 11, 22, 23), CP15BEN (5), nTWI (16) and nTWE (18).
    pub const AARCH32_RESET: Self = Self::from_bits_retain(0x00c5_0838);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_reset_everything_is_off() {
        let on = Sctlr::M | Sctlr::C | Sctlr::I | Sctlr::A | Sctlr::EE;
        for reset in [Sctlr::EL1_RESET, Sctlr::EL2_RESET, Sctlr::AARCH32_RESET] {
            assert!(!reset.intersects(on), "{reset:?}");
        }
    }

    #[test]
    fn reset_values_are_the_bits_that_the_manual_lists() {
        let bits = |list: &[u32]| list.iter().map(|bit| 1 << bit).sum::<u64>();
        assert_eq!(Sctlr::EL1_RESET.bits(), bits(&[11, 20, 22, 23, 28, 29]));
        assert_eq!(
            Sctlr::EL2_RESET.bits(),
            bits(&[4, 5, 11, 16, 18, 22, 23, 28, 29])
        );
        assert_eq!(
            Sctlr::AARCH32_RESET.bits(),
            bits(&[3, 4, 5, 11, 16, 18, 22, 23])
        );
    }
}
