//! MPIDR_EL1, Multiprocessor Affinity Register; and AArch32's MPIDR, which lacks Aff3.

/// A value of MPIDR_EL1 (DDI 0487, MPIDR_EL1) or MPIDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mpidr(pub u64);

impl Mpidr {
    /// Aff3 to Aff0.
    const AFFINITY: u64 = 0xff_00ff_ffff;

    /// The affinity fields where they stand: what device trees and PSCI call the CPU by.
    #[inline]
    pub const fn affinity(self) -> u64 {
        self.0 & Self::AFFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinity_leaves_out_what_is_no_affinity() {
        // RES1, U and MT.
        assert_eq!(Mpidr(0x1_c100_0203).affinity(), 0x1_0000_0203);
        assert_eq!(Mpidr(0x8000_0001).affinity(), 1);
        assert_eq!(Mpidr(!0).affinity().count_ones(), 32);
    }
}
