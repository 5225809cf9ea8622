//! Stage 2: from an intermediate address to a physical one, for what stage 1 puts out and for its
//! tables, which are at intermediate addresses too.

use super::{
    ADDRESS_BITS, Attributes, Fault, Output, Purpose, Registers, Step, bits, long::Tables,
    regime::Regime, walks::Walks,
};
use crate::registers::Hcr;

/// Intermediate addresses and what they are mapped to.
pub struct IpaSpace<'a> {
    /// `None` if they are physical.
    stage2: Option<Stage2>,
    read: &'a mut dyn FnMut(Step) -> Option<u64>,
}

/// A descriptor of stage 1.
pub struct Descriptor {
    pub address: u64,
    pub len: u8,
    pub level: u8,
}

/// Stage 2's tables.
struct Stage2 {
    tables: Tables,
    walks: Walks,
    hcr: Hcr,
}

/// The granules that VTCR_EL2.TG0 means; the reserved value is taken for 4 KiB.
const GRANULES: [u32; 4] = [12, 16, 14, 12];

/// The first levels that VTCR_EL2.SL0 means for each of them, 4 being none (AArch64.S2StartLevel()).
const STARTS: [[u8; 4]; 4] = [[2, 1, 0, 3], [3, 2, 1, 4], [3, 2, 1, 4], [2, 1, 0, 3]];

impl<'a> IpaSpace<'a> {
    /// The one of a regime.
    pub fn new(
        registers: &Registers,
        regime: &Regime,
        read: &'a mut dyn FnMut(Step) -> Option<u64>,
    ) -> Result<Self, Fault> {
        let stage2 = if regime.nested {
            Some(Stage2::new(registers)?)
        } else {
            None
        };
        Ok(Self { stage2, read })
    }

    /// What becomes of stage 1's output (AArch64.S2Translate()).
    pub fn translate(&mut self, ipa: Output, purpose: Purpose) -> Result<Output, Fault> {
        let Some(stage2) = &self.stage2 else {
            return Ok(ipa);
        };
        if ipa.address >> stage2.tables.input != 0 {
            return Err(Fault::stage2(0));
        }
        let leaf = stage2.tables.walk(ipa.address, |pa, level| {
            let step = Step {
                pa,
                len: 8,
                memory: stage2.walks.attributes.memory(),
            };
            stage2.walks.read(self.read, step, Fault::stage2(level))
        })?;
        Ok(Output {
            address: leaf.address,
            attributes: stage2.attributes(ipa.attributes, leaf.descriptor, purpose),
            span: ipa.span.min(leaf.span),
        })
    }

    /// Reads a descriptor of stage 1.
    pub fn read(&mut self, descriptor: Descriptor, walks: &Walks) -> Result<u64, Fault> {
        let ipa = Output {
            address: descriptor.address,
            attributes: walks.attributes,
            span: descriptor.len.into(),
        };
        let pa = self.translate(ipa, Purpose::Walk)?;
        let step = Step {
            pa: pa.address,
            len: descriptor.len,
            memory: pa.attributes.memory(),
        };
        walks.read(self.read, step, Fault::stage1(descriptor.level))
    }
}

impl Stage2 {
    fn new(registers: &Registers) -> Result<Self, Fault> {
        let vtcr = registers.vtcr_el2;
        let granule = bits(vtcr, 15, 14) as usize;
        let tables = Tables {
            base: registers.vttbr_el2,
            input: 64 - bits(vtcr, 5, 0) as u32,
            output: ADDRESS_BITS,
            granule: GRANULES[granule],
            start: STARTS[granule][bits(vtcr, 7, 6) as usize],
            stage2: true,
        }
        .checked()?;
        Ok(Self {
            tables,
            walks: Walks::new(
                Attributes::of_regions(bits(vtcr, 9, 8), bits(vtcr, 11, 10)),
                !registers.hcr().contains(Hcr::CD),
                registers.sctlr_el2(),
            ),
            hcr: registers.hcr(),
        })
    }

    /// Stage 1's attributes and those of stage 2's descriptor combined.
    fn attributes(&self, stage1: Attributes, descriptor: u64, purpose: Purpose) -> Attributes {
        let mem_attr = bits(descriptor, 5, 2);
        let both = if self.hcr.contains(Hcr::FWB) {
            stage1.forced(mem_attr)
        } else {
            stage1.combined(Attributes::of_mem_attr(mem_attr))
        };
        let uncached = match purpose {
            Purpose::Data | Purpose::Walk => Hcr::CD,
            Purpose::Fetch => Hcr::ID,
        };
        both.seen_by(purpose, !self.hcr.contains(uncached))
    }
}
