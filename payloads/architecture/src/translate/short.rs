//! The walk through tables of 32-bit descriptors (VMSAv8-32 Short-descriptor): AArch32.S1WalkSD().

use super::{
    Attributes, Fault, Output, bits,
    regime::Regime,
    stage2::{Descriptor, IpaSpace},
    walks::Walks,
};
use crate::registers::Sctlr;

/// TTBCR.PD0 and PD1: what is TTBR0's or TTBR1's is not translated.
const PD0: u64 = 1 << 4;
const PD1: u64 = 1 << 5;

/// What a descriptor that ends the walk maps.
struct Leaf {
    /// Size in bytes as a power of two.
    size: u32,
    /// Where its TEX is; C and B are always in bits 3:2.
    tex: u32,
}

const SUPERSECTION: Leaf = Leaf { size: 24, tex: 12 };
const SECTION: Leaf = Leaf { size: 20, tex: 12 };
const LARGE_PAGE: Leaf = Leaf { size: 16, tex: 12 };
const SMALL_PAGE: Leaf = Leaf { size: 12, tex: 6 };

/// A section descriptor is a supersection's.
const IS_SUPERSECTION: u64 = 1 << 18;

/// Stage 1's output for `va`, of which the upper half does not count.
pub fn translate(regime: &Regime, va: u64, ipas: &mut IpaSpace) -> Result<Output, Fault> {
    let va = bits(va, 31, 0);
    // TTBCR.N takes that many bits off the addresses that TTBR0 is for, if it is not 0.
    let n = bits(regime.tcr, 2, 0) as u32;
    let is_lower = va >> (32 - n) == 0;
    let (ttbr, n, disabled) = if is_lower {
        (regime.ttbr[0], n, PD0)
    } else {
        (regime.ttbr[1], 0, PD1)
    };
    if regime.tcr & disabled != 0 {
        return Err(Fault::stage1(1));
    }
    let inner = bits(ttbr, 0, 0) << 1 | bits(ttbr, 6, 6);
    let outer = bits(ttbr, 4, 3);
    let walks = Walks::new(
        Attributes::of_regions(inner, outer),
        regime.sctlr.contains(Sctlr::C),
        regime.sctlr,
    );
    let mut read = |address, level| {
        let descriptor = Descriptor {
            address,
            len: 4,
            level,
        };
        ipas.read(descriptor, &walks)
    };

    let entry = bits(va, 31 - n, 20) << 2;
    let first = read(field(ttbr, 31, 14 - n) | entry, 1)?;
    let (leaf, descriptor) = match first & 0b11 {
        0b00 => return Err(Fault::stage1(1)),
        0b01 => {
            let second = read(field(first, 31, 10) | bits(va, 19, 12) << 2, 2)?;
            match second & 0b11 {
                0b00 => return Err(Fault::stage1(2)),
                0b01 => (LARGE_PAGE, second),
                _ => (SMALL_PAGE, second),
            }
        }
        _ if first & IS_SUPERSECTION != 0 => (SUPERSECTION, first),
        _ => (SECTION, first),
    };

    let mut base = field(descriptor, 31, leaf.size);
    if leaf.size == SUPERSECTION.size {
        base |= bits(descriptor, 23, 20) << 32 | bits(descriptor, 8, 5) << 36;
    }
    let tex_c_b = bits(descriptor, leaf.tex + 2, leaf.tex) << 2 | bits(descriptor, 3, 2);
    Ok(Output {
        address: base | bits(va, leaf.size - 1, 0),
        attributes: if regime.sctlr.contains(Sctlr::TRE) {
            let (prrr, nmrr) = (regime.mair, regime.mair >> 32);
            Attributes::of_remapped_tex(tex_c_b, prrr, nmrr)
        } else {
            Attributes::of_tex(tex_c_b)
        },
        span: 1 << leaf.size,
    })
}

/// Bits `high` to `low` of `value`, where they are.
fn field(value: u64, high: u32, low: u32) -> u64 {
    bits(value, high, low) << low
}
