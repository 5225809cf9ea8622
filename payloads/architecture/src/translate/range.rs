//! The ranges of virtual addresses that TTBR0 and TTBR1 are for, as TCR_ELx describes them, where
//! descriptors are long.

use super::{
    AARCH32_BITS, ADDRESS_BITS, Attributes, Fault, Kind, bits, long,
    long::Tables,
    regime::{Format, Regime},
    walks::Walks,
};
use crate::registers::Sctlr;

/// Where TCR_ELx keeps the parameters of a range. A bit that it does not have is 0.
pub struct Range {
    /// The TTBR with its tables.
    ttbr: usize,
    /// TnSZ.
    size: u32,
    /// EPDn: the range is not translated.
    disabled: u64,
    /// IRGNn; ORGNn is next to it.
    regions: u32,
    /// TGn, and the granules that it means; the reserved value is taken for 4 KiB.
    granule: u32,
    granules: [u32; 4],
    /// TBIn: bits 63:56 of addresses do not count.
    ignore_top: u64,
    /// TBIDn: but those of instructions do.
    data_only: u64,
}

const LOWER: Range = Range {
    ttbr: 0,
    size: 0,
    disabled: 1 << 7,
    regions: 8,
    granule: 14,
    granules: [12, 16, 14, 12],
    ignore_top: 1 << 37,
    data_only: 1 << 51,
};

const UPPER: Range = Range {
    ttbr: 1,
    size: 16,
    disabled: 1 << 23,
    regions: 24,
    granule: 30,
    granules: [12, 14, 12, 16],
    ignore_top: 1 << 38,
    data_only: 1 << 52,
};

/// That of TCR_EL2 with E2H clear.
const ONLY: Range = Range {
    disabled: 0,
    ignore_top: 1 << 20,
    data_only: 1 << 29,
    ..LOWER
};

/// Size of the addresses that AArch32's long descriptors lead to.
const LONG_OUTPUT: u32 = 40;

impl Range {
    /// The range of `va` (AArch64.GetVARange(), AArch32.GetVARange()); whether it is inside is for
    /// [`Range::tables`] to say in AArch64.
    pub fn of(regime: &Regime, va: u64) -> Result<&'static Self, Fault> {
        match regime.format {
            Format::OneRange => Ok(&ONLY),
            Format::TwoRanges if bits(va, 55, 55) == 0 => Ok(&LOWER),
            Format::TwoRanges => Ok(&UPPER),
            Format::Long | Format::Short => Self::in_aarch32(regime, va),
        }
    }

    /// A range that TnSZ makes smaller has what is left of it, one that it does not has the rest.
    fn in_aarch32(regime: &Regime, va: u64) -> Result<&'static Self, Fault> {
        let is_smaller = |range: &Self| range.input(regime) < AARCH32_BITS;
        let has = |range: &Self, va| bits(va, 31, 0) >> range.input(regime) == 0;
        match (is_smaller(&LOWER), is_smaller(&UPPER)) {
            (true, _) if has(&LOWER, va) => Ok(&LOWER),
            (_, true) if has(&UPPER, !va) => Ok(&UPPER),
            (false, _) => Ok(&LOWER),
            (_, false) => Ok(&UPPER),
            (true, true) => Err(Fault::stage1(0)),
        }
    }

    /// The tables that `va` is to be looked up in, if it is within them (AArch64.VAIsOutOfRange()).
    pub fn tables(&self, regime: &Regime, kind: Kind, va: u64) -> Result<Tables, Fault> {
        let (input, granule) = (self.input(regime), self.granule(regime));
        let tables = Tables {
            base: regime.ttbr[self.ttbr],
            input,
            output: match regime.format {
                Format::Long => LONG_OUTPUT,
                _ => ADDRESS_BITS,
            },
            granule,
            start: long::start(input, granule),
            stage2: false,
        }
        .checked()?;
        let is_within = regime.format == Format::Long || {
            let above = |va| bits(va, self.top(regime, kind), input);
            above(va) == above(if self.ttbr == 0 { 0 } else { !0 })
        };
        if is_within && regime.tcr & self.disabled == 0 {
            Ok(tables)
        } else {
            Err(Fault::stage1(0))
        }
    }

    /// How they are read.
    pub fn walks(&self, regime: &Regime) -> Walks {
        let inner = bits(regime.tcr, self.regions + 1, self.regions);
        let outer = bits(regime.tcr, self.regions + 3, self.regions + 2);
        Walks::new(
            Attributes::of_regions(inner, outer),
            regime.sctlr.contains(Sctlr::C),
            regime.sctlr,
        )
    }

    /// The highest bit of addresses that counts (AArch64.AddrTop()).
    pub fn top(&self, regime: &Regime, kind: Kind) -> u32 {
        let counts = regime.tcr & self.ignore_top == 0
            || kind == Kind::Fetch && regime.tcr & self.data_only != 0;
        if counts { 63 } else { 55 }
    }

    /// Size of the addresses that are looked up, from TnSZ.
    fn input(&self, regime: &Regime) -> u32 {
        match regime.format {
            Format::Long => AARCH32_BITS - bits(regime.tcr, self.size + 2, self.size) as u32,
            _ => 64 - bits(regime.tcr, self.size + 5, self.size) as u32,
        }
    }

    fn granule(&self, regime: &Regime) -> u32 {
        match regime.format {
            Format::Long => 12,
            _ => self.granules[bits(regime.tcr, self.granule + 1, self.granule) as usize],
        }
    }
}
