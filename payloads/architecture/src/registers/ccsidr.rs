//! CCSIDR_EL1, Current Cache Size ID Register; and AArch32's CCSIDR and CCSIDR2.

use crate::maintenance::Geometry;

/// A value of CCSIDR_EL1 (DDI 0487, CCSIDR_EL1); or of AArch32's CCSIDR, with CCSIDR2, where there is one, in
/// bits 63:32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ccsidr(pub u64);

/// Which of its two formats the register has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CcsidrFormat {
    /// Up to 32768 sets and 1024 ways.
    Narrow,
    /// FEAT_CCIDX: up to 16777216 sets and 2097152 ways.
    Wide,
}

impl CcsidrFormat {
    /// From ID_AA64MMFR2_EL1.CCIDX.
    pub const fn from_id_aa64mmfr2(id: u64) -> Self {
        Self::from_ccidx(id >> 20)
    }

    /// From ID_MMFR4.CCIDX, AArch32's. With it there is CCSIDR2.
    pub const fn from_id_mmfr4(id: u64) -> Self {
        Self::from_ccidx(id >> 24)
    }

    const fn from_ccidx(field: u64) -> Self {
        if field & 0xf == 0 {
            Self::Narrow
        } else {
            Self::Wide
        }
    }
}

impl Ccsidr {
    /// The shape of the cache: LineSize, Associativity and NumSets.
    pub const fn geometry(self, format: CcsidrFormat) -> Geometry {
        let (last_way, last_set) = match format {
            CcsidrFormat::Narrow => (self.0 >> 3 & 0x3ff, self.0 >> 13 & 0x7fff),
            CcsidrFormat::Wide => (self.0 >> 3 & 0x1f_ffff, self.0 >> 32 & 0xff_ffff),
        };
        Geometry {
            line_shift: (self.0 & 7) as u32 + 4,
            last_set: last_set as u32,
            last_way: last_way as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a Cortex-A57's level 2 cache of 2 MiB (its Technical Reference Manual, CCSIDR_EL1).
    #[test]
    fn the_level_2_cache_of_a_cortex_a57() {
        let shape = Ccsidr(0x70ff_e07a).geometry(CcsidrFormat::Narrow);
        assert_eq!(
            (shape.sets(), shape.ways(), shape.line_size()),
            (2048, 16, 64)
        );
    }

    #[test]
    fn the_wide_format_moves_sets_up() {
        let shape = Ccsidr(1023 << 32 | 11 << 3 | 2).geometry(CcsidrFormat::Wide);
        assert_eq!(
            (shape.sets(), shape.ways(), shape.line_size()),
            (1024, 12, 64)
        );
    }

    #[test]
    fn id_registers_tell_which() {
        assert_eq!(CcsidrFormat::from_id_aa64mmfr2(1 << 20), CcsidrFormat::Wide);
        assert_eq!(
            CcsidrFormat::from_id_aa64mmfr2(!(0xf << 20)),
            CcsidrFormat::Narrow
        );
        assert_eq!(CcsidrFormat::from_id_mmfr4(1 << 24), CcsidrFormat::Wide);
        assert_eq!(
            CcsidrFormat::from_id_mmfr4(!(0xf << 24)),
            CcsidrFormat::Narrow
        );
    }
}
