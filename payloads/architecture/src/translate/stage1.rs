//! Stage 1: from a virtual address to an intermediate one, which is physical if there is no stage 2.

use super::{
    AARCH32_BITS, ADDRESS_BITS, Attributes, Fault, Kind, Output, bits,
    range::Range,
    regime::{Format, Regime},
    short,
    stage2::{Descriptor, IpaSpace},
};
use crate::registers::Sctlr;

/// AArch64.S1Translate(), AArch32.S1TranslateLD() and AArch32.S1TranslateSD().
pub fn translate(
    regime: &Regime,
    kind: Kind,
    va: u64,
    ipas: &mut IpaSpace,
) -> Result<Output, Fault> {
    let cached = match kind {
        Kind::Data => regime.sctlr.contains(Sctlr::C),
        Kind::Fetch => regime.sctlr.contains(Sctlr::I),
    };
    if !regime.enabled {
        return untranslated(regime, kind, cached, va);
    }
    let output = match regime.format {
        Format::Short => short::translate(regime, va, ipas)?,
        _ => long(regime, kind, va, ipas)?,
    };
    Ok(Output {
        attributes: output.attributes.seen_by(kind.into(), cached),
        ..output
    })
}

/// What there is with stage 1 off (AArch64.S1DisabledOutput(), AArch32.S1DisabledOutput()).
fn untranslated(regime: &Regime, kind: Kind, cached: bool, va: u64) -> Result<Output, Fault> {
    let size = match regime.format {
        Format::Long | Format::Short => AARCH32_BITS,
        _ => {
            let top = Range::of(regime, va)?.top(regime, kind);
            if bits(va, top, ADDRESS_BITS) != 0 {
                return Err(Fault::stage1(0));
            }
            ADDRESS_BITS
        }
    };
    Ok(Output {
        address: bits(va, size - 1, 0),
        attributes: match kind {
            _ if regime.default_cacheable => Attributes::WRITE_BACK,
            Kind::Data => Attributes::DEVICE,
            Kind::Fetch if cached => Attributes::WRITE_THROUGH,
            Kind::Fetch => Attributes::NON_CACHEABLE,
        },
        span: 1 << size,
    })
}

/// What long descriptors say.
fn long(regime: &Regime, kind: Kind, va: u64, ipas: &mut IpaSpace) -> Result<Output, Fault> {
    let range = Range::of(regime, va)?;
    let walks = range.walks(regime);
    let tables = range.tables(regime, kind, va)?;
    let leaf = tables.walk(va, |address, level| {
        let descriptor = Descriptor {
            address,
            len: 8,
            level,
        };
        ipas.read(descriptor, &walks)
    })?;
    Ok(Output {
        address: leaf.address,
        attributes: Attributes::of_mair(regime.mair, bits(leaf.descriptor, 4, 2)),
        span: leaf.span,
    })
}
