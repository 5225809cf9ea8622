//! CLIDR_EL1, Cache Level ID Register; and AArch32's CLIDR, which has the same fields.

use core::ops::RangeInclusive;

/// A value of CLIDR_EL1 (DDI 0487, CLIDR_EL1) or CLIDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clidr(pub u64);

/// Ctype: which caches there are at a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheType {
    /// None, here and further on.
    None,
    /// An instruction cache alone.
    Instruction,
    /// A data cache alone.
    Data,
    /// An instruction cache and a data cache.
    Separate,
    /// A unified cache.
    Unified,
}

impl CacheType {
    /// There is a data or unified cache, which ops by set/way can maintain.
    pub const fn has_data(self) -> bool {
        matches!(self, Self::Data | Self::Separate | Self::Unified)
    }

    /// There is an instruction cache of its own.
    pub const fn has_instruction(self) -> bool {
        matches!(self, Self::Instruction | Self::Separate)
    }
}

impl Clidr {
    /// The levels that the register has room for.
    pub const LEVELS: RangeInclusive<u32> = 1..=7;

    /// Ctype1 to Ctype7: what there is at `level`, from 1. Reserved values are taken for no cache.
    pub const fn cache_type(self, level: u32) -> CacheType {
        match self.0 >> (3 * (level - 1)) & 7 {
            0b001 => CacheType::Instruction,
            0b010 => CacheType::Data,
            0b011 => CacheType::Separate,
            0b100 => CacheType::Unified,
            _ => CacheType::None,
        }
    }

    /// LoC, the level of coherence: the last level that must be cleaned to reach the point of coherency; 0 if
    /// none must.
    pub const fn level_of_coherence(self) -> u32 {
        (self.0 >> 24 & 7) as u32
    }

    /// No level has to be cleaned to reach the point of unification, LoUU and LoUIS being 0, or none to reach that of
    /// coherency: what is stored can be fetched, as with CTR_EL0.IDC.
    pub const fn is_unified_everywhere(self) -> bool {
        const LOUIS: u64 = 7 << 21;
        const LOUU: u64 = 7 << 27;
        self.level_of_coherence() == 0 || self.0 & (LOUIS | LOUU) == 0
    }

    /// The levels that must be maintained to reach the point of coherency and have a cache that can be, in
    /// order. This is the loop over levels of every set/way routine.
    pub fn maintained_levels(self) -> impl Iterator<Item = u32> {
        (1..=self.level_of_coherence()).filter(move |&level| self.cache_type(level).has_data())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern crate std;
    use std::vec::Vec;

    /// The value of a Cortex-A57 (its Technical Reference Manual, CLIDR_EL1).
    #[test]
    fn a_cortex_a57_has_two_levels() {
        let clidr = Clidr(0x0a20_0023);
        assert_eq!(clidr.cache_type(1), CacheType::Separate);
        assert_eq!(clidr.cache_type(2), CacheType::Unified);
        assert_eq!(clidr.cache_type(3), CacheType::None);
        assert_eq!(clidr.level_of_coherence(), 2);
        assert_eq!(clidr.maintained_levels().collect::<Vec<_>>(), [1, 2]);
    }

    /// The values of a Cortex-A57 and of a Neoverse N1 (their Technical Reference Manuals, CLIDR_EL1).
    #[test]
    fn some_cpus_fetch_what_data_caches_hold() {
        assert!(!Clidr(0x0a20_0023).is_unified_everywhere());
        assert!(Clidr(0x8200_0023).is_unified_everywhere());
        assert!(Clidr(0x0a20_0023 & !(7 << 24)).is_unified_everywhere());
        assert!(!Clidr(0x0a00_0023).is_unified_everywhere());
    }

    #[test]
    fn levels_without_data_or_past_coherence_are_left_out() {
        // Instruction alone, data alone, unified past the level of coherence.
        let clidr = Clidr(0b100_010_001 | 2 << 24);
        assert_eq!(clidr.maintained_levels().collect::<Vec<_>>(), [2]);
        assert_eq!(Clidr(0b100).maintained_levels().count(), 0);
        assert_eq!(Clidr(0b111).cache_type(1), CacheType::None);
    }
}
