//! Cache maintenance: the ops, and the operands of those by set/way.

/// A data or unified cache maintenance op by set/way, by what it does to the line (DDI 0487, DC ISW,
/// DC CSW, DC CISW, and AArch32's DCISW, DCCSW, DCCISW).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetWayOp {
    /// Invalidate.
    Isw,
    /// Clean.
    Csw,
    /// Clean and invalidate.
    Cisw,
}

impl SetWayOp {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Isw, Self::Csw, Self::Cisw];

    /// It writes dirty data back.
    pub const fn cleans(self) -> bool {
        matches!(self, Self::Csw | Self::Cisw)
    }

    /// The line is not valid afterwards.
    pub const fn invalidates(self) -> bool {
        matches!(self, Self::Isw | Self::Cisw)
    }
}

/// Whether an instruction of A64 is an op on data by set/way.
pub const fn is_set_way_a64(instruction: u32) -> bool {
    matches!(instruction & !0x1f, 0xd508_7640 | 0xd508_7a40 | 0xd508_7e40)
}

/// Whether an instruction of T32 is one, by its halfwords. One of A32 differs in its first four bits, the condition, only.
pub const fn is_set_way_t32(first: u16, second: u16) -> bool {
    first & 0xfff == 0xe07 && matches!(second & 0xfff, 0xf56 | 0xf5a | 0xf5e)
}

/// What a payload says that finds one UNDEFINED where no case expects it.
pub const REFUSED: &str = "an op by set/way is UNDEFINED: the hypervisor refuses such maintenance";

/// A data or unified cache maintenance op by VA, by what it does to the line (DDI 0487, DC IVAC,
/// DC CVAC, DC CVAU, DC CIVAC, and AArch32's DCIMVAC, DCCMVAC, DCCMVAU, DCCIMVAC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VaOp {
    /// Invalidate to the point of coherency.
    Ivac,
    /// Clean to the point of coherency.
    Cvac,
    /// Clean to the point of unification.
    Cvau,
    /// Clean and invalidate to the point of coherency.
    Civac,
}

impl VaOp {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ivac, Self::Cvac, Self::Cvau, Self::Civac];

    /// It writes dirty data back.
    pub const fn cleans(self) -> bool {
        !matches!(self, Self::Ivac)
    }

    /// The line is not valid afterwards.
    pub const fn invalidates(self) -> bool {
        matches!(self, Self::Ivac | Self::Civac)
    }
}

/// The shape of one cache, as ops by set/way address it. [`Ccsidr`](crate::registers::Ccsidr) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Binary logarithm of the line's bytes.
    pub line_shift: u32,
    /// The number of the last set.
    pub last_set: u32,
    /// The number of the last way.
    pub last_way: u32,
}

/// What the operand of an op by set/way names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The level of the cache, from 1.
    pub level: u32,
    /// The set.
    pub set: u32,
    /// The way.
    pub way: u32,
}

impl Geometry {
    /// Bytes of a line.
    pub const fn line_size(self) -> u64 {
        1 << self.line_shift
    }

    /// How many sets there are.
    pub const fn sets(self) -> u32 {
        self.last_set + 1
    }

    /// How many ways there are.
    pub const fn ways(self) -> u32 {
        self.last_way + 1
    }

    /// The operand with which an op by set/way reaches a line of this cache, in AArch64 and in AArch32 (DDI
    /// 0487, DC ISW and DCISW): Way in the uppermost bits of the low word that hold every way's number,
    /// Set right above the bits of an address within a line, Level less one in bits 3:1.
    ///
    /// Level 0 is taken for level 1, so that CLIDR_EL1.LoC may be passed where there is no cache to be
    /// maintained. A set or way that the cache does not have gives an operand that is UNPREDICTABLE to use.
    #[inline]
    pub const fn operand(self, level: u32, set: u32, way: u32) -> u64 {
        let way = match self.way_shift() {
            Some(shift) => (way as u64) << shift,
            None => 0,
        };
        way | (set as u64) << self.line_shift | (level.saturating_sub(1) as u64) << 1
    }

    /// What `operand` names, if its level is one with a cache of this shape.
    pub const fn place(self, operand: u64) -> Place {
        let word = operand as u32;
        Place {
            level: (word >> 1 & 7) + 1,
            set: word >> self.line_shift & (self.sets().next_power_of_two() - 1),
            way: match self.way_shift() {
                Some(shift) => word >> shift,
                None => 0,
            },
        }
    }

    /// The lowest bit of Way: 32 - Log2(ways), rounded. `None` if there is one way, which needs no bit.
    const fn way_shift(self) -> Option<u32> {
        match self.last_way {
            0 => None,
            last => Some(last.leading_zeros()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The level 2 cache of a Cortex-A57: 2 MiB in 16 ways of 64-byte lines.
    const A57: Geometry = Geometry {
        line_shift: 6,
        last_set: 2047,
        last_way: 15,
    };

    /// Operands by hand, from the manual's figure of DC CISW.
    #[test]
    fn operands_by_hand() {
        assert_eq!(A57.operand(2, 0, 0), 0x0000_0002);
        assert_eq!(A57.operand(2, 1, 0), 0x0000_0042);
        assert_eq!(A57.operand(2, 2047, 15), 0xf001_ffc2);
        assert_eq!(A57.operand(0, 3, 1), A57.operand(1, 3, 1));
        // Three ways need two bits, one way needs none.
        let three = Geometry { last_way: 2, ..A57 };
        assert_eq!(three.operand(1, 0, 2), 0x8000_0000);
        let one = Geometry { last_way: 0, ..A57 };
        assert_eq!(one.operand(3, 5, 0), 5 << 6 | 2 << 1);
    }

    proptest! {
        #[test]
        fn an_operand_names_what_it_was_made_of(
            level in 1u32..=7,
            line_shift in 4u32..=8,
            (last_set, set) in (0u32..4096).prop_flat_map(|last| (Just(last), 0..=last)),
            (last_way, way) in (0u32..64).prop_flat_map(|last| (Just(last), 0..=last)),
        ) {
            let cache = Geometry { line_shift, last_set, last_way };
            let operand = cache.operand(level, set, way);
            prop_assert!(u32::try_from(operand).is_ok());
            prop_assert_eq!(operand & 1, 0);
            prop_assert_eq!(cache.place(operand), Place { level, set, way });
        }
    }

    /// DC ISW destroys what is dirty, DC CSW keeps the line: the two that must not be mixed up.
    #[test]
    fn ops_do_what_their_names_say() {
        assert_eq!(SetWayOp::ALL.map(SetWayOp::cleans), [false, true, true]);
        assert_eq!(
            SetWayOp::ALL.map(SetWayOp::invalidates),
            [true, false, true]
        );
        assert_eq!(VaOp::ALL.map(VaOp::cleans), [false, true, true, true]);
        assert_eq!(VaOp::ALL.map(VaOp::invalidates), [true, false, false, true]);
    }
}
