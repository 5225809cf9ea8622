//! CTR_EL0, Cache Type Register; and AArch32's CTR, which has the same fields.

/// A value of CTR_EL0 (DDI 0487, CTR_EL0) or CTR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ctr(pub u64);

impl Ctr {
    /// The lowest bit of IminLine, which has four.
    pub const IMIN_LINE_SHIFT: u32 = 0;
    /// The lowest bit of DminLine, which has four.
    pub const DMIN_LINE_SHIFT: u32 = 16;

    /// Bytes of the smallest line of all instruction caches, from IminLine, the binary logarithm of its words.
    #[inline]
    pub const fn instruction_line(self) -> u64 {
        4 << (self.0 >> Self::IMIN_LINE_SHIFT & 0xf)
    }

    /// Bytes of the smallest line of all data and unified caches, from DminLine, the binary logarithm of its
    /// words.
    #[inline]
    pub const fn data_line(self) -> u64 {
        4 << (self.0 >> Self::DMIN_LINE_SHIFT & 0xf)
    }

    /// IDC: what is stored need not be cleaned to the point of unification to be fetched.
    pub const fn idc(self) -> bool {
        self.0 & 1 << 28 != 0
    }

    /// DIC: what is stored need not be invalidated to the point of unification to be fetched.
    pub const fn dic(self) -> bool {
        self.0 & 1 << 29 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Cortex-A57 and Neoverse N1 (their Technical Reference Manuals, CTR_EL0).
    #[test]
    fn values_of_real_cpus() {
        let a57 = Ctr(0x8444_c004);
        assert_eq!((a57.instruction_line(), a57.data_line()), (64, 64));
        assert!(!a57.idc() && !a57.dic());
        let n1 = Ctr(0xb444_c004);
        assert!(n1.idc() && n1.dic());
    }

    #[test]
    fn fields_stand_apart() {
        let ctr = Ctr(3 << 16 | 5);
        assert_eq!((ctr.instruction_line(), ctr.data_line()), (128, 32));
        assert!(Ctr(1 << 28).idc() && !Ctr(1 << 28).dic());
    }
}
